"""The table of all algorithms by name: what belongs to nar, and what users register."""

from collections.abc import Mapping
from types import MappingProxyType

from nar.algorithms.algorithm import Algorithm
from nar.plugins import load_attribute

_TABLE: dict[str, Algorithm] = {}

ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(_TABLE)
"""Name -> algorithm, a view that cannot be written to; see `register`."""


def register(algorithm: Algorithm) -> None:
    """Enters an algorithm of your own under its name, so that everything by name works with it.

    Args:
      algorithm: what to enter; to enter the same one again changes nothing.

    Raises:
      ValueError: if it is no `Algorithm`, or if its name is taken by another one.
    """
    if not isinstance(algorithm, Algorithm):
        raise ValueError(f"only an Algorithm can be registered, got {algorithm!r}")
    if _TABLE.setdefault(algorithm.name, algorithm) is not algorithm:
        raise ValueError(f"the name {algorithm.name!r} is taken by another algorithm")


def find_algorithm(name: str | Algorithm) -> Algorithm:
    """The algorithm of this name.

    Args:
      name: of `ALGORITHMS`; or `module:ATTRIBUTE`, which imports the module and registers what it finds; or
        an algorithm, which is returned as it is.

    Raises:
      ValueError: if there is none; the message lists the known ones.
    """
    if isinstance(name, Algorithm):
        return name
    if isinstance(name, str) and name in ALGORITHMS:
        return ALGORITHMS[name]
    if isinstance(name, str) and ":" in name:
        algorithm = load_attribute(name, "algorithm", lambda found: isinstance(found, Algorithm))
        register(algorithm)
        return algorithm
    raise ValueError(f"unknown algorithm {name!r}; known: {', '.join(ALGORITHMS)}, or module:ATTRIBUTE")
