"""Validation of new algorithms: checks of their contract."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.kinds import KindTable
from nar.problems.problem import Arguments
from nar.specs import MASKED, Kind, Probe
from nar.traces.check_scaling import check_scaling
from nar.traces.recorder.record import collect
from nar.traces.sample import run_algorithm, sample_traces
from nar.traces.trace import Trace, TraceBatch

_TOLERANCE = 1e-9
_COUNT = 8
"""Traces sampled per size."""


def check_algorithm(algorithm: str | Algorithm, sizes: Sequence[int] = (2, 5, 9, 16), seed: int = 0) -> None:
    """Checks everything that nar requires of an algorithm, except that its results are correct.

    Traces must match the spec in names, dtypes, shapes and values of each kind. They must depend only on
    (size, seed, index), and be the same compiled and in plain Python, in a batch and alone, for sampled and
    for given arguments. Arguments must not be modified, and fixed hints must not change. Changes of numbers
    that `algorithm.scaling` declares must leave outputs and hints as they are.

    Args:
      algorithm: the algorithm to check, which does not have to be registered, or its name.
      sizes: problem sizes; those below the problem's `min_size` are raised to it.
      seed: seed of the problems.

    Raises:
      ValueError: if the algorithm cannot run, since spec, problem and steps do not match.
      AssertionError: if a check fails; the message names it.
    """
    algorithm = find_algorithm(algorithm)
    _check_requests(algorithm, seed)
    for size in sorted({max(size, algorithm.problem.min_size) for size in (*sizes, 0)}):
        where = f"{algorithm.name}, size {size}"
        batch = sample_traces(algorithm, size, _COUNT, seed)
        _check_shapes(where, algorithm, batch)
        _check_values(where, algorithm, batch)
        _check_padding(where, batch)
        _check_fixed_hints(where, algorithm, batch)
        _check_own_functions(where, algorithm, batch)
        _check_reproducibility(where, algorithm, size, seed, batch)
        instances = _sample_instances(algorithm, size, seed)
        _check_given_arguments(where, algorithm, instances)
        check_scaling(where, algorithm, size, instances)


def _require(condition: Any, message: str) -> None:
    if not condition:
        raise AssertionError(message)


# ---------------------------------------------------------------------------------------------------
# Requests


def _check_requests(algorithm: Algorithm, seed: int) -> None:
    name, problem = algorithm.name, algorithm.problem
    _require("pos" in algorithm.spec, f"{name}: the spec needs the input 'pos'")
    spec = algorithm.spec
    _require(spec.per_step, f"{name}: the spec needs a hint, or another probe with a value at every step")
    _require(spec.outputs or spec.answers, f"{name}: the spec needs an output or an answer")
    size = max(problem.min_size, 4)
    plain = sample_traces(algorithm, size, 2, seed)
    _check_reproduced(
        f"{name}: options given as their defaults", plain, algorithm, size, 2, seed, **problem.options
    )


# ---------------------------------------------------------------------------------------------------
# Shapes and values


def _values(algorithm: Algorithm, batch: TraceBatch) -> Iterator[tuple[Probe, np.ndarray]]:
    """Each probe with its values without padding steps, [M, ...]."""
    not_padding = np.arange(batch.num_steps)[:, None] < batch.lengths
    for probe in algorithm.spec.values():
        value = {**batch.inputs, **batch.hints, **batch.outputs}[probe.name]
        yield probe, value[not_padding] if probe.stage.is_per_step else value


def _check_shapes(where: str, algorithm: Algorithm, batch: TraceBatch) -> None:
    num_nodes = batch.inputs["pos"].shape[1]
    for probe, value in _values(algorithm, batch):
        shape = probe.shape(num_nodes)
        _require(
            value.dtype == probe.dtype and value.shape[1:] == shape,
            f"{where}: {probe.name} must be {probe.dtype} {shape}, got {value.dtype} {value.shape[1:]}",
        )


def _check_values(where: str, algorithm: Algorithm, batch: TraceBatch) -> None:
    num_nodes = batch.inputs["pos"].shape[1]
    for probe, value in _values(algorithm, batch):
        message, is_valid = RULES[probe.kind]
        _require(is_valid(value, num_nodes), f"{where}: {probe.name} is a {probe.kind.name}: {message}")


def _is_finite(value: np.ndarray, num_nodes: int) -> bool:
    del num_nodes
    return bool(np.isfinite(value).all())


def _is_mask(value: np.ndarray, num_nodes: int) -> bool:
    del num_nodes
    return bool(np.isin(value, (0, 1, MASKED)).all())


def _is_one_hot(value: np.ndarray, num_nodes: int) -> bool:
    return _is_mask(value, num_nodes) and bool((np.abs(value).sum(axis=-1) == 1).all())


def _is_pointer(value: np.ndarray, num_nodes: int) -> bool:
    return bool(((value >= 0) & (value < num_nodes)).all())


def _is_chain(value: np.ndarray, num_nodes: int) -> bool:
    """True if the pointers of each row form a chain through all nodes that ends in a self-loop."""
    return _is_pointer(value, num_nodes) and all(_depths(row) == list(range(num_nodes)) for row in value)


def _depths(pointers: np.ndarray) -> list[int]:
    """Sorted distances of all nodes to a node that points to itself; -1 where none is reachable."""
    depth = np.where(pointers == np.arange(len(pointers)), 0, -1)
    for _ in pointers:
        depth = np.where((depth < 0) & (depth[pointers] >= 0), depth[pointers] + 1, depth)
    return sorted(depth.tolist())


_Rule = tuple[str, Callable[[np.ndarray, int], bool]]

RULES = KindTable[_Rule](
    "rule",
    {
        Kind.SCALAR: ("numbers must be finite", _is_finite),
        Kind.VECTOR: ("numbers must be finite", _is_finite),
        Kind.CATEGORICAL: ("one class each, or -1 for none", _is_one_hot),
        Kind.MASK: ("each entry must be 0, 1 or -1", _is_mask),
        Kind.MASK_ONE: ("one node must be marked", _is_one_hot),
        Kind.POINTER: ("each must be a node, 0 to N - 1", _is_pointer),
        Kind.SHOULD_BE_PERMUTATION: ("predecessors must form one chain of all nodes", _is_chain),
        Kind.PERMUTATION_POINTER: ("rows must be one-hot", _is_one_hot),
    },
)
"""Valid values by kind: their description, and a predicate of values [M, ...] and N."""


def _check_padding(where: str, batch: TraceBatch) -> None:
    ended = np.arange(batch.num_steps)[:, None] >= batch.lengths
    for name, hint in batch.hints.items():
        _require(not hint[ended].any(), f"{where}: {name} must be 0 after the end of a trace")


def _check_fixed_hints(where: str, algorithm: Algorithm, batch: TraceBatch) -> None:
    for index in range(batch.batch_size):
        hints = batch.trace(index).hints
        for name in algorithm.fixed_hints:
            fixed = (hints[name] == hints[name][:1]).all()
            _require(fixed, f"{where}: {name} is a fixed hint, but changes in trace {index}")


def _check_own_functions(where: str, algorithm: Algorithm, batch: TraceBatch) -> None:
    """Checks that the algorithm's own `valid` and `score` accept its answers."""
    for index in range(batch.batch_size):
        trace = batch.trace(index)
        for name, best in (("valid", True), ("score", 1)):
            function = getattr(algorithm, name)
            if function is not None:
                _check_result(f"{where}: {name} of the true outputs", function, trace, best)


