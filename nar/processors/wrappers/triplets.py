"""Triplet messages (Dudzik and Veličković 2022, arXiv 2203.15544; Ibarz et al. 2022, arXiv 2209.11142)."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput
from nar.processors.layers.aggregation import SAME
from nar.processors.layers.linear import Linear

UNROLLED = 8
"""How many senders are taken in one go: more take less time to compute, and more to compile."""


class Triplets(hk.Module):
    """Any processor, with edge states from messages of triplets of nodes besides.

    With z = [nodes, hidden], and T triplet features:

        t_jk = max_i (A z_i + B z_j + C z_k + D edges_ij + E edges_ik + F edges_jk + G graph)
        edges'_jk = relu(O t_jk)

    Costs N³·T additions and N²·T·(H + 3F) multiply-adds a step; less if edges are factored.
    """

    def __init__(
        self,
        processor: Processor,
        hidden_size: int,
        *,
        num_features: int = 8,
        name: str = "triplets",
    ) -> None:
        """Wraps a processor; `num_features` is T."""
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size
        self._num_features = num_features

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """That of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        processed = self._processor(features, hidden, memory, context)
        edges = Linear(self._hidden_size, name="out")(self._largest(features, hidden))
        return processed._replace(edges=jax.nn.relu(edges))

    @hk.transparent
    def _largest(self, features: Features, hidden: Array) -> Array:
        """t [B, N, N, T]; only what depends on i stays under the maximum."""
        size = self._num_features
        z = jnp.concatenate([features.nodes, hidden], axis=-1)
        node_i, node_j, node_k = (Linear(size, name=f"node_{k}")(z) for k in "ijk")
        edge_ij, edge_ik, edge_jk = (
            Linear(size, name=f"edge_{pair}")(features.edges) for pair in ("ij", "ik", "jk")
        )
        graph = Linear(size, name="graph")(features.graph)
        from_i = edge_ij + node_i[:, :, None]
        if features.mask is not None:
            from_i = jnp.where(features.mask[:, :, None, None], from_i, -jnp.inf)
        rest = edge_jk + node_k[:, None] + (node_j + graph[:, None])[:, :, None]
        return max_plus(from_i, edge_ik) + rest


@jax.custom_jvp
def max_plus(a: Array, b: Array) -> Array:
    """m_jk = max_i (a_ij + b_ik): [B, N, N, T] from [B, N, N, T] twice, i being axis 1 of both.

    One i after another, so that no array [B, N, N, N, T] is made. The derivative is the mean over all i that
    reach the maximum, as that of `max_with_ties`:

        dm_jk = sum_i s_ijk (da_ij + db_ik) / sum_i s_ijk, with s_ijk = 1 where a_ij + b_ik = m_jk
    """

    def larger(found: Array, terms: tuple[Array, Array]) -> Array:
        return jnp.maximum(found, _sums(*terms))

    return _over_senders(larger, jnp.full_like(a, -jnp.inf), (a, b))


@max_plus.defjvp
def _derivative_of_max_plus(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    found = max_plus(*primals)
    least = found - SAME * jnp.abs(found)

    def count(total: Array, terms: tuple[Array, Array]) -> Array:
        return total + (_sums(*terms) >= least)

    def add(total: Array, both: tuple[tuple[Array, Array], tuple[Array, Array]]) -> Array:
        terms, directions = both
        return total + jnp.where(_sums(*terms) >= least, _sums(*directions), 0.0)

    counts = _over_senders(count, jnp.zeros(found.shape, jnp.int32), primals)
    # Which i reach the maximum is worked out again where the gradient goes backwards.
    total = _over_senders(jax.checkpoint(add, prevent_cse=False), jnp.zeros_like(found), (primals, tangents))
    return found, total / jnp.maximum(counts, 1).astype(found.dtype)


def _sums(a_i: Array, b_i: Array) -> Array:
    """a_ij + b_ik of one i: [B, N, N, T] from [B, N, T] twice."""
    return a_i[:, :, None] + b_i[:, None]


def _over_senders(add: Callable[[Array, Any], Array], start: Array, terms: Any) -> Array:
    """`add(... add(add(start, terms of i = 0), terms of i = 1) ...)`; terms are arrays [B, N, ...]."""
    by_sender = jax.tree.map(lambda x: x.swapaxes(0, 1), terms)
    unroll = min(UNROLLED, len(jax.tree.leaves(by_sender)[0]))
    return jax.lax.scan(lambda found, one: (add(found, one), None), start, by_sender, unroll=unroll)[0]
