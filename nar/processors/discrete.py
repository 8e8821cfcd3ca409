"""Discrete reasoner (Rodionov and Prokhorenkova 2024, arXiv 2402.11628).

Node and edge states are the discrete hints of a trace. Numbers are never encoded: they only enter the scores
of attention, whose hard choice is discrete again. So each step is a function of finitely many cases, which
can be learned exactly and enumerated, and it is the same function for graphs of any size.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nar.plugins import unknown_name
from nar.processors.base import Array, Context, FactoredFeatures, Features, ProcessorOutput
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.layers.neighbors import at_senders, own_slots, to_rows
from nar.processors.layers.norm import LayerNorm
from nar.processors.option_checks import check_counts, check_numbers

ATTENTIONS = ("receiver", "global")
"""Choices of attention: one incoming edge of each node, or one edge of the whole graph."""

SCORES = ("sender", "receiver", "edge", "path")
"""Numbers by which edges are ranked: the position of their sender or receiver, their weight, or the length of
the path to their receiver: the number at their sender plus their weight."""

POSITION = "pos"

MARGIN = 0.5
"""Levels that differ by less are equal: half the range of the numbers in the scores of training."""

Edges = tuple[Array | FactoredFeatures, Array | FactoredFeatures]
"""Features of the edges, and those of their reverses."""


class Discrete(hk.Module):
    """Hard attention between discrete states.

    For the edge from i to j, with node features z and edge features e of discrete hints and inputs only, and
    the number s_ij that `score` selects, in training scaled to [0, 1] over the edges of the graph:

        level_ij = v · relu(Q z_j + K z_i + E [e_ij, e_ji, own_ij])
        a        = 1 for the edge with the smallest s_ij among those within 1/2 of the highest level, else 0:
                   for one of the incoming edges of each j, or one edge of the graph (`attention`)
        h_j      = LayerNorm(relu(W [sum_i a_ij V z_i, z_j, a_jj, sum_i a_ij, sum_k a_jk]))
        h_ij     = LayerNorm(M relu(R [e_ij, e_ji, own_ij, z_i, z_j, a_ij, a_ji]))

    where own_ij = 1 if i = j; features of the graph are not read, and ties are broken by the order of the
    nodes. In training a is the softmax of (level_ij - s_ij) / temperature, which falls geometrically. Hidden
    states are not carried from step to step: only the hints that are fed back are, which should be hard
    (`model.hint_feedback = "hard_on_eval"`).

    With `score = "path"`, the numbers at the nodes are those of the only hint of that kind, such as
    distances; that of the receiver of a chosen edge becomes the length of its path.

    Unlike in the paper, levels are computed by an MLP rather than a dot product; the choice is lexicographic,
    by level and then by number, so that edges of equal states are ranked by their numbers alone; the
    coefficient of the numbers is not learned, there is no Gumbel noise by default, and edges see the features
    of their reverses. Costs (1 + 2*)·N²·H² multiply-adds per step, where N² is the number of edges with
    neighbor lists.
    """

    accepts_factored = True
    accepts_neighbors = True
    accepts_scalars = True

    def __init__(
        self,
        hidden_size: int,
        *,
        attention: str = "receiver",
        score: str = "sender",
        start_temperature: float = 3.0,
        end_temperature: float = 0.01,
        annealing_steps: int = 500,
        noise: float = 0.0,
        name: str = "discrete",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H.
          attention: one of `ATTENTIONS`.
          score: one of `SCORES`.
          start_temperature: temperature at the first training step.
          end_temperature: temperature after `annealing_steps`.
          annealing_steps: training steps over which the temperature falls.
          noise: scale of the Gumbel noise in training, 1 in the paper; without it fewer steps suffice.
          name: name of the Haiku module.

        Raises:
          ValueError: if an option is invalid.
        """
        check_counts(hidden_size=hidden_size, annealing_steps=annealing_steps)
        check_numbers(start_temperature=start_temperature, end_temperature=end_temperature, noise=noise)
        if not 0 < end_temperature <= start_temperature:
            raise ValueError(
                f"end_temperature must lie between 0 and start_temperature, got {end_temperature} and "
                f"{start_temperature}"
            )
        for option, value, known in (("attention", attention, ATTENTIONS), ("score", score, SCORES)):
            if value not in known:
                raise ValueError(unknown_name(option, value, known))
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._is_global = attention == "global"
        self._score = score
        self._temperatures = (start_temperature, end_temperature)
        self._annealing_steps = annealing_steps
        self._noise = noise

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty: this processor has no memory."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`."""
        check_inputs(features, hidden, context)
        z, edges = features.nodes, _both_directions(features)
        own = jnp.broadcast_to(_own(features, z.dtype), features.adjacency.shape)
        numbers, updated = self._numbers(features)
        attention = self._attention(z, edges, own[..., None], numbers, features, context).astype(z.dtype)
        return ProcessorOutput(
            nodes=self._node_states(z, attention, own, features),
            edges=self._edge_states(z, edges, attention, own, features),
            hidden=jnp.zeros_like(hidden),
            memory=memory,
            scalars=_updated_scalars(updated, numbers, attention),
        )

    @hk.transparent
    def _attention(
        self,
        z: Array,
        edges: Edges,
        own: Array,
        numbers: Array | None,
        features: Features,
        context: Context,
    ) -> Array:
        """Attention of the edges [B, N, N], from senders (axis 1) to receivers (axis 2); or [B, K, N]."""
        size = self._hidden_size
        key = at_senders(Linear(size, bias=None, name="key")(z), features.neighbors)
        key = key + Linear(size, bias=None, name="edge_key")(*edges, own)
        query = Linear(size, name="query")(z)[:, None]
        level = Linear(1, bias=None, name="level").in_float32(jax.nn.relu(query + key))[..., 0]
        candidates = features.adjacency
        if self._is_global and features.mask is not None:
            candidates &= features.mask[:, None]  # Padding nodes have an edge to themselves.
        if not context.is_training:
            return self._pick(level, numbers, candidates)
        scores = level if numbers is None else level - _normalized(numbers, candidates)
        if self._noise:
            scores = scores + self._noise * jax.random.gumbel(hk.next_rng_key(), scores.shape)
        scores = jnp.where(candidates, scores / self._temperature(context.training_step), -1e9)
        axes = (1, 2) if self._is_global else 1
        return jax.nn.softmax(scores, axis=axes)

    def _pick(self, levels: Array, numbers: Array | None, candidates: Array) -> Array:
        """1 at the edges that are chosen: those of the smallest numbers at the highest level."""
        axes = (1, 2) if self._is_global else (1,)
        levels = jnp.where(candidates, levels, -jnp.inf)
        is_highest = levels >= levels.max(axis=axes, keepdims=True) - MARGIN
        ranked = jnp.where(is_highest, jnp.zeros_like(levels) if numbers is None else numbers, jnp.inf)
        by_receiver = ranked.swapaxes(1, 2)
        flat = by_receiver.reshape(len(levels), -1) if self._is_global else by_receiver
        chosen = jax.nn.one_hot(flat.argmin(-1), flat.shape[-1], dtype=jnp.float32)
        return chosen.reshape(by_receiver.shape).swapaxes(1, 2)

    def _temperature(self, training_step: Array | int) -> Array:
        start, end = self._temperatures
        progress = jnp.minimum(jnp.asarray(training_step, jnp.float32) / self._annealing_steps, 1.0)
        return start * (end / start) ** progress

    def _numbers(self, features: Features) -> tuple[Array | None, Mapping[str, Array]]:
        """The numbers of the edges, float32 [B, N, N] or [B, K, N], and the hints that they update."""
        if features.scalars is None:
            return None, {}
        shape, scalars = features.adjacency.shape, dict(features.scalars)
        if self._score in ("sender", "receiver"):
            position = scalars[POSITION].astype(jnp.float32)
            at_edges = at_senders(position, features.neighbors)
            at_edges = position[:, None] if self._score == "receiver" else at_edges
            return jnp.broadcast_to(at_edges, shape), {}
        weights = _only("edges", {k: v for k, v in scalars.items() if v.ndim == 3}).popitem()[1]
        weights = weights.astype(jnp.float32)
        if self._score == "edge":
            return weights, {}
        at_nodes = {name: v for name, v in scalars.items() if v.ndim == 2 and name != POSITION}
        updated = _only("nodes", at_nodes)
        lengths = next(iter(updated.values())).astype(jnp.float32)
        return weights + at_senders(lengths, features.neighbors), updated

    @hk.transparent
    def _node_states(self, z: Array, attention: Array, own: Array, features: Features) -> Array:
        values = at_senders(Linear(self._hidden_size, name="value")(z), features.neighbors)
        received = (attention[..., None] * values).sum(axis=1)
        incoming = attention.sum(axis=1)
        outgoing = to_rows(attention, features.neighbors).sum(axis=2)
        flags = jnp.stack([(attention * own).sum(axis=1), incoming, outgoing], axis=-1)
        states = Linear(self._hidden_size, name="node")(received, z, flags)
        return LayerNorm(name="node_norm")(jax.nn.relu(states))

    @hk.transparent
    def _edge_states(self, z: Array, edges: Edges, attention: Array, own: Array, features: Features) -> Array:
        size = self._hidden_size
        backward = _reversed(attention, features)
        flags = jnp.stack([own, attention, backward], axis=-1)
        sender = at_senders(Linear(size, bias=None, name="edge_sender")(z), features.neighbors)
        receiver = Linear(size, bias=None, name="edge_receiver")(z)[:, None]
        states = Linear(size, name="edge")(*edges, flags) + sender + receiver
        return LayerNorm(name="edge_norm")(Linear(size, name="edge_out")(jax.nn.relu(states)))


