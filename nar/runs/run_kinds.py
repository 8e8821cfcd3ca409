"""Registry of run kinds: graph networks and language models, chosen by the config key `kind`."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from nar.runs.build import Config, Parts, assemble
from nar.runs.build_text import TextParts, assemble_text
from nar.runs.config import RunConfig
from nar.runs.schema import Section
from nar.runs.text_config import TextRunConfig
from nar.training import Devices

PartsT = TypeVar("PartsT", Parts, TextParts)


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
      assemble: (config, devices) -> components of the run.
      config: the class of its configs.
    """

    assemble: Callable[[Config, Devices | None], Any]
    config: type[Section]


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "graph": Kind(assemble, RunConfig),
        "text": Kind(assemble_text, TextRunConfig),
    }
)
"""Name -> kind. A config without the key `kind` describes a graph network."""


def find_kind(config: Config) -> Kind:
    """Looks up the kind of a config.

    Raises:
      ValueError: if the kind is unknown.
    """
    name = config.get("kind", "graph")
    if name not in KINDS:
        raise ValueError(f"unknown kind {name!r}; known: {', '.join(KINDS)}")
    return KINDS[name]


def assemble_kind(config: Config, devices: Devices | None = None) -> Any:
    """Builds the `Parts` or `TextParts` of a config.

    Raises:
      ValueError: if anything in the config is invalid.
    """
    return find_kind(config).assemble(config, devices)


def graph_parts(parts: Any, path: Any) -> Parts:
    """Returns `parts`, checked to be those of a graph network.

    Raises:
      ValueError: if the run is of another kind.
    """
    return _checked(parts, Parts, f"{path} is a run of a language model: see experiments.evaluate_text")


def text_parts(parts: Any, path: Any) -> TextParts:
    """Returns `parts`, checked to be those of a language model.

    Raises:
      ValueError: if the run is of another kind.
    """
    return _checked(parts, TextParts, f"{path} is a run of a graph network: see experiments.evaluate")


def _checked(parts: Any, expected: type[PartsT], message: str) -> PartsT:
    if not isinstance(parts, expected):
        raise ValueError(message)
    return parts
