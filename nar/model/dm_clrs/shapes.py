"""Whether converted parameters are those of a network."""

from collections.abc import Mapping
from typing import Any

from nar.model.init import Params


def check_param_shapes(found: Params, expected: Params) -> None:
    """Raises ValueError, with what differs, unless converted parameters are those of the config's network."""
    shapes, wanted = _shapes(found), _shapes(expected)
    lines = [
        f"  {name}: {shapes.get(name, 'none')} in the checkpoint, {wanted.get(name, 'none')} in the config"
        for name in sorted({*shapes, *wanted})
        if shapes.get(name) != wanted.get(name)
    ]
    if lines:
        raise ValueError("\n".join(["the checkpoint is of another network than the config:", *lines]))


def _shapes(params: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
    return {
        f"{module}/{name}": tuple(leaf.shape)
        for module, leaves in params.items()
        for name, leaf in leaves.items()
    }
