"""The weights file of an exported run: float16 parameters by name, with the step and checksums.

It is an `.npz` archive without pickled objects, and can be read without nar:
`numpy.load("weights.npz")["params/processor/mpnn/norm/scale"]`.
"""

import pathlib
from typing import Any

import jax
import numpy as np

from nar.model import Params
from nar.training.checkpointing.checkpoint_file import Arrays, read_checkpoint, write_checkpoint
from nar.training.optim import parameter_names
from nar.training.state import digest

STORED = np.float16
"""Dtype of the file; parameters in memory are float32."""

_PREFIX = "params/"


def round_params(params: Params) -> Params:
    """Float32 parameters after rounding to the dtype of the file.

    Raises:
      ValueError: if a parameter is too large for that dtype, or not a number.
    """
    with np.errstate(over="ignore"):
        rounded = {name: array.astype(STORED) for name, array in arrays_by_name(params).items()}
    for name, array in rounded.items():
        if not np.isfinite(array).all():
            raise ValueError(f"parameter {name} is not finite in {STORED.__name__}")
    return params_by_name({name: array.astype(np.float32) for name, array in rounded.items()})


def write_weights(path: pathlib.Path, params: Params, step: int) -> None:
    """Writes rounded parameters, as `round_params` returns them, and the training step that made them."""
    arrays = {f"{_PREFIX}{name}": array.astype(STORED) for name, array in arrays_by_name(params).items()}
    metadata = {"step": step, "exported_parameters_sha256": digest(params)}
    write_checkpoint(path, arrays, metadata, compressed=True)


def read_weights(path: pathlib.Path, expected_digest: str) -> tuple[Params, int]:
    """Reads and verifies parameters, and the training step that made them.

    Args:
      path: the file.
      expected_digest: digest of the parameters, as the result in its folder records it.

    Raises:
      ValueError: if the file is missing or damaged, or has other parameters.
    """
    try:
        arrays, metadata = read_checkpoint(path)
        wrong = [name for name, array in arrays.items() if array.dtype != STORED]
        if wrong:
            raise ValueError(f"{wrong[0][:100]} is not of type {STORED.__name__}")
        step = metadata["step"]
        if type(step) is not int:
            raise ValueError("step is not a number")
    except Exception as error:
        raise ValueError(f"{path} is damaged: {type(error).__name__}: {error}") from None
    params = params_by_name({
        name.removeprefix(_PREFIX): array.astype(np.float32) for name, array in arrays.items()
    })  # fmt: skip
    if digest(params) != expected_digest:
        raise ValueError(f"{path} has other parameters than the result in its folder: their digests differ")
    return params, step


def arrays_by_name(params: Params) -> Arrays:
    """Parameters as NumPy arrays by name, such as `processor/mpnn/norm/scale`."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    return dict(zip(parameter_names(params), leaves, strict=True))


def params_by_name(arrays: Arrays) -> Params:
    """Inverse of `arrays_by_name`: parameters nested by task, module and name."""
    nested: dict[str, dict[str, dict[str, Any]]] = {}
    for name, array in arrays.items():
        task, _, rest = name.partition("/")
        module, _, leaf = rest.rpartition("/")
        nested.setdefault(task, {}).setdefault(module, {})[leaf] = array
    return nested
