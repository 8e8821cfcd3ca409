"""Transforms from raw traces to the traces that the network is trained on.

Each transform changes the spec and every batch consistently, in numpy. They follow Ibarz et al.
(arXiv 2209.11142, section 3 and appendix A).
"""

import dataclasses

import numpy as np

from nar.algorithms import Algorithm
from nar.kinds import register_kind
from nar.specs import Kind, Location, Probe, Spec, Stage
from nar.traces import TraceBatch
from nar.traces.neighbors import with_neighbors

MAX_FLOAT32 = float(np.finfo(np.float32).max)

REVERSED_SUFFIX = "_reversed"
"""Suffix of reversed pointers: a hint `pi_h` has a further hint `pi_h_reversed`."""

REVERSED_POINTER = register_kind(
    "reversed_pointer", like=Kind.MASK, locations=(Location.EDGE,), links={Location.EDGE: 0.5}
)
"""Kind of reversed pointers: a mask of edges that connects nodes above the same threshold as pointers. Other
masks that are fed back connect all pairs of which they are not certain."""

FIRST_SUFFIX = "_mask"
"""Suffix of first-node masks: a permutation `pred` becomes cyclic pointers `pred` and a mask `pred_mask`."""


@dataclasses.dataclass(frozen=True)
class Transforms:
    """The transforms to apply.

    Attributes:
      random_positions: replaces `pos` by sorted random numbers (one sorted run per string), so that a network
        cannot rely on their spacing, which depends on the size.
      fixed_hints_as_inputs: turns hints that never change into inputs: `pred_h` becomes `pred`.
      cyclic_permutations: turns `SHOULD_BE_PERMUTATION` outputs into a `PERMUTATION_POINTER`, decoded by
        Sinkhorn iterations, and a `MASK_ONE`; if False, they become plain pointers.
      reversed_pointers: adds a hint for each one that points from nodes: a mask of edges, 1 at (j, i) if i
        points at j (Hint-ReLIC, Bevilacqua et al. 2023, arXiv 2302.10258).
      kinds: pairs (kind, other kind of the same format): probes of the first become probes of the second, and
        so have its encoder, decoder, loss and score. Applied last.
      neighbor_lists: gives every batch the layout of `nar.traces.neighbors`, on which networks run sparse.

    Raises:
      ValueError: if two kinds do not have the same format.
    """

    random_positions: bool = True
    fixed_hints_as_inputs: bool = True
    cyclic_permutations: bool = True
    reversed_pointers: bool = False
    kinds: tuple[tuple[Kind, Kind], ...] = ()
    neighbor_lists: bool = False

    def __post_init__(self) -> None:
        for kind, other in self.kinds:
            if other.format != kind.format or not set(kind.locations) <= set(other.locations):
                raise ValueError(
                    f"kind {other.name!r} cannot replace {kind.name!r}: it has other values or locations"
                )

    def spec(self, algorithm: Algorithm) -> Spec:
        """Spec of the transformed traces, for which the network is built."""
        spec = algorithm.spec
        if self.fixed_hints_as_inputs:
            spec = _fixed_hints_spec(spec, algorithm.fixed_hints)
        if self.reversed_pointers:
            spec = _reversed_spec(spec)
        replaced = dict(self.kinds)
        return Spec(
            dataclasses.replace(probe, kind=replaced.get(probe.kind, probe.kind))
            for probe in _permutations_spec(spec, self.cyclic_permutations).values()
        )

    def apply(
        self, algorithm: Algorithm, batch: TraceBatch, uniforms: np.ndarray | None = None
    ) -> TraceBatch:
        """Applies the transforms to a batch.

        Args:
          algorithm: the algorithm of the traces.
          batch: raw traces, with or without outputs.
          uniforms: [B, N] numbers in [0, 1) for random positions; None keeps the positions, as in validation
            and test.

        Raises:
          ValueError: if an input is too large for float32, in which networks run, or the traces have no
            neighbor lists.
        """
        _check_float32(algorithm, batch)
        if self.random_positions and uniforms is not None:
            batch = random_positions(batch, uniforms)
        if self.fixed_hints_as_inputs:
            batch = _fixed_hints_batch(batch, algorithm.fixed_hints)
        if self.reversed_pointers:
            batch = _reversed_batch(algorithm.spec, batch)
        batch = _permutations_batch(algorithm.spec, batch, self.cyclic_permutations)
        if self.neighbor_lists and batch.neighbors is None:
            batch = with_neighbors(batch, self.spec(algorithm))
        return batch


def _check_float32(algorithm: Algorithm, batch: TraceBatch) -> None:
    for probe in algorithm.spec.inputs:
        if probe.kind.is_number:
            values = batch.inputs[probe.name]
            largest = max(values.max(initial=0), -values.min(initial=0))
            if not largest <= MAX_FLOAT32:
                raise ValueError(
                    f"{algorithm.name}: networks run in float32, so {probe.name} must contain numbers of "
                    f"magnitude at most {MAX_FLOAT32:g}, got {largest:g}: rescale them"
                )


