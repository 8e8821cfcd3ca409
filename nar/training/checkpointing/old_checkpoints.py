"""Reader of the checkpoints of earlier versions of nar: Orbax folders."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import numpy as np

from nar.training.state import TrainState, digest

_NO_SCORE = -1.0


def read_old_checkpoint(folder: pathlib.Path, template: TrainState) -> tuple[Any, dict[str, Any]]:
    """Reads the fields of a state, and its metadata.

    Args:
      folder: the checkpoint.
      template: a state of the same shapes, with the key data of its PRNG key.

    Raises:
      Exception: of any type, if the folder is damaged in any way.
    """
    try:
        import orbax.checkpoint as ocp
    except ImportError:
        raise ValueError("an older version wrote it: reading needs the extra `orbax`") from None
    fields = {field.name: getattr(template, field.name) for field in dataclasses.fields(template)}
    shapes = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), fields)
    present = {name: value for name, value in shapes.items() if jax.tree.leaves(value)}
    record = read_old_metadata(folder)
    # Only the first process reads, so it must not wait for the others.
    options = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=options)
    with ocp.Checkpointer(handler, multiprocessing_options=options) as checkpointer:
        args = ocp.args.StandardRestore(present)
        restored: Any = checkpointer.restore(folder.absolute() / "state", args=args)
    if digest(restored) != record["sha256"]:
        raise ValueError("its content does not match its checksum")
    return restored, record


def read_old_metadata(folder: pathlib.Path) -> dict[str, Any]:
    """Reads metadata, score and checksum.

    Raises:
      Exception: of any type, if they cannot be read.
    """
    score = json.loads((folder / "metrics" / "metrics").read_text())["score"]
    record = json.loads((folder / "notes" / "metadata").read_text())
    return {
        "metadata": record["notes"],
        "sha256": record["sha256"],
        "score": None if score == _NO_SCORE else score,
    }
