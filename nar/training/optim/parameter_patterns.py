"""Parameters by regular expressions: a pattern means every parameter in whose name it is found.

The name of a parameter is `module/parameter`, as `processor/mpnn/norm/scale` or `bfs/encode/pi_h_0/w`.
"""

import re
from collections.abc import Sequence
from typing import Any

import jax


def parameter_name(path: Sequence[Any]) -> str:
    """`module/parameter`, of the path of a leaf."""
    return "/".join(str(key.key) for key in path)


def parameter_names(params: Any) -> list[str]:
    """Names of all parameters, in the order of the leaves."""
    return [parameter_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]


def compile_patterns(what: str, patterns: Sequence[str]) -> list[re.Pattern[str]]:
    """The patterns as regular expressions.

    Args:
      what: they are for, for messages.
      patterns: regular expressions.

    Raises:
      ValueError: if one is none.
    """
    return [_compiled(what, pattern) for pattern in patterns]


def matches_any(patterns: Sequence[re.Pattern[str]], name: str) -> bool:
    """Whether one of the patterns is found in a name."""
    return any(pattern.search(name) for pattern in patterns)


def matching_names(what: str, patterns: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those names in which a pattern is found.

    Raises:
      ValueError: if a pattern finds none, for then it is a mistake.
    """
    compiled = compile_patterns(what, patterns)
    for pattern in compiled:
        if not any(pattern.search(name) for name in names):
            raise ValueError(
                f"{what} pattern {pattern.pattern!r} finds no parameter; there are e.g. {list(names[:3])}"
            )
    return [name for name in names if matches_any(compiled, name)]


def _compiled(what: str, pattern: str) -> re.Pattern[str]:
    if not isinstance(pattern, str):
        raise ValueError(f"{what} pattern {pattern!r} is no string")
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{what} pattern {pattern!r} is no regular expression: {error}") from None
