"""Traces on neighbor lists: sampled and recorded without an array of N² entries.

Recording is that of all algorithms, `nar.traces.recorder`, with the generator of
`nar.algorithms.on_lists` and without the probes of edges, which are the same at every step.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.algorithms.on_lists.registry import STEPS_ON_LISTS
from nar.problems.array_checks import positions
from nar.problems.large_graphs import EdgeList, check_family, draw_edge_list
from nar.problems.problem import Arguments, Problem
from nar.problems.random_numbers import draw_rounds
from nar.specs import Kind, Location, Probe, Spec
from nar.traces.neighbors import Neighbors, edge_list_neighbors, pointer_slots, points_at_slots
from nar.traces.recorder.record import collect
from nar.traces.sample import check_count, with_first_hints
from nar.traces.trace import Probes, TraceBatch

DEFAULT_FAMILY = "erdos_renyi"

Record = Callable[[Algorithm, Sequence[Arguments]], TraceBatch]
"""Recording of the instances of an algorithm: `collect`, or `record_first_step`."""


def sample_list_traces(
    name: str | Algorithm,
    size: int,
    count: int,
    seed: int,
    *,
    first: int = 0,
    family: str = DEFAULT_FAMILY,
    all_hints: bool = True,
    **parameters: Any,
) -> TraceBatch:
    """Traces `first` ... `first + count - 1` of an infinite series, with neighbor lists.

    Trace i depends only on (name, size, seed, i), the family and its parameters.

    Args:
      name: one of `STEPS_ON_LISTS`.
      size: number of nodes.
      count: number of traces.
      seed: an integer from 0 to 2**32 - 1.
      first: index of the first trace.
      family: one of `nar.problems.large_graphs.LARGE_FAMILIES`.
      all_hints: whether to keep the hints of all steps, rather than the first ones only, which takes the
        memory of one trace.
      **parameters: those of the family, see `draw_edge_list`; drawn as in SALSA-CLRS by default.

    Raises:
      ValueError: if the algorithm has no generator on neighbor lists, or another argument is invalid.
    """
    algorithm = check_list_request(name, size, seed, family, parameters)
    check_count("count", count, minimum=1)
    check_count("first", first, minimum=0)
    instances = []
    for index in range(first, first + count):
        random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, size, index])))
        weighted = algorithm.problem.uses_weights
        graph = draw_edge_list(random, size, family, weighted=weighted, **parameters)
        instances.append((graph, *(_DRAWS[name](random, size) for name in _further(algorithm))))
    keeps_all = all_hints or algorithm.spec.needs_all_steps
    return record_on_lists(algorithm, instances, collect if keeps_all else _collect_first_hints)


def _collect_first_hints(algorithm: Algorithm, instances: Sequence[Arguments]) -> TraceBatch:
    return with_first_hints(functools.partial(collect, algorithm), instances)


def check_list_request(
    name: str | Algorithm, size: int, seed: int, family: str, parameters: Mapping[str, Any]
) -> Algorithm:
    """The algorithm; raises ValueError if `sample_list_traces` cannot draw such traces."""
    algorithm = _find(name)
    check_count("size", size, minimum=1)
    if size > algorithm.problem.max_size:
        raise ValueError(f"size must be at most {algorithm.problem.max_size}, got {size}")
    check_count("seed", seed, minimum=0)
    check_family(size, family, parameters)
    return algorithm


def record_on_lists(
    name: str | Algorithm,
    instances: Sequence[Arguments],
    record: Record = collect,
) -> TraceBatch:
    """Traces on given graphs of one size, with neighbor lists.

    Args:
      name: one of `STEPS_ON_LISTS`.
      instances: B tuples of arguments, as returned by `Problem.read_edges`: an `EdgeList`, and the further
        arguments of the algorithm, such as a source.
      record: how the algorithm is recorded.

    Raises:
      ValueError: if the algorithm has no generator on neighbor lists.
    """
    algorithm = _find(name)
    lists, weights = edge_list_neighbors([graph for graph, *_ in instances])
    rows = [
        (index, weight, *further)
        for index, weight, (_, *further) in zip(lists.index.astype(np.int64), weights, instances, strict=True)
    ]
    batch = record(_on_lists(algorithm), rows)

    def slots(probes: Probes, exists: np.ndarray) -> Probes:
        return {name: _to_slots(algorithm.spec[name], x, lists, exists) for name, x in probes.items()}

    return dataclasses.replace(
        batch,
        inputs={probe.name: _input(probe, batch, weights, lists) for probe in algorithm.spec.inputs},
        hints=slots(batch.hints, np.arange(batch.num_steps)[:, None] < batch.lengths),
        outputs=slots(batch.outputs, np.ones(batch.batch_size, bool)),
        neighbors=lists,
    )


def record_in_layout(
    algorithm: Algorithm, instances: Sequence[Arguments], record: Record = collect
) -> TraceBatch:
    """Traces of instances of one size: with neighbor lists if their graphs are an `EdgeList` each."""
    if isinstance(instances[0][0], EdgeList):
        return record_on_lists(algorithm, instances, record)
    return record(algorithm, instances)


def runs_on_lists(algorithm: Algorithm) -> bool:
    """True if the algorithm has a generator on neighbor lists."""
    return algorithm.name in STEPS_ON_LISTS


def _find(name: str | Algorithm) -> Algorithm:
    algorithm = find_algorithm(name)
    if not runs_on_lists(algorithm):
        raise ValueError(
            f"{algorithm.name} has no generator on neighbor lists; known: {', '.join(STEPS_ON_LISTS)}"
        )
    return algorithm


def _further(algorithm: Algorithm) -> tuple[str, ...]:
    """Arguments beyond the graph."""
    return algorithm.problem.arguments[1:]


_DRAWS: Mapping[str, Callable[[np.random.RandomState, int], Any]] = {
    "s": lambda random, size: int(random.randint(size)),
    "numbers": draw_rounds,
}
"""Draws of further arguments by name: `(random, number of nodes) -> value`."""


class _Source(NamedTuple):
    pos: np.ndarray
    s: int


class _Graph(NamedTuple):
    pos: np.ndarray


def _probes_with_source(neighbors: np.ndarray, A: np.ndarray, s: int) -> _Source:
    return _Source(positions(len(A)), s)


def _probes_with_numbers(neighbors: np.ndarray, A: np.ndarray, numbers: np.ndarray) -> _Graph:
    return _Graph(positions(len(A)))


def _probes(neighbors: np.ndarray, A: np.ndarray) -> _Graph:
    return _Graph(positions(len(A)))


_PROBES: Mapping[tuple[str, ...], Callable[..., Any]] = {
    (): _probes,
    ("s",): _probes_with_source,
    ("numbers",): _probes_with_numbers,
}
"""Input probes that are not at edges, by the names of the further arguments."""


@functools.cache
def _on_lists(algorithm: Algorithm) -> Algorithm:
    """The algorithm as one on neighbor lists, without the probes of edges, for the recorder."""
    probes = _PROBES[_further(algorithm)]
    return dataclasses.replace(
        algorithm,
        name=f"{algorithm.name}_on_lists",
        spec=Spec(probe for probe in algorithm.spec.values() if probe.location is not Location.EDGE),
        # The recorder reads the names of the arguments, and checks none.
        problem=Problem(sample=lambda random, size: (), check=probes, probes=probes),
        steps=STEPS_ON_LISTS[algorithm.name],
        scaling=None,
        in_clrs30=False,
    )


def _input(probe: Probe, batch: TraceBatch, weights: np.ndarray, lists: Neighbors) -> np.ndarray:
    """An input by name; those of edges are the weights, and the mask of directed edges and self-loops."""
    if probe.location is not Location.EDGE:
        return batch.inputs[probe.name]
    if probe.kind is Kind.SCALAR:
        return weights.astype(probe.dtype)
    is_own = lists.index == np.arange(lists.index.shape[1])[:, None]
    return (((weights != 0) | is_own) & lists.mask).astype(probe.dtype)


def _to_slots(probe: Probe, value: np.ndarray, lists: Neighbors, exists: np.ndarray) -> np.ndarray:
    if not points_at_slots(probe):
        return value
    own = np.arange(value.shape[-1], dtype=value.dtype)
    return pointer_slots(probe, np.where(exists[..., None], value, own), lists)
