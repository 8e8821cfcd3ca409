"""Graph attention network (Veličković et al. 2018, arXiv 1710.10903), as in CLRS-30 (arXiv 2205.15659)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.attention import attention_update, outgoing
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_flags, check_heads


class GAT(hk.Module):
    """Attention along the edges of the graph.

    With z = [nodes, hidden], for each head k:

        s_ij = leaky_relu(a z_i + b z_j + c edges_ij + d graph), with vectors a, b, c, d per head
        m_i  = sum over the neighbors j of i of softmax_j(s_ij) (V z_j)_k
        h_i  = LayerNorm(relu(U z_i + m_i))

    As in dm-clrs, node i reads the edges (i, j), whereas in the other processors node j does. The slope of
    leaky_relu is 0.01. Costs 4·N·H² + N²·H multiply-adds per step, plus N²·H·K for the edge term of the
    logits, which is cheaper if edges are factored.
    """

    accepts_factored = True
    accepts_neighbors = True

    def __init__(
        self, hidden_size: int, *, num_heads: int = 1, layer_norm: bool = True, name: str = "gat"
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of hidden states and messages.
          num_heads: K, number of attention heads; must divide H.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if `num_heads` does not divide H.
        """
        check_heads(num_heads, hidden_size=hidden_size)
        check_flags(layer_norm=layer_norm)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_heads = num_heads
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
        receiver = Linear(self._num_heads, name="receiver")(z)
        sender = Linear(self._num_heads, name="sender")(z)
        edge = Linear(self._num_heads, name="edge")(features.edges)
        graph = Linear(self._num_heads, name="graph")(features.graph)
        return jax.nn.leaky_relu(outgoing(edge, sender, receiver + graph[:, None], features.neighbors))
