"""Validation of what a processor returns: its output and its initial memory."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import Array, Neighbors, ProcessorOutput
from nar.processors.input_checks import describe


def check_output(output: Any, hidden: Array, memory: Any, neighbors: Neighbors | None = None) -> None:
    """Checks the structure, shapes and dtypes of an output, of arrays or of what `jax.eval_shape` returns.

    Args:
      output: what a processor has returned.
      hidden: hidden states that it was given, [B, N, H].
      memory: memory that it was given.
      neighbors: the neighbor lists of the features, or None.

    Raises:
      ValueError: if it is not a valid output; the message has the expected and the given shapes.
    """
    if not isinstance(output, ProcessorOutput):
        raise ValueError(
            f"the processor's output must be a nar.processors.ProcessorOutput, got {describe(output)}"
        )
    batch_size, num_nodes, size = hidden.shape
    num_targets = num_nodes if neighbors is None else neighbors.index.shape[2]
    shapes = {
        "nodes": (batch_size, num_nodes, size),
        "messages": (batch_size, num_nodes, size),
        "edges": (batch_size, num_targets, num_nodes, size),
        "graph": (batch_size, size),
        "pointer_mask": (batch_size, num_nodes, num_targets),
        "hidden": (batch_size, num_nodes, size),
    }
    for field, shape in shapes.items():
        value = getattr(output, field)
        dtype = np.dtype(bool) if field == "pointer_mask" else hidden.dtype
        is_valid = _is_array(value) and (value.dtype, value.shape) == (dtype, shape)
        if not is_valid and not (value is None and field != "nodes"):
            raise ValueError(
                f"{field} of the processor's output must be {dtype}{shape}, got {describe(value)}"
            )
    _check_losses(output.losses, batch_size)
    _check_scalars(output.scalars, batch_size)
    if _signature(output.memory) != _signature(memory):
        raise ValueError(
            f"memory of the processor's output must be {describe(memory)}, as it was given, "
            f"got {describe(output.memory)}"
        )


def check_initial_memory(memory: Any, batch_size: int) -> None:
    """Checks that memory is a pytree of arrays [B, ...].

    Raises:
      ValueError: if it is not.
    """
    _, arrays = _signature(memory)
    if not all(isinstance(one, tuple) and one[1][:1] == (batch_size,) for one in arrays):
        raise ValueError(
            f"the processor's initial_memory must return arrays ({batch_size}, ...), got {describe(memory)}"
        )


def _check_losses(losses: Any, batch_size: int) -> None:
    if not isinstance(losses, Mapping):
        raise ValueError(f"losses of the processor's output must be a mapping, got {describe(losses)}")
    for name, loss in losses.items():
        is_float = _is_array(loss) and jnp.issubdtype(loss.dtype, jnp.floating)
        if not isinstance(name, str) or not is_float or loss.shape != (batch_size,):
            raise ValueError(
                f"the loss {name!r} of the processor's output must have a name, shape ({batch_size},) and a "
                f"floating-point dtype, got {describe(loss)}"
            )


def _check_scalars(scalars: Any, batch_size: int) -> None:
    if not isinstance(scalars, Mapping):
        raise ValueError(f"scalars of the processor's output must be a mapping, got {describe(scalars)}")
    for name, value in scalars.items():
        if not _is_array(value) or value.dtype != jnp.float32 or value.shape[:1] != (batch_size,):
            raise ValueError(
                f"the scalar {name!r} of the processor's output must be float32 of shape "
                f"({batch_size}, ...), got {describe(value)}"
            )


def _is_array(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray | jax.ShapeDtypeStruct)


def _signature(tree: Any) -> tuple[Any, list[Any]]:
    """Structure of a tree, and dtypes and shapes of its leaves, or their types if they are no arrays.

    Raises:
      ValueError: if it is not a pytree.
    """
    try:
        leaves, structure = jax.tree.flatten(tree)
    except (TypeError, ValueError) as error:  # such as keys of several types in one dictionary
        raise ValueError(
            f"the processor's memory must be a pytree, got {type(tree).__name__}: {error}"
        ) from None
    return structure, [(leaf.dtype, leaf.shape) if _is_array(leaf) else type(leaf) for leaf in leaves]
