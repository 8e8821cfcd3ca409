"""The kinds of networks that one command trains: a config says by `kind` which it is of."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from ml_collections import ConfigDict

from configs import base, text_small
from experiments.cli.build import Config, Parts, assemble
from experiments.cli.build_text import TextParts, assemble_text
from nar.training import Devices

Of = TypeVar("Of", Parts, TextParts)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of networks.

    Attributes:
      assemble: (config, devices) -> its parts.
      usual: the config with every key that there is.
    """

    assemble: Callable[[Config, Devices | None], Any]
    usual: Callable[[], ConfigDict]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "graph": Kind(assemble, base.get_config),
        "text": Kind(assemble_text, text_small.get_config),
    }
)
"""By name. A config without a kind is one of a graph network."""


def find_kind(config: Config) -> Kind:
    """The kind of a config.

    Raises:
      ValueError: if it is unknown.
    """
    name = config.get("kind", "graph")
    if name not in KINDS:
        raise ValueError(f"unknown kind {name!r}; known: {', '.join(KINDS)}")
    return KINDS[name]


def assemble_kind(config: Config, devices: Devices | None = None) -> Any:
    """`Parts` or `TextParts` of a config.

    Raises:
      ValueError: if anything in it is not valid.
    """
    return find_kind(config).assemble(config, devices)


def graph_parts(parts: Any, path: Any) -> Parts:
    """The parts of a run, if it is one of a graph network.

    Raises:
      ValueError: if it is not.
    """
    return _checked(parts, Parts, f"{path} is a run of a language model: see experiments.evaluate_text")


def text_parts(parts: Any, path: Any) -> TextParts:
    """The parts of a run, if it is one of a language model.

    Raises:
      ValueError: if it is not.
    """
    return _checked(parts, TextParts, f"{path} is a run of a graph network: see experiments.evaluate")


def _checked(parts: Any, wanted: type[Of], complaint: str) -> Of:
    if not isinstance(parts, wanted):
        raise ValueError(complaint)
    return parts
