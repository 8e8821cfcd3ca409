"""Registry of algorithms by name: those of nar and those that users register."""

import dataclasses
import types
import warnings
from typing import Any

from nar.algorithms.algorithm import Algorithm
from nar.plugins import Registry, load_attribute, unknown_name

_REGISTRY: dict[str, Algorithm] = {}

ALGORITHMS: Registry[Algorithm] = Registry("algorithm", _REGISTRY)
"""Read-only view of the registry, name -> algorithm; `register` adds to it."""


def register(algorithm: Algorithm) -> None:
    """Registers a custom algorithm, so that it can be referred to by its name.

    A cell of a notebook may be run again: an algorithm of the same definition replaces the registered one,
    and so does, with a warning, another one if both are defined in `__main__`.

    Args:
      algorithm: the algorithm; registering the same object again has no effect.

    Raises:
      ValueError: if it is not an `Algorithm`, or if another algorithm is registered under its name.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"only an Algorithm can be registered, got {algorithm!r}")
    registered = _REGISTRY.setdefault(algorithm.name, algorithm)
    if registered is algorithm:
        return
    from nar.algorithms import BUILT_IN  # at the top of this module it would be a circular import

    if registered in BUILT_IN or not (_same(registered, algorithm) or _in_main(registered, algorithm)):
        raise ValueError(f"the name {algorithm.name!r} is taken by another algorithm")
    if not _same(registered, algorithm):
        warnings.warn(f"another definition of {algorithm.name!r} replaces the registered one", stacklevel=2)
    _REGISTRY[algorithm.name] = algorithm


def _in_main(*algorithms: Algorithm) -> bool:
    return all(algorithm.steps.__module__ == "__main__" for algorithm in algorithms)


def _same(one: Any, other: Any) -> bool:
    """True if two objects are equal, where functions are compared by their code."""
    if isinstance(one, types.FunctionType) and isinstance(other, types.FunctionType):
        return (one.__module__, one.__code__, one.__defaults__) == (
            other.__module__,
            other.__code__,
            other.__defaults__,
        ) and one.__closure__ == other.__closure__
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        fields = [field.name for field in dataclasses.fields(one)]
        return all(_same(getattr(one, field), getattr(other, field)) for field in fields)
    return bool(one == other)


def find_algorithm(name: str | Algorithm) -> Algorithm:
    """Looks up an algorithm by name.

    Args:
      name: a key of `ALGORITHMS`; or `module:ATTRIBUTE`, which is imported and registered; or an algorithm,
        which is returned unchanged.

    Raises:
      ValueError: if there is no such algorithm; the message lists the known ones.
    """
    if isinstance(name, Algorithm):
        return name
    if isinstance(name, str) and name in ALGORITHMS:
        return ALGORITHMS[name]
    if isinstance(name, str) and ":" in name:
        algorithm = load_attribute(name, "algorithm", lambda value: isinstance(value, Algorithm))
        register(algorithm)
        return algorithm
    raise ValueError(unknown_name("algorithm", name, ALGORITHMS, or_else="module:ATTRIBUTE"))
