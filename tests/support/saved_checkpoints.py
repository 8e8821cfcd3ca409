"""Checkpoints of a run, for tests that do not know how they are stored."""

import pathlib

from nar.training import Checkpoints
from nar.training.checkpointing import checkpoint_path


def saved_steps(workdir: pathlib.Path) -> list[int]:
    """Steps with a checkpoint; none if the run has not started."""
    return Checkpoints(workdir / "checkpoints", read_only=True).all_steps()


def saved_file(workdir: pathlib.Path, step: int) -> pathlib.Path:
    """The checkpoint file of a step."""
    return checkpoint_path(workdir / "checkpoints", step)


def saved_files(workdir: pathlib.Path) -> list[pathlib.Path]:
    """All checkpoint files."""
    return [saved_file(workdir, step) for step in saved_steps(workdir)]
