"""Optimisers: gradient clipping, Adam, frozen parameters."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import optax

from nar.model import Params


def make_optimiser(
    learning_rate: float, gradient_clip: float = 0.0, freeze: Sequence[str] = ()
) -> optax.GradientTransformation:
    """Adam behind a clip of the global gradient norm.

    Args:
      learning_rate: of Adam.
      gradient_clip: largest norm of the gradients together; 0 for none.
      freeze: regular expressions; parameters in whose name (`module/parameter`) one of them is found stay as
        they are.

    Raises:
      ValueError: if a number or a pattern is not valid.
    """
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be positive, got {learning_rate}")
    if not gradient_clip >= 0:
        raise ValueError(f"gradient_clip must not be negative, got {gradient_clip}")
    clip = [optax.clip_by_global_norm(gradient_clip)] if gradient_clip else []
    optimiser = optax.chain(*clip, optax.adam(learning_rate))
    if not freeze:
        return optimiser
    patterns = [_compiled(pattern) for pattern in freeze]

    def labels(params: Params) -> Params:
        return jax.tree_util.tree_map_with_path(
            lambda path, leaf: "frozen" if _found(patterns, parameter_name(path)) else "trained", params
        )

    return optax.multi_transform({"trained": optimiser, "frozen": optax.set_to_zero()}, labels)


def frozen_names(params: Params, freeze: Sequence[str]) -> list[str]:
    """Names of the parameters that the patterns freeze.

    Raises:
      ValueError: if a pattern finds none, for then it is a mistake.
    """
    names = [parameter_name(path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    for pattern in freeze:
        if not _found([_compiled(pattern)], *names):
            raise ValueError(f"freeze pattern {pattern!r} finds no parameter; there are e.g. {names[:3]}")
    return [name for name in names if _found([_compiled(pattern) for pattern in freeze], name)]


def parameter_name(path: Sequence[Any]) -> str:
    """`module/parameter`."""
    return "/".join(str(key.key) for key in path)


def _found(patterns: Sequence[re.Pattern[str]], *names: str) -> bool:
    return any(pattern.search(name) for pattern in patterns for name in names)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"freeze pattern {pattern!r} is no regular expression: {error}") from None