def _check_result(what: str, function: Callable[..., Any], trace: Trace, best: Any) -> None:
    try:
        result = function(trace.inputs, trace.outputs, trace.outputs)
    except Exception as error:
        raise AssertionError(f"{what} must be {best}, got {type(error).__name__}: {error}") from error
    _require(result == best, f"{what} must be {best}, got {result!r}")


# ---------------------------------------------------------------------------------------------------
# Reproducibility


def _check_reproducibility(where: str, algorithm: Algorithm, size: int, seed: int, batch: TraceBatch) -> None:
    _check_reproduced(f"{where}: sampled twice", batch, algorithm, size, _COUNT, seed)
    for index in range(_COUNT):
        alone = sample_traces(algorithm, size, 1, seed, first=index).trace(0)
        _compare_traces(f"{where}: trace {index} alone and in a batch", alone, batch.trace(index))


def _check_reproduced(
    what: str, batch: TraceBatch, algorithm: Algorithm, *request: Any, **options: Any
) -> None:
    again = sample_traces(algorithm, *request, **options)
    for index in range(batch.batch_size):
        _compare_traces(what, again.trace(index), batch.trace(index))


def _sample_instances(algorithm: Algorithm, size: int, seed: int) -> list[Arguments]:
    random = np.random.RandomState(seed % 2**32)
    return [algorithm.problem.sample(random, size) for _ in range(_COUNT)]


def _check_given_arguments(where: str, algorithm: Algorithm, instances: Sequence[Arguments]) -> None:
    """Compares runs on sampled and on given arguments, compiled and in plain Python; none may modify them."""
    for arguments in instances:
        before = [np.copy(argument) for argument in arguments]
        compiled = collect(algorithm, [arguments]).trace(0)
        given = run_algorithm(algorithm, **_by_keyword(algorithm, arguments))
        plain = collect(algorithm, [arguments], compiled=False).trace(0)
        _compare_traces(f"{where}: sampled and given arguments", compiled, given)
        _compare_traces(f"{where}: compiled and plain Python", compiled, plain)
        for name, argument, copy in zip(algorithm.problem.arguments, arguments, before, strict=True):
            _require(np.array_equal(argument, copy), f"{where}: the run modifies the argument {name}")


def _by_keyword(algorithm: Algorithm, arguments: Arguments) -> dict[str, Any]:
    named = dict(zip(algorithm.problem.arguments, arguments, strict=True))
    if algorithm.problem.directed is not None:
        named["matrix"] = named.pop("A")
    return named


def _compare_traces(what: str, one: Trace, other: Trace) -> None:
    for stage in ("inputs", "hints", "outputs"):
        for name, value in getattr(one, stage).items():
            expected = getattr(other, stage)[name]
            same = value.shape == expected.shape and np.allclose(
                value, expected, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True
            )
            _require(same, f"{what}: {name} differs")
