"""Registry of algorithms by name: those of nar and those that users register."""

from collections.abc import Mapping
from types import MappingProxyType

from nar.algorithms.algorithm import Algorithm
from nar.plugins import load_attribute

_REGISTRY: dict[str, Algorithm] = {}

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(_REGISTRY)
"""Read-only view of the registry, name -> algorithm; `register` adds to it."""


def register(algorithm: Algorithm) -> None:
    """Registers a custom algorithm, so that it can be referred to by its name.

    Args:
      algorithm: the algorithm; registering the same object again has no effect.

    Raises:
      ValueError: if it is not an `Algorithm`, or if another algorithm is registered under its name.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"only an Algorithm can be registered, got {algorithm!r}")
    if _REGISTRY.setdefault(algorithm.name, algorithm) is not algorithm:
        raise ValueError(f"the name {algorithm.name!r} is taken by another algorithm")


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
    raise ValueError(f"unknown algorithm {name!r}; known: {', '.join(ALGORITHMS)}, or module:ATTRIBUTE")
