"""Sampling traces by index, and the canonical splits of CLRS-30."""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.plugins import Registry
from nar.problems.problem import Arguments, Random
from nar.specs import Location
from nar.traces.cache import load_or_make
from nar.traces.memory import check_memory
from nar.traces.recorder.array_shapes import ArraySpecs, sample_array_shapes
from nar.traces.recorder.record import can_compile_samples, collect, collect_samples
from nar.traces.trace import Probes, Trace, TraceBatch, concatenate

_GROUP_BYTES = 2**26
"""Hints that are held at once while traces are recorded of which only the first hints are kept."""


def run_algorithm(name: str | Algorithm, /, *arguments: Any, **named_arguments: Any) -> Trace:
    """Runs an algorithm on a given problem and returns its trace.

    Args:
      name: one of `nar.ALGORITHMS`, `module:ATTRIBUTE`, or an `Algorithm` (the same for all functions below).
      *arguments: positional arguments of the algorithm.
      **named_arguments: keyword arguments; `nar.ALGORITHMS[name].problem.arguments` lists the names. A graph
        `A` may be given as `matrix=...` or `edges=...`, or as `A=...` in any form that is clear: a matrix,
        tuples (i, j) or (i, j, weight), a graph of networkx or igraph, a sparse matrix, a data frame, or a
        dictionary from nodes to neighbors. Nodes are 0 ... N - 1 or have labels, by which arguments name
        them, too (`s="b"`). `nodes` or `num_nodes` adds nodes without edges; `weight` names the attribute
        or column with the weights; `directed` determines whether listed edges are directed.

    Returns:
      The trace. Its `nodes` are the labels by position, and `trace.by_node("pi")` is an output by label.

    Raises:
      ValueError: if the algorithm is unknown or cannot run on these arguments.
    """
    algorithm = find_algorithm(name)
    try:
        instance = algorithm.problem.read(*arguments, **named_arguments)
    except ValueError as error:
        raise ValueError(f"{algorithm.name}: {error}") from None
    trace = collect(algorithm, [instance.arguments]).trace(0)
    return dataclasses.replace(trace, nodes=instance.nodes)


def sample_traces(
    name: str | Algorithm,
    size: int,
    count: int,
    seed: int,
    *,
    first: int = 0,
    wait_for_compilation: bool = True,
    **problem_options: Any,
) -> TraceBatch:
    """Traces `first` ... `first + count - 1` of the infinite series of this algorithm, size and seed.

    Trace i depends only on (name, size, seed, i) and the options, so that any sample can be reproduced and a
    run can resume at any step.

    Args:
      name: one of `nar.ALGORITHMS`.
      size: number of nodes (`segments_intersect` always has four).
      count: number of traces.
      seed: any integer.
      first: index of the first trace.
      wait_for_compilation: numba compiles an algorithm on first use. If False, the same traces may be
        recorded in plain Python meanwhile, while a thread compiles for later calls.
      **problem_options: options of the problem; `nar.ALGORITHMS[name].problem.options` lists them.

    Returns:
      A batch of `count` traces, in order.

    Raises:
      ValueError: if the algorithm is unknown, or the size, the count or an option is invalid.
    """
    algorithm, options = _check_request(name, size, count, problem_options)
    if not _is_integer(seed):
        raise ValueError(f"seed must be an integer, got {seed!r}")
    if not _is_integer(first) or not 0 <= first < 2**64 - int(count):
        raise ValueError(f"first must be an integer from 0 to 2**64 - 1 - count, got {first!r}")
    key = _series_key(algorithm.name, size, seed)
    if can_compile_samples(algorithm, options):
        return collect_samples(
            algorithm,
            int(size),
            options,
            key,
            int(first),
            int(count),
            wait_for_compilation=wait_for_compilation,
        )
    sample = algorithm.problem.sample
    streams = _random_streams(key, int(first), int(count))
    return collect(algorithm, [sample(random, int(size), **options) for random in streams])


def zero_traces(name: str | Algorithm, size: int, count: int, **problem_options: Any) -> TraceBatch:
    """Traces of two steps in the shapes that `sample_traces` returns; no algorithm runs.

    All values are zero, but pointers of nodes, which point to the node itself. Arguments and errors are those
    of `sample_traces`.
    """
    algorithm, options = _check_request(name, size, count, problem_options)
    shapes, spec = sample_array_shapes(algorithm, int(size), options), algorithm.spec

    def zeros(names: Iterable[str], specs: ArraySpecs, *leading: int) -> Probes:
        values = {}
        for name, (shape, dtype) in zip(names, specs, strict=True):
            values[name] = np.zeros((*leading, *shape), dtype)
            if spec[name].location is Location.NODE and spec[name].kind.is_pointer:
                values[name][:] = np.arange(*shape)
        return values

    return TraceBatch(
        inputs=zeros(shapes.input_names, shapes.inputs, count),
        hints=zeros((probe.name for probe in spec.per_step), shapes.hints, 2, count),
        outputs=zeros((probe.name for probe in spec.outputs), shapes.outputs, count),
        lengths=np.full(count, 2, np.int32),
    )


def _series_key(name: str, size: int, seed: int) -> int:
    text = f"{name}/{int(size)}/{int(seed)}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def _random_streams(key: int, first: int, count: int) -> Iterator[Random]:
    """Random streams of a range of traces (Philox: Salmon et al. 2011), for samplers that are not compiled.

    Yields one generator, reset to the start of each stream, since creating a generator is slower.
    """
    bits = np.random.Philox(key=np.array([key, 0], np.uint64))
    random, start = Random(bits), bits.state
    for index in range(first, first + count):
        start["state"]["key"][1] = index
        bits.state = start
        yield random