# ---------------------------------------------------------------------------------------------------
# Positions


def random_positions(batch: TraceBatch, uniforms: np.ndarray) -> TraceBatch:
    """Replaces `pos` by random numbers that are sorted within each run; a run starts wherever `pos` is 0.

    Args:
      batch: traces with an input `pos`, [B, N].
      uniforms: [B, N] numbers in [0, 1).
    """
    pos = batch.inputs["pos"]
    run = np.cumsum(pos == 0, axis=1)
    # Sorting by (run, value) sorts within each run, since runs are numbered from left to right.
    order = np.lexsort((uniforms, run), axis=1)
    new_pos = np.take_along_axis(uniforms, order, axis=1).astype(pos.dtype)
    return dataclasses.replace(batch, inputs={**batch.inputs, "pos": new_pos})


# ---------------------------------------------------------------------------------------------------
# Hints that never change


def _input_name(hint: str) -> str:
    return hint.removesuffix("_h")


def _fixed_hints_spec(spec: Spec, fixed: tuple[str, ...]) -> Spec:
    def moved(probe: Probe) -> Probe:
        if probe.name not in fixed:
            return probe
        return dataclasses.replace(probe, name=_input_name(probe.name), stage=Stage.INPUT)

    return Spec(moved(probe) for probe in spec.values())


def _fixed_hints_batch(batch: TraceBatch, fixed: tuple[str, ...]) -> TraceBatch:
    moved = {_input_name(name): batch.hints[name][0] for name in fixed}
    kept = {name: value for name, value in batch.hints.items() if name not in fixed}
    return dataclasses.replace(batch, inputs={**batch.inputs, **moved}, hints=kept)


# ---------------------------------------------------------------------------------------------------
# Reversed pointers


def _is_reversed(probe: Probe) -> bool:
    return probe.stage is Stage.HINT and probe.location is Location.NODE and probe.kind.is_pointer


def _reversed_spec(spec: Spec) -> Spec:
    added = [
        Probe(probe.name + REVERSED_SUFFIX, Stage.HINT, Location.EDGE, REVERSED_POINTER)
        for probe in spec.hints
        if _is_reversed(probe)
    ]
    return Spec([*spec.values(), *added])


def _reversed_batch(spec: Spec, batch: TraceBatch) -> TraceBatch:
    if batch.neighbors is not None:
        raise ValueError("traces with neighbor lists have no reversed pointers")
    is_real = np.arange(batch.num_steps)[:, None] < batch.lengths
    added = {}
    for name, value in batch.hints.items():
        if _is_reversed(spec[name]):
            points = value[..., None, :] == np.arange(value.shape[-1])[:, None]
            added[name + REVERSED_SUFFIX] = (points & is_real[..., None, None]).astype(REVERSED_POINTER.dtype)
    return dataclasses.replace(batch, hints={**batch.hints, **added})


# ---------------------------------------------------------------------------------------------------
# Permutations


def _permutations_spec(spec: Spec, cyclic: bool) -> Spec:
    def parts(probe: Probe) -> tuple[Probe, ...]:
        if probe.kind is not Kind.SHOULD_BE_PERMUTATION:
            return (probe,)
        if not cyclic or probe.stage is not Stage.OUTPUT:
            return (dataclasses.replace(probe, kind=Kind.POINTER),)
        return (
            dataclasses.replace(probe, kind=Kind.PERMUTATION_POINTER),
            Probe(probe.name + FIRST_SUFFIX, probe.stage, Location.NODE, Kind.MASK_ONE),
        )

    return Spec(part for probe in spec.values() for part in parts(probe))


def _permutations_batch(spec: Spec, batch: TraceBatch, cyclic: bool) -> TraceBatch:
    outputs = dict(batch.outputs)
    for probe in spec.outputs:
        if probe.kind is Kind.SHOULD_BE_PERMUTATION and cyclic and probe.name in outputs:
            pointers, first = cyclic_predecessors(outputs[probe.name])
            outputs[probe.name], outputs[probe.name + FIRST_SUFFIX] = pointers, first
    return dataclasses.replace(batch, outputs=outputs)


def cyclic_predecessors(pointers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Converts a chain of predecessor pointers to a cyclic permutation and a mask of its first node.

    Args:
      pointers: [B, N]; each node points to its predecessor, the first node to itself.

    Returns:
      One-hot pointers [B, N, N] in which the first node points to the last, and the one-hot mask of the first
      node [B, N].
    """
    batch_size, num_nodes = pointers.shape
    one_hot = pointers[..., None] == np.arange(num_nodes)
    last = one_hot.sum(axis=1).argmin(axis=1)
    first = (pointers == np.arange(num_nodes)).argmax(axis=1)
    rows = np.arange(batch_size)
    one_hot[rows, first, first] = False
    one_hot[rows, first, last] = True
    is_first = first[:, None] == np.arange(num_nodes)
    return one_hot.astype(Kind.PERMUTATION_POINTER.dtype), is_first.astype(Kind.MASK_ONE.dtype)
