"""Words of a command that describe its config: `--config=FILE` and `--config.KEY=VALUE`.

`ml_collections` parses them. Before that, `check_config_words` looks up the file and the keys, so that errors
name the nearest ones, and rewrites what `ml_collections` does not accept: new keys of sections without fixed
keys, such as `--config.data.problem.directed=True`, and integers such as `1e4`.
"""

import ast
import difflib
import importlib.util
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.cli.config_files import config_names
from nar.plugins import did_you_mean, unknown_name
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig

_FREE_SECTIONS = {
    key.path
    for config in (RunConfig(), TextRunConfig())
    for key in config.describe()
    if isinstance(key.value, Mapping)
}
"""Sections without fixed keys."""


def check_config_words(words: Sequence[str]) -> list[str]:
    """Checks the config file and the config keys of a command.

    Args:
      words: the command line.

    Returns:
      The words in a form that `ml_collections` parses; the same ones if there is no `--config`.

    Raises:
      ValueError: if there is no such file or key, or the value of an integer is none.
      Exception: of any type, if the file cannot be executed.
    """
    file = next((value for name, value in _flags(words) if name == "config" and value is not None), None)
    if file is None:
        return list(words)
    config = _read_config(file)
    result, dictionaries = list[str](), dict[str, dict[str, Any]]()
    rest = iter(words)
    for word in rest:
        name, _, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or not name.startswith("config."):
            result.append(word)
            continue
        path = name.removeprefix("config.")
        section = _free_section(path)
        if path == section and "=" in word:
            dictionaries[path] = _dictionary(path, value)
        elif section is not None:
            value = value if "=" in word else next(rest, "")
            entries = dictionaries.setdefault(section, _plain(_look_up(config, section)))
            _set(entries, path.removeprefix(f"{section}.").split("."), _parse(value))
        else:
            _check_key(config, path)
            result.append(_with_integer(word, config, path, value))
    return [*result, *(f"--config.{path}={entries!r}" for path, entries in dictionaries.items())]


def _flags(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Names of flags and their values, which may be the next word."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word.startswith("-"):
            name, separator, value = word.lstrip("-").partition("=")
            yield name, value if separator else following


def _read_config(file: str) -> Any:
    """The config of a file; what follows a colon is an argument of its `get_config`."""
    name, *arguments = file.split(":", 1)
    path = pathlib.Path(name)
    if not path.is_file():
        if path.name == name.removesuffix(".py"):  # a short name
            raise ValueError(f"--config: {unknown_name('config', name, config_names())}")
        folder = path.parent if path.parent.is_dir() else pathlib.Path("configs")
        others = sorted(str(other) for other in folder.glob("*.py"))
        near = difflib.get_close_matches(name, others, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; {folder} has: {', '.join(others) or 'none'}"
        raise ValueError(f"--config={file}: there is no such file{hint}")
    spec = importlib.util.spec_from_file_location("config_of_command", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"--config={file}: a config is a Python file with a function get_config")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_config"):
        raise ValueError(f"--config={file}: the file has no function get_config")
    return module.get_config(*arguments)


def _free_section(path: str) -> str | None:
    """The section without fixed keys that a path is, or is in."""
    parts = path.split(".")
    beginnings = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return next((beginning for beginning in beginnings if beginning in _FREE_SECTIONS), None)


def _look_up(config: Any, path: str) -> Any:
    """The value at a path; None if there is none."""
    for part in path.split("."):
        if not hasattr(config, "keys") or part not in config:
            return None
        config = config[part]
    return config


def _paths(config: Any, prefix: str = "") -> Iterator[str]:
    """All paths of a config that can be set."""
    for name in config:
        path = f"{prefix}{name}"
        yield path
        if hasattr(config[name], "keys") and path not in _FREE_SECTIONS:
            yield from _paths(config[name], f"{path}.")


def _check_key(config: Any, path: str) -> None:
    name = path.partition("[")[0]  # an entry of a tuple
    if name in (known := list(_paths(config))):
        return
    last = name.rpartition(".")[2]
    same_ending = sorted((other for other in known if other.rpartition(".")[2] == last), key=len)
    endings = {other.rpartition(".")[2]: other for other in known}
    near = difflib.get_close_matches(last, endings, n=1)
    if same_ending:
        hint = f"; did you mean {' or '.join(same_ending)}?"
    elif near and not did_you_mean(name, known):
        hint = f"; did you mean {endings[near[0]]}?"
    else:
        hint = did_you_mean(name, known) or "; docs/config.md has all keys"
    raise ValueError(f"--config.{path}: unknown config key {name!r}{hint}")


def _with_integer(word: str, config: Any, path: str, value: str) -> str:
    """The word with a value such as 1e4 written out, if the config has an integer there."""
    present = _look_up(config, path)
    if "=" not in word or not isinstance(present, int) or isinstance(present, bool):
        return word
    number = _parse(value)
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"--config.{path} must be an integer, such as {present}; got {value!r}")
    return f"--config.{path}={number}"


def _parse(value: str) -> Any:
    """A Python literal, or else the string itself; 1e4 is an integer."""
    try:
        parsed = ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return value
    is_round = isinstance(parsed, float) and parsed.is_integer() and "." not in value
    return int(parsed) if is_round else parsed


def _dictionary(path: str, value: str) -> dict[str, Any]:
    parsed = _parse(value)
    if not isinstance(parsed, dict):
        raise ValueError(f"--config.{path} must be a dictionary, such as {{'key': 1}}; got {value!r}")
    return parsed


def _plain(value: Any) -> dict[str, Any]:
    """A section as nested dictionaries of its own."""
    return {name: _plain(one) if hasattr(one, "keys") else one for name, one in (value or {}).items()}


def _set(entries: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Sets an entry of nested dictionaries."""
    for name in path[:-1]:
        inner = entries.get(name)
        entries[name] = inner if isinstance(inner, dict) else {}
        entries = entries[name]
    entries[path[-1]] = value
