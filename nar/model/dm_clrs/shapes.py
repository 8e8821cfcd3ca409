"""Comparison of converted parameters with those of a network."""

from collections.abc import Mapping
from typing import Any

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


def _shapes(params: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {
        f"{module}/{name}": tuple(leaf.shape)
        for module, leaves in params.items()
        for name, leaf in leaves.items()
    }
