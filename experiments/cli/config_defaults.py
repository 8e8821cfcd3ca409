"""Defaults for keys that are missing from a config written by an older version."""

from collections.abc import Mapping
from typing import Any

from absl import logging

from experiments.cli.build import OPEN_SECTIONS
from experiments.cli.run_kinds import find_kind

Config = Mapping[str, Any]

LEGACY_VALUES: Config = {"training.grad_accumulation_steps": 1}
"""Key -> the value that older runs without the key used, where it differs from the present default."""


def complete(config: Config) -> dict[str, Any]:
    """Adds missing keys to a config, and logs a warning that lists them."""
    completed, added = add_missing_keys(config)
    if added:
        logging.warning(
            "the run's config was written by an older version; values used for its missing keys: %s",
            ", ".join(added),
        )
    return completed


def add_missing_keys(config: Config) -> tuple[dict[str, Any], list[str]]:
    """The config with missing keys added, from `LEGACY_VALUES` or the defaults, and a list of "key=value"."""
    return _add_missing(config, find_kind(config).default_config().to_dict())


def _add_missing(config: Config, defaults: Config, prefix: str = "") -> tuple[dict[str, Any], list[str]]:
    completed, added = dict(config), []
    for key, value in defaults.items():
        path = f"{prefix}{key}"
        if key not in config:
            completed[key] = LEGACY_VALUES.get(path, value)
            added.append(f"{path}={completed[key]!r}")
        elif isinstance(value, Mapping) and isinstance(config[key], Mapping) and path not in OPEN_SECTIONS:
            completed[key], inner = _add_missing(config[key], value, f"{path}.")
            added += inner
    return completed, added