# ---------------------------------------------------------------------------------------------------
# CLRS-30


@dataclasses.dataclass(frozen=True)
class Split:
    """One split of CLRS-30: `count` traces of `size` nodes, sampled sequentially from one seed.

    Attributes:
      count: number of traces.
      size: number of nodes.
      seed: seed of the sampler.
      multiplied: True if the count is multiplied by `Algorithm.clrs30_multiplier`.
    """

    count: int
    size: int
    seed: int
    multiplied: bool

    def origin(self, algorithm: Algorithm) -> dict[str, Any]:
        """Arguments of `clrs30_sample` for one algorithm: size, count and seed."""
        count = self.count * (algorithm.clrs30_multiplier if self.multiplied else 1)
        return {"size": self.size, "count": count, "seed": self.seed}


CLRS30_SPLITS: Registry[Split] = Registry(
    "split",
    {
        "train": Split(count=1000, size=16, seed=1, multiplied=False),
        "val": Split(count=32, size=16, seed=2, multiplied=True),
        "test": Split(count=32, size=64, seed=3, multiplied=True),
    },
    path="",
)
"""The canonical splits (arXiv 2205.15659, section 3)."""


def clrs30_split(
    name: str | Algorithm, split: str, *, cache: bool = True, wait_for_compilation: bool = True
) -> TraceBatch:
    """A canonical split of CLRS-30: generated locally, equal to the published data.

    Args:
      name: one of `nar.ALGORITHMS`.
      split: "train", "val" or "test".
      cache: if True, the split is cached on disk; see `nar.traces.cache`.
      wait_for_compilation: as in `sample_traces`.

    Raises:
      ValueError: if the algorithm or the split is unknown (the message lists the known ones), or if the
        algorithm is not part of CLRS-30.
    """
    algorithm = find_algorithm(name)
    if not algorithm.in_clrs30:
        raise ValueError(
            f"{name} is not one of the thirty algorithms of CLRS-30 and has no canonical splits; "
            "use sample_traces"
        )
    origin = CLRS30_SPLITS[split].origin(algorithm)

    def make() -> TraceBatch:
        return clrs30_sample(algorithm, **origin, wait_for_compilation=wait_for_compilation)

    if not cache:
        return make()
    return load_or_make(algorithm, f"{algorithm.name}-{split}", make, clrs30_split=split, **origin)


def clrs30_sample(
    name: str | Algorithm,
    size: int,
    count: int,
    seed: int,
    *,
    all_hints: bool = True,
    wait_for_compilation: bool = True,
    **problem_options: Any,
) -> TraceBatch:
    """Traces sampled sequentially from one random stream, like those of dm-clrs's samplers.

    Equal to `clrs.build_sampler(name, count, length=size, seed=seed, **problem_options)` of dm-clrs 2.0.3.
    Arguments and errors are those of `sample_traces`; the seed must be valid for `numpy.random.RandomState`.
    With `all_hints=False` only the first hints are kept, [1, B, ...], and memory is that of a few traces, but
    not for algorithms with streams or answers, whose values are needed at every step.
    """
    algorithm, options = _check_request(name, size, count, problem_options)
    check_canonical_seed(seed)
    random = Random(seed)
    sample = algorithm.problem.sample
    instances: list[Arguments] = [sample(random, int(size), **options) for _ in range(count)]
    record = functools.partial(collect, algorithm, wait_for_compilation=wait_for_compilation)
    if all_hints or algorithm.spec.needs_all_steps:
        return record(instances)
    return with_first_hints(record, instances)


def with_first_hints(
    record: Callable[[Sequence[Arguments]], TraceBatch], instances: Sequence[Arguments]
) -> TraceBatch:
    """Records traces in groups of limited memory, and keeps the first hints only."""
    batches, start, count = [], 0, 1
    while start < len(instances):
        batch = record(instances[start : start + count])
        start += count
        trace_bytes = sum(value.nbytes for value in batch.hints.values()) / batch.batch_size
        count = max(1, int(_GROUP_BYTES // trace_bytes))
        first_hints = {name: value[:1].copy() for name, value in batch.hints.items()}
        batches.append(dataclasses.replace(batch, hints=first_hints))
    return concatenate(batches)


def _check_request(
    name: str | Algorithm, size: int, count: int, problem_options: Mapping[str, Any]
) -> tuple[Algorithm, dict[str, Any]]:
    """Validates a request; returns the algorithm and all options of its problem, in the sampler's order."""
    algorithm = find_algorithm(name)
    try:
        options = algorithm.problem.resolve_options(size, problem_options)
    except ValueError as error:
        raise ValueError(f"{algorithm.name}: {error}") from None
    check_count("count", count, minimum=1)
    check_memory(algorithm.name, algorithm.spec, int(size), int(count))
    return algorithm, options


def check_canonical_seed(seed: int) -> None:
    """Raises ValueError unless the seed is valid for `numpy.random.RandomState`."""
    if not _is_integer(seed) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer from 0 to 2**32 - 1, got {seed!r}")


def check_count(name: str, count: int, *, minimum: int) -> None:
    """Raises ValueError unless `count` is an integer of at least `minimum`."""
    if not _is_integer(count) or count < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}, got {count!r}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
