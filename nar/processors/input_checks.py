"""Validation of what a processor is called with: features, hidden states, memory and context."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nar.processors.base import Array, Context, FactoredFeatures, Features, Neighbors

_AXES: Mapping[str, tuple[str, ...]] = {
    "nodes": ("B", "N", "F"),
    "edges": ("B", "N", "N", "F"),
    "edges.values": ("B", "N", "N", "K"),
    "edges.vectors": ("K", "E"),
    "edges.bias": ("E",),
    "graph": ("B", "F"),
    "adjacency": ("B", "N", "N"),
    "mask": ("B", "N"),
    "hidden": ("B", "N", "H"),
}
"""Axes of all inputs. F, the number of features, may differ between nodes, edges and graph."""

_AXES_WITH_NEIGHBORS: Mapping[str, tuple[str, ...]] = {
    **_AXES,
    "edges": ("B", "S", "N", "F"),
    "edges.values": ("B", "S", "N", "K"),
    "adjacency": ("B", "S", "N"),
    **{f"neighbors.{name}": ("B", "N", "S") for name in Neighbors._fields},
}
"""Axes with neighbor lists of S slots."""

_BOOLEAN = ("adjacency", "mask", "neighbors.mask")
_INTEGER = ("neighbors.index", "neighbors.reverse")


def check_inputs(features: Features, hidden: Array, context: Context = Context()) -> None:
    """Checks shapes and dtypes of features, hidden states and context; to be called by every processor.

    Raises:
      ValueError: if they are no arrays, or don't match; the message has the expected and the given ones.
    """
    if not isinstance(features, Features):
        raise ValueError(f"features must be nar.processors.Features, got {describe(features)}")
    values = _all_arrays(features, hidden)
    for name, value in values.items():
        _check_dtype(name, value)
    sizes: dict[str, int] = {}
    for name, value in values.items():
        axes = (_AXES if features.neighbors is None else _AXES_WITH_NEIGHBORS)[name]
        _check_axes(name, axes, value.shape, sizes)
        sizes |= {axis: size for axis, size in zip(axes, value.shape, strict=True) if axis in "BNKES"}
    _check_context(context, sizes["B"])


def _all_arrays(features: Features, hidden: Array) -> dict[str, Any]:
    edges: dict[str, Any] = {"edges": features.edges}
    if isinstance(features.edges, FactoredFeatures):
        edges = {f"edges.{name}": value for name, value in vars(features.edges).items()}
    neighbors = {} if features.neighbors is None else features.neighbors._asdict()
    return {
        "nodes": features.nodes,
        **{f"neighbors.{name}": value for name, value in neighbors.items()},
        **edges,
        "graph": features.graph,
        "adjacency": features.adjacency,
        **({} if features.mask is None else {"mask": features.mask}),
        "hidden": hidden,
    }


def _check_dtype(name: str, value: Any) -> None:
    """Checks that a value is an array, bool for masks and floating-point for others."""
    kind, word = jnp.floating, "floating-point"
    if name in _BOOLEAN:
        kind, word = jnp.bool_, "bool"
    elif name in _INTEGER:
        kind, word = jnp.integer, "integer"
    if not is_array(value) or not jnp.issubdtype(value.dtype, kind):
        raise ValueError(f"{name} must be an array of dtype {word}, got {describe(value)}")


def _check_axes(name: str, axes: tuple[str, ...], shape: tuple[int, ...], sizes: Mapping[str, int]) -> None:
    expected = [sizes.get(axis, axis) for axis in axes]
    matches = len(shape) == len(expected) and all(
        size == axis or (isinstance(axis, str) and size > 0)
        for size, axis in zip(shape, expected, strict=True)
    )
    if not matches:
        raise ValueError(f"{name} must have shape ({', '.join(map(str, expected))}), got {tuple(shape)}")


def _check_context(context: Context, batch_size: int) -> None:
    """Checks that `step` is an integer or [B] integers, and `training_step` an integer."""
    if not isinstance(context, Context):
        raise ValueError(f"context must be nar.processors.Context, got {describe(context)}")
    for name, shapes in {"step": ((), (batch_size,)), "training_step": ((),)}.items():
        value = getattr(context, name)
        is_integer = is_array(value) and jnp.issubdtype(value.dtype, jnp.integer)
        if not isinstance(value, int) and not (is_integer and value.shape in shapes):
            expected = " or ".join(str(shape) for shape in shapes)
            raise ValueError(f"context.{name} must be an integer of shape {expected}, got {describe(value)}")


def checked_memory(memory: Any, initial: Any) -> Any:
    """The memory of the previous step, or `initial` if it is ().

    Raises:
      ValueError: if the memory has another structure or other shapes than `initial`.
    """
    if isinstance(memory, tuple) and not memory:
        return initial
    expected, given = (describe(value, with_dtype=False) for value in (initial, memory))
    if given != expected:
        raise ValueError(f"memory must have shape {expected}, got {given}")
    return memory


def is_array(value: Any) -> bool:
    """True for arrays of numpy and jax, traced ones too."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def describe(value: Any, with_dtype: bool = True) -> str:
    """Short description of a value: shapes of arrays, such as `float32(2, 5, 8)`, and types of all else."""

    def describe_leaf(leaf: Any) -> str:
        if not is_array(leaf):
            return type(leaf).__name__
        return f"{leaf.dtype if with_dtype else ''}{leaf.shape}"

    try:
        described = str(jax.tree.map(describe_leaf, value))
    except (TypeError, ValueError):  # It is no pytree.
        described = type(value).__name__
    return described.replace("'", "").replace('"', "")[:200]
