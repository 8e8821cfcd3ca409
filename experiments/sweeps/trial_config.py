"""The config file of a trial: JSON that `experiments.train` reads by `--config=THIS_FILE:PATH`."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from nar.reading import MAX_DEPTH, parse_json, read_text


def get_config(path: str) -> ConfigDict:
    """The config in a JSON file.

    Raises:
      ValueError: if the file cannot be read, or is not a config.
    """
    try:
        return ConfigDict(parse(read_text(path)))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def as_text(config: Mapping[str, Any]) -> str:
    """The text of the file for a config.

    Raises:
      ValueError: if a value is not a number, a string, None, or a list or dictionary of them.
    """
    return json.dumps(plain(config), indent=2) + "\n"


def parse(text: str) -> dict[str, Any]:
    """The config in the text of a file; lists become tuples.

    Raises:
      ValueError: if it is not a JSON object.
    """
    values = _with_tuples(parse_json(text))
    if not isinstance(values, dict):
        raise ValueError("a config must be a JSON object")
    return values


def plain(value: Any, key: str = "", depth: int = 0) -> Any:
    """A copy in which numbers and arrays of numpy are Python's, so that they can be written.

    Raises:
      ValueError: if something else is in it, or NaN, which does not equal itself when it is read again; or if
        it is nested too deeply to be read.
    """
    if depth >= MAX_DEPTH:
        raise ValueError(f"config key {key[:100]} has more than {MAX_DEPTH} levels")
    if isinstance(value, ConfigDict):
        value = value.to_dict()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ValueError(f"config key {key} has the key {name!r}, which is not a string")
        return {name: plain(one, f"{key}.{name}".strip("."), depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        return tuple(plain(one, key, depth + 1) for one in value)
    if isinstance(value, float) and value != value:
        raise ValueError(f"config key {key} must not be NaN")
    if value is not None and not isinstance(value, bool | int | float | str):
        raise ValueError(f"config key {key} must be a number, a string, or a list of them, got {value!r}")
    return value


def _with_tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_tuples(one) for name, one in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, list) else value
