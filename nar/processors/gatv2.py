"""Graph attention network, second version (Brody et al. 2022, arXiv 2105.14491), as in arXiv 2205.15659."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.attention import attention_update, outgoing
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_flags, check_heads


class GATv2(hk.Module):
    """Attention along the edges of the graph in which the ranking of senders depends on the receiver.

    With z = [nodes, hidden], for each head k, and (x)_k the k-th of K equal chunks of a vector x:

        s_ij = a_k · (leaky_relu(R z_i + S z_j + E edges_ij + G graph))_k
        m_i  = sum over the neighbors j of i of softmax_j(s_ij) (V z_j)_k
        h_i  = LayerNorm(relu(U z_i + m_i))

    As in dm-clrs, node i reads the edges (i, j), whereas in the other processors node j does. The slope of
    leaky_relu is 0.01. Costs N²·H² + 8·N·H² multiply-adds per step; N²·H² less if edges are factored.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self,
        hidden_size: int,
        *,
        num_heads: int = 1,
        attention_size: int | None = None,
        layer_norm: bool = True,
        name: str = "gatv2",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of hidden states and messages.
          num_heads: K, number of attention heads; must divide H.
          attention_size: size of the vectors that give the logits, a multiple of K; H by default.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if `num_heads` does not divide `hidden_size` or `attention_size`.
        """
        attention_size = hidden_size if attention_size is None else attention_size
        check_heads(num_heads, hidden_size=hidden_size, attention_size=attention_size)
        check_flags(layer_norm=layer_norm)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_heads = num_heads
        self._attention_size = attention_size
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
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        logits = self._logits(z, features)
        nodes, messages = attention_update(z, logits, features, self._hidden_size, self._layer_norm)
        return ProcessorOutput(nodes=nodes, messages=messages, memory=memory)

    @hk.transparent
    def _logits(self, z: Array, features: Features) -> Array:
        """Attention logits [B, N, N, heads] of receivers (axis 1) over senders (axis 2), as of `attend`."""
        size = self._attention_size
        sender = Linear(size, name="sender")(z)
        receiver = Linear(size, name="receiver")(z)
        edge = Linear(size, name="edge")(features.edges)
        graph = Linear(size, name="graph")(features.graph)
        pairs = jax.nn.leaky_relu(outgoing(edge, sender, receiver + graph[:, None], features.neighbors))
        chunks = jnp.split(pairs, self._num_heads, axis=-1)
        heads = [Linear(1, name=f"head_{k}")(chunk) for k, chunk in enumerate(chunks)]
        return jnp.concatenate(heads, axis=-1)