def _both_directions(features: Features) -> Edges:
    """Features of the edges, and those of their reverses."""
    edges = features.edges
    if isinstance(edges, FactoredFeatures):
        return edges, dataclasses.replace(edges, values=_reversed(edges.values, features))
    return edges, _reversed(edges, features)


def _reversed(values: Array, features: Features) -> Array:
    """Values of the edges [B, N, N, ...] or [B, K, N, ...] at their reverses."""
    return to_rows(values, features.neighbors).swapaxes(1, 2)


def _own(features: Features, dtype: Any) -> Array:
    """1 for the edge of each node to itself, [1, N, N] or [B, K, N]."""
    if features.neighbors is None:
        return jnp.eye(features.nodes.shape[1], dtype=dtype)[None]
    return own_slots(features.neighbors).swapaxes(1, 2).astype(dtype)


def _normalized(numbers: Array, adjacency: Array) -> Array:
    """Numbers scaled to the range from 0 to 1 over the edges of the graph."""
    smallest = jnp.where(adjacency, numbers, jnp.inf).min(axis=(1, 2), keepdims=True)
    largest = jnp.where(adjacency, numbers, -jnp.inf).max(axis=(1, 2), keepdims=True)
    return (numbers - smallest) / jnp.maximum(largest - smallest, 1e-9)


def _only(place: str, scalars: dict[str, Array]) -> dict[str, Array]:
    if len(scalars) != 1:
        names = ", ".join(sorted(scalars)) or "none"
        raise ValueError(f"this score needs exactly one number at {place} besides positions, got {names}")
    return scalars


def _updated_scalars(
    updated: Mapping[str, Array], numbers: Array | None, attention: Array
) -> dict[str, Array]:
    """The numbers of receivers: those of the edges that they have chosen."""
    if numbers is None:
        return {}
    weights = attention.astype(jnp.float32)
    chosen = (weights * numbers).sum(axis=1)
    return {name: value * (1 - weights.sum(axis=1)) + chosen for name, value in updated.items()}
