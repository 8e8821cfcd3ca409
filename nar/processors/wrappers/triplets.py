"""Triplet messages (Dudzik and Veličković 2022, arXiv 2203.15544; Ibarz et al. 2022, arXiv 2209.11142)."""

from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, Features, Processor, ProcessorOutput, accepted_features
from nar.processors.input_checks import check_inputs
from nar.processors.layers.aggregation import TIE_TOLERANCE
from nar.processors.layers.linear import Linear
from nar.processors.option_checks import check_counts

UNROLL = 8
"""Unroll factor of the scan over senders: larger values run faster and compile more slowly."""


class Triplets(hk.Module):
    """Adds edge states from triplet messages to a processor.

    With z = [nodes, hidden], and T triplet features:

        t_jk = max_i (A z_i + B z_j + C z_k + D edges_ij + E edges_ik + F edges_jk + G graph)
        edges'_jk = relu(O t_jk)

    Costs N³·T additions and N²·T·(H + 3F) multiply-adds per step; less if edges are factored.
    """

    accepts_factored = True

    def __init__(
        self,
        processor: Processor,
        hidden_size: int,
        *,
        num_features: int = 8,
        name: str = "triplets",
    ) -> None:
        """Wraps a processor; `num_features` is T."""
        check_counts(hidden_size=hidden_size, num_features=num_features)
        super().__init__(name=name)
        self._processor = processor
        self._hidden_size = hidden_size
        self._num_features = num_features

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Initial memory of the wrapped processor."""
        return self._processor.initial_memory(batch_size, num_nodes)

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        output = self._processor(accepted_features(self._processor, features), hidden, memory, context)
        edges = Linear(self._hidden_size, name="out")(self._triplet_messages(features, hidden))
        return output._replace(edges=jax.nn.relu(edges))

    @hk.transparent
    def _triplet_messages(self, features: Features, hidden: Array) -> Array:
        """Triplet messages t [B, N, N, T]; terms that don't depend on i are added after the maximum."""
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
    """Max-plus matrix product m_jk = max_i (a_ij + b_ik), where a, b and m are [B, N, N, T] and i is axis 1.

    Scans over i, so that no array [B, N, N, N, T] exists. Tied values share the gradient equally, as in
    `max_with_ties`:

        dm_jk = sum_i s_ijk (da_ij + db_ik) / sum_i s_ijk, with s_ijk = 1 where a_ij + b_ik = m_jk
    """

    def update_max(largest: Array, terms: tuple[Array, Array]) -> Array:
        return jnp.maximum(largest, _sums(*terms))

    return _scan_senders(update_max, jnp.full_like(a, -jnp.inf), (a, b))


@max_plus.defjvp
def _max_plus_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    largest = max_plus(*primals)
    threshold = largest - TIE_TOLERANCE * jnp.abs(largest)

    def count(total: Array, terms: tuple[Array, Array]) -> Array:
        return total + (_sums(*terms) >= threshold)

    def add(total: Array, primals_and_tangents: tuple[tuple[Array, Array], tuple[Array, Array]]) -> Array:
        terms, tangents = primals_and_tangents
        return total + jnp.where(_sums(*terms) >= threshold, _sums(*tangents), 0.0)

    counts = _scan_senders(count, jnp.zeros(largest.shape, jnp.int32), primals)
    # Recompute in the backward pass which i reach the maximum.
    total = _scan_senders(
        jax.checkpoint(add, prevent_cse=False), jnp.zeros_like(largest), (primals, tangents)
    )
    return largest, total / jnp.maximum(counts, 1).astype(largest.dtype)


def _sums(a_i: Array, b_i: Array) -> Array:
    """Sums a_ij + b_ik for one i: [B, N, N, T] from two arrays [B, N, T]."""
    return a_i[:, :, None] + b_i[:, None]


def _scan_senders(add: Callable[[Array, Any], Array], start: Array, terms: Any) -> Array:
    """Folds `add` over senders i, with the slices of terms [B, N, ...] at each i."""
    by_sender = jax.tree.map(lambda x: x.swapaxes(0, 1), terms)
    unroll = min(UNROLL, len(jax.tree.leaves(by_sender)[0]))
    return jax.lax.scan(lambda total, x: (add(total, x), None), start, by_sender, unroll=unroll)[0]
