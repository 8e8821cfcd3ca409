"""Names in a config: those of plug-ins, `module:ATTRIBUTE`, and all others."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from nar.plugins import split_name


def plugin_names(value: Any, excluded: Collection[str] = (), key: str = "") -> Iterator[tuple[str, str]]:
    """Pairs (config key, name) of all strings of the form `module:ATTRIBUTE`; see `strings`."""
    return ((at, name) for at, name in strings(value, excluded, key) if split_name(name))


def strings(value: Any, excluded: Collection[str] = (), key: str = "") -> Iterator[tuple[str, str]]:
    """Pairs (config key, text) of all strings, including keys of dictionaries without fixed keys.

    Args:
      value: a config as nested dictionaries, or a value in it.
      excluded: config keys that are skipped, with what is below them.
      key: the config key of `value`; empty for a config.
    """
    if key in excluded:
        return
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            below = f"{key}.{name}" if key else str(name)
            yield from strings(str(name), excluded, below)
            yield from strings(one, excluded, below)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from strings(one, excluded, key)
