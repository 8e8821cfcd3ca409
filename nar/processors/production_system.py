"""Neural production system (Goyal et al. 2021, arXiv 2103.01937): rules that nodes choose and apply."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.attention import MASKED_LOGIT
from nar.processors.layers.choice import choice_key, choose
from nar.processors.layers.linear import Linear
from nar.processors.layers.neighbors import at_senders
from nar.processors.layers.norm import LayerNorm
from nar.processors.option_checks import check_counts, check_flags, check_positive


class ProductionSystem(hk.Module):
    """Each node chooses a rule and a neighbor as its context, and the rule updates it.

    All nodes are updated at once, the parallel variant of the paper. With z = [nodes, hidden], and a learned
    vector v_k per rule:

        x_i  = relu(U z_i + G graph)
        k_i  = argmax_k Q [x_i, graph] · v_k / sqrt(H)
        c_i  = argmax over the neighbors j of i of q x_i · K x_j / sqrt(H) + e edges_ji
        h_i  = x_i + B_k relu(A_k x_i + C_k x_{c_i} + E edges_{c_i i} + D graph), k = k_i

    In training both choices are drawn by the straight-through Gumbel softmax. With R rules a step costs
    (6 + 3·R)·N·H² + N²·H multiply-adds, and N²·H²* for the edges (*: N²·H if they are factored).
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_rules: int = 4,
        temperature: float = 1.0,
        layer_norm: bool = True,
        name: str = "production_system",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H.
          num_rules: R, number of rules.
          temperature: temperature of the choices in training.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if an option is invalid.
        """
        check_counts(hidden_size=hidden_size, num_rules=num_rules)
        check_flags(layer_norm=layer_norm)
        check_positive(temperature=temperature)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_rules = num_rules
        self._temperature = temperature
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty: this processor has no memory."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        size = self._hidden_size
        own = Linear(size, name="own")(features.nodes, hidden)
        x = jax.nn.relu(own + Linear(size, name="graph")(features.graph)[:, None])
        chosen_rule = self._choose_rule(x, features, context).astype(x.dtype)
        chosen_node = self._choose_node(x, features, context).astype(x.dtype)
        at_nodes = at_senders(x, features.neighbors)
        received = (chosen_node[..., None] * at_nodes).sum(axis=1)
        edges = (chosen_node[..., None] * Linear(size, name="edge")(features.edges)).sum(axis=1)
        shared = edges + Linear(size, name="rule_graph")(features.graph)[:, None]
        updates = jnp.stack(
            [self._apply_rule(number, x, received, shared) for number in range(self._num_rules)], axis=2
        )
        nodes = x + jnp.einsum("bnk,bnkh->bnh", chosen_rule, updates)
        if self._layer_norm:
            nodes = LayerNorm(name="norm")(nodes)
        return ProcessorOutput(nodes=nodes, messages=received, memory=memory)

    @hk.transparent
    def _choose_rule(self, x: Array, features: Features, context: Context) -> Array:
        """The rule of each node, one-hot [B, N, R]."""
        size = self._hidden_size
        vectors = hk.get_parameter("rules", [self._num_rules, size], init=hk.initializers.RandomNormal())
        query = Linear(size, name="rule_query")(x)
        query = query + Linear(size, bias=None, name="rule_query_graph")(features.graph)[:, None]
        logits = jnp.einsum("bnh,kh->bnk", query, vectors.astype(x.dtype), preferred_element_type=jnp.float32)
        return choose(logits / size**0.5, self._temperature, choice_key(context))

    @hk.transparent
    def _choose_node(self, x: Array, features: Features, context: Context) -> Array:
        """The neighbor of each node that is its context, one-hot over axis 1, [B, N, N] or [B, K, N]."""
        size = self._hidden_size
        query = Linear(size, name="node_query")(x)
        keys = at_senders(Linear(size, bias=None, name="node_key")(x), features.neighbors)
        products = (query[:, None] * keys).sum(axis=-1, dtype=jnp.float32) / size**0.5
        logits = products + Linear(1, bias=None, name="edge_logit").in_float32(features.edges)[..., 0]
        logits = jnp.where(features.adjacency, logits, MASKED_LOGIT).swapaxes(1, 2)
        return choose(logits, self._temperature, choice_key(context)).swapaxes(1, 2)

    @hk.transparent
    def _apply_rule(self, number: int, x: Array, received: Array, shared: Array) -> Array:
        """Updates of all nodes by one rule, [B, N, H]."""
        size = self._hidden_size
        inner = Linear(size, name=f"condition_{number}")(x, received) + shared
        return Linear(size, name=f"action_{number}")(jax.nn.relu(inner))
