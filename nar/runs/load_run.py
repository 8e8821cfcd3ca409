"""Loads a run from its workdir: config, components and parameters."""

import dataclasses
import pathlib

from nar.runs.build import Config, new_state
from nar.runs.run_kinds import assemble_kind, find_kind, graph_parts
from nar.evaluation import Predictor
from nar.runs.run_parts import RunParts
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, Devices, TrainState


@dataclasses.dataclass(frozen=True)
class Run:
    """A saved run.

    Attributes:
      workdir: its directory.
      config: the resolved config.
      parts: the components that the config describes.
      state: the train state of the checkpoint.
    """

    workdir: Workdir
    config: Config
    parts: RunParts
    state: TrainState


def open_workdir(path: str | pathlib.Path) -> tuple[Workdir, Config]:
    """Opens a workdir and reads its config.

    Raises:
      ValueError: if the directory is not the workdir of a run, or its config is incomplete or invalid.
    """
    workdir = Workdir(pathlib.Path(path))
    config = workdir.read_config()
    try:
        return workdir, find_kind(config).config.from_dict(config, complete=True).to_dict()
    except ValueError as error:
        raise ValueError(f"{workdir.config}: {error}") from None


def restore(path: str | pathlib.Path, checkpoint: str = "best", seed_index: int = 0) -> Run:
    """Restores a run from its "best" or "last" checkpoint, on one device of this process.

    Args:
      path: the workdir.
      checkpoint: "best" or "last".
      seed_index: the seed whose parameters (and best checkpoint) are restored, if the run has several.

    Raises:
      ValueError: if the directory is not a workdir or has no intact checkpoint, or `seed_index` is invalid.
    """
    workdir, config = open_workdir(path)
    parts = assemble_kind(config, Devices.one())
    state = new_state(parts, config["training"]["seed"])
    if not 0 <= seed_index < parts.num_seeds:
        raise ValueError(
            f"seed_index must lie between 0 and {parts.num_seeds - 1} for {path}, got {seed_index}"
        )
    checkpoints = Checkpoints(workdir.checkpoints, read_only=True)
    restored = checkpoints.best(state, seed_index) if checkpoint == "best" else checkpoints.restore(state)
    if restored is None:
        raise ValueError(f"{path} has no checkpoint yet")
    # All seeds share the step counter.
    without_step = dataclasses.replace(restored.state, step=None)
    state = dataclasses.replace(parts.unstack_seeds(without_step)[seed_index], step=restored.state.step)
    return Run(workdir, config, parts, state)


def load(path: str | pathlib.Path, checkpoint: str = "best", seed_index: int = 0) -> Predictor:
    """Loads the network of a run as a predictor: `load("runs/bfs")("bfs", A=..., s=0)`.

    Raises:
      ValueError: as `restore`.
    """
    run = restore(path, checkpoint, seed_index)
    parts = graph_parts(run.parts, path)
    return Predictor(parts.model, run.state.eval_params, parts.transforms)
