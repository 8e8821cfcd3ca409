"""Checks the declared `scaling` of an algorithm: its answers before and after such changes of numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.problems.problem import Arguments
from nar.problems.scaling import Change, unscale
from nar.specs import Kind, Probe
from nar.traces.recorder.record import collect
from nar.traces.trace import Trace

_FACTORS = (2.0**10, 2.0**-10)
_SHIFT = 2.0**12
_GRID = 2.0**-20
"""Numbers that are shifted are multiples of it, so that no shift rounds them."""

_Map = Callable[[str, Any], Any]
_TOLERANCE = 1e-9


def check_scaling(where: str, algorithm: Algorithm, size: int, instances: Sequence[Arguments]) -> None:
    """Checks that the outputs and hints of instances do not depend on the units of their numbers.

    Args:
      where: name of the check, for messages.
      algorithm: the algorithm.
      size: size of the instances.
      instances: sampled arguments of its problem.

    Raises:
      AssertionError: if an output or hint differs, or scaling never takes place; the message says why.
    """
    scaling, problem = algorithm.scaling, algorithm.problem
    if scaling is None:
        return
    ranges = problem.ranges(size, **problem.resolve_options(size, {}))
    for name in scaling.arguments:
        if name not in ranges:
            raise AssertionError(
                f"{where}: scaling never takes place, since problem.ranges has no range of {name!r}"
            )
    for index, arguments in enumerate(instances):
        before = dict(zip(problem.arguments, arguments, strict=True))
        if scaling.invariance != "factor":
            before |= {name: np.round(before[name] / _GRID) * _GRID for name in scaling.arguments}
        for text, factor, change in _changes(algorithm):
            after = before | {name: change(name, before[name]) for name in scaling.arguments}
            pair = [_checked(algorithm, before), _checked(algorithm, after)]
            if None not in pair:
                traces = [collect(algorithm, [one]).trace(0) for one in pair if one is not None]
                _compare(f"{where}: scaling: instance {index}, {text}", algorithm, traces, factor)


def _changes(algorithm: Algorithm) -> Iterator[tuple[str, float, _Map]]:
    """Changes that the declared invariance allows: description, factor of units of degree 1, and map."""
    scaling = algorithm.scaling
    assert scaling is not None
    names = ", ".join(scaling.arguments)
    for factor in _FACTORS:
        yield f"{names} times {factor:g}", factor, lambda name, value, factor=factor: value * factor
    if scaling.invariance == "order":
        yield f"{names} plus {_SHIFT:g}", 1.0, lambda name, value: value + _SHIFT
        yield f"{names} cubed", 1.0, lambda name, value: value**3
    if scaling.invariance == "motion":
        shifts = {name: _SHIFT / 2**place for place, name in enumerate(scaling.arguments)}
        text = ", ".join(f"{name} plus {shift:g}" for name, shift in shifts.items())
        yield text, 1.0, lambda name, value: value + shifts[name]


def _checked(algorithm: Algorithm, arguments: Mapping[str, Any]) -> Arguments | None:
    """The arguments in canonical types; None if the problem does not accept them."""
    values = {name: float(value) if np.ndim(value) == 0 else value for name, value in arguments.items()}
    whole = {name: arguments[name] for name in arguments if isinstance(arguments[name], int | np.integer)}
    try:
        return algorithm.problem.check(**{**values, **whole})
    except ValueError:
        return None


def _compare(what: str, algorithm: Algorithm, traces: Sequence[Trace], factor: float) -> None:
    scaling, (before, after) = algorithm.scaling, traces
    assert scaling is not None
    if before.length != after.length:
        raise AssertionError(
            f"{what}: {before.length} steps become {after.length}, so it is not invariant to this change"
        )
    change = Change(factor, {}, {})
    spec = algorithm.spec
    for stage, probes in (("outputs", spec.outputs), ("hints", (*spec.hints, *spec.answers))):
        expected, found = getattr(before, stage), unscale(scaling, change, getattr(after, stage))
        for probe in probes:
            if probe.name in found and not _is_same(probe, expected[probe.name], found[probe.name]):
                raise AssertionError(f"{what}: {_reason(algorithm, probe)}")


def _is_same(probe: Probe, one: np.ndarray, other: np.ndarray) -> bool:
    tolerance = _TOLERANCE if probe.kind.is_number else 0
    return bool(np.allclose(one, other, rtol=tolerance, atol=0, equal_nan=True))


def _reason(algorithm: Algorithm, probe: Probe) -> str:
    assert algorithm.scaling is not None
    invariance, noun = algorithm.scaling.invariance, f"{probe.stage.value} {probe.name!r}"
    if probe.kind not in (Kind.SCALAR, Kind.VECTOR):
        return f"the {noun} differs, so the algorithm does not have the declared invariance {invariance!r}"
    degree = algorithm.scaling.degrees[probe.name]
    return f"the {noun} does not grow by the factor to the power of {degree}, its degree in scaling.degrees"
