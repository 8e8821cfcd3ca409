"""Selection of parameters by regular expressions that are searched for in their names.

The name of a parameter is `module/parameter`, e.g. `processor/mpnn/norm/scale` or `bfs/encode/pi_h_0/w`.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax


def parameter_name(path: Sequence[Any]) -> str:
    """Name `module/parameter` of the leaf at a path."""
    return "/".join(str(key.key) for key in path)


def parameter_names(params: Any) -> list[str]:
    """Names of all parameters, in leaf order."""
    return [parameter_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]


def compile_patterns(option: str, patterns: Sequence[str]) -> list[re.Pattern[str]]:
    """Compiles patterns.

    Args:
      option: name of the option that they come from, for messages.
      patterns: regular expressions.

    Raises:
      ValueError: if one is not a regular expression.
    """
    return [_compiled(option, pattern) for pattern in patterns]


def matches_any(patterns: Sequence[re.Pattern[str]], name: str) -> bool:
    """Returns whether a name matches any of the patterns."""
    return any(pattern.search(name) for pattern in patterns)


def matching_names(option: str, patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names that match any of the patterns.

    Args:
      option: name of the option that the patterns come from, for messages.
      patterns: regular expressions.
      names: names of parameters.

    Raises:
      ValueError: if a pattern is not a regular expression, or matches no name.
    """
    compiled = compile_patterns(option, patterns)
    for pattern in compiled:
        if not any(pattern.search(name) for name in names):
            raise ValueError(
                f"{option} pattern {pattern.pattern!r} matches no parameter; names are e.g. {list(names[:3])}"
            )
    return [name for name in names if matches_any(compiled, name)]


def _compiled(option: str, pattern: str) -> re.Pattern[str]:
    if not isinstance(pattern, str):
        raise ValueError(f"{option} pattern {pattern!r} is not a string")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{option} pattern {pattern!r} is not a regular expression: {error}") from None
