"""Graph attention network (Veličković et al. 2018, arXiv 1710.10903), as in CLRS-30 (arXiv 2205.15659)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, ProcessorOutput, check_shapes
from nar.processors.layers.attention import check_heads, update
from nar.processors.layers.linear import Linear


class GAT(hk.Module):
    """Attention along the edges of the graph.

    With z = [nodes, hidden], for each head k:

        s_ij = leaky_relu(a z_i + b z_j + c edges_ij + d graph), with vectors a, b, c, d for each head
        m_i  = sum over the neighbours j of i of softmax_j(s_ij) (V z_j)_k
        h_i  = LayerNorm(relu(U z_i + m_i))

    A node i reads the edges (i, j), which other processors read at j: that is how dm-clrs has it. The slope
    of leaky_relu is 0.01. Costs 4·N·H² + N²·H multiply-adds a step, and N²·H·K for the edges' part of the
    logits, which is less if edges are factored.
    """

    def __init__(
        self, hidden_size: int, *, num_heads: int = 1, layer_norm: bool = True, name: str = "gat"
    ) -> None:
        """Makes the processor.

        Args:
          hidden_size: H, of states and messages.
          num_heads: K, of attention; it divides H.
          layer_norm: whether new states are normalised.
          name: of the module.

        Raises:
          ValueError: if the number of heads does not divide H.
        """
        check_heads(num_heads, hidden_size=hidden_size)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._num_heads = num_heads
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """There is none."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        del context
        check_shapes(features, hidden)
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        logits = self._logits(z, features)
        nodes, messages = update(z, logits, features.adjacency, self._hidden_size, self._layer_norm)
        return ProcessorOutput(nodes=nodes, messages=messages, memory=memory)

    @hk.transparent
    def _logits(self, z: Array, features: Features) -> Array:
        """[B, N, N, K] from receivers (axis 1) for senders (axis 2)."""
        receiver = Linear(self._num_heads, name="receiver")(z)
        sender = Linear(self._num_heads, name="sender")(z)
        edge = Linear(self._num_heads, name="edge")(features.edges)
        graph = Linear(self._num_heads, name="graph")(features.graph)
        return jax.nn.leaky_relu(edge + sender[:, None] + (receiver + graph[:, None])[:, :, None])
