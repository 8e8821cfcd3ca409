"""Checkpoints as nar once wrote them, with orbax, a folder each: they are still read."""

import dataclasses
import json
import pathlib
from typing import Any

import jax
import numpy as np

from nar.training.state import TrainState, digest

_NO_SCORE = -1.0


def read_old_checkpoint(folder: pathlib.Path, template: TrainState) -> tuple[Any, dict[str, Any]]:
    """The fields of a state, and its notes.

    Args:
      folder: of the checkpoint.
      template: a state of the same shapes, with the numbers behind its random key.

    Raises:
      Exception: of whatever kind, if anything in the folder is not as it was written.
    """
    try:
        import orbax.checkpoint as ocp
    except ImportError:
        raise ValueError("it is of an older version, and needs orbax-checkpoint (extra `orbax`)") from None
    fields = {field.name: getattr(template, field.name) for field in dataclasses.fields(template)}
    shapes = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), fields)
    present = {name: value for name, value in shapes.items() if jax.tree.leaves(value)}
    record = read_old_metadata(folder)
    # Of the processes of a run only the first reads: it waits for no other.
    alone = ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0})
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    with ocp.Checkpointer(handler, multiprocessing_options=alone) as checkpointer:
        found: Any = checkpointer.restore(folder.absolute() / "state", args=ocp.args.StandardRestore(present))
    if digest(found) != record["sha256"]:
        raise ValueError("its content does not match its checksum")
    return found, record


def read_old_metadata(folder: pathlib.Path) -> dict[str, Any]:
    """Notes, score and checksum.

    Raises:
      Exception: of whatever kind, if they cannot be read.
    """
    score = json.loads((folder / "metrics" / "metrics").read_text())["score"]
    record = json.loads((folder / "notes" / "metadata").read_text())
    return {
        "metadata": record["notes"],
        "sha256": record["sha256"],
        "score": None if score == _NO_SCORE else score,
    }
