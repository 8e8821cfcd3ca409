"""Comparison of converted parameters with those of a network."""

import jax

from nar.model.init import Params


def check_param_shapes(params: Params, expected: Params) -> None:
    """Raises ValueError, listing all differences, unless parameters have the expected names and shapes."""
    shapes, expected_shapes = _shapes(params), _shapes(expected)
    lines = [
        f"  {name}: {shapes.get(name, 'none')} in the checkpoint, "
        f"{expected_shapes.get(name, 'none')} in the config"
        for name in sorted({*shapes, *expected_shapes})
        if shapes.get(name) != expected_shapes.get(name)
    ]
    if lines:
        raise ValueError("\n".join(["the checkpoint does not match the network of the config:", *lines]))


def _shapes(params: Params) -> dict[str, tuple[int, ...]]:
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params)
    }
