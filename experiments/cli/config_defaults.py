"""Configs that an older version wrote: keys that it did not know have the value that means what it did."""

from collections.abc import Mapping
from typing import Any

from absl import logging

from experiments.cli.build import OPEN_SECTIONS
from experiments.cli.run_kinds import find_kind

Config = Mapping[str, Any]

BEFORE: Config = {"training.grad_accumulation_steps": 1}
"""What runs did that do not know a key, where that is not the default of the key now."""


def complete(config: Config) -> dict[str, Any]:
    """The config with a value of each key that it lacks, saying which: as in `BEFORE`, or the default."""
    whole, added = add_missing_keys(config)
    if added:
        logging.warning(
            "the run's config is of an older version; taken for what it lacks: %s", ", ".join(added)
        )
    return whole


def add_missing_keys(config: Config) -> tuple[dict[str, Any], list[str]]:
    """The same config, and what was added, a text for each key."""
    return _filled(config, find_kind(config).usual().to_dict())


def _filled(config: Config, usual: Config, prefix: str = "") -> tuple[dict[str, Any], list[str]]:
    whole, added = dict(config), []
    for key, value in usual.items():
        if key not in config:
            whole[key] = BEFORE.get(f"{prefix}{key}", value)
            added.append(f"{prefix}{key}={whole[key]!r}")
        elif (
            isinstance(value, Mapping)
            and isinstance(config[key], Mapping)
            and f"{prefix}{key}" not in OPEN_SECTIONS
        ):
            whole[key], inner = _filled(config[key], value, f"{prefix}{key}.")
            added += inner
    return whole, added
