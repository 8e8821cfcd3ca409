"""From the folder of a run to its parts and parameters."""

import dataclasses
import pathlib

from experiments.cli.build import Config, new_state
from experiments.cli.config_defaults import complete
from experiments.cli.run_kinds import assemble_kind, graph_parts
from nar.evaluation import Predictor
from nar.runs.run_parts import RunParts
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, Devices, TrainState


@dataclasses.dataclass(frozen=True)
class Run:
    """A run as it was saved.

    Attributes:
      workdir: its folder.
      config: as it was resolved.
      parts: what the config stands for.
      state: of the checkpoint.
    """

    workdir: Workdir
    config: Config
    parts: RunParts
    state: TrainState


def open_workdir(path: str | pathlib.Path) -> tuple[Workdir, Config]:
    """The folder of a run, and its config.

    Raises:
      ValueError: if it is none.
    """
    workdir = Workdir(pathlib.Path(path))
    return workdir, complete(workdir.read_config())


def restore(path: str | pathlib.Path, checkpoint: str = "best", seed_index: int = 0) -> Run:
    """A run, with its "best" or "last" checkpoint, on one device of this process.

    Args:
      path: of its folder.
      checkpoint: which one.
      seed_index: whose parameters, and whose best checkpoint, if the run has several seeds.

    Raises:
      ValueError: if the folder is not that of a run, or has no whole checkpoint, or no such replica.
    """
    workdir, config = open_workdir(path)
    parts = assemble_kind(config, Devices.one())
    state = new_state(parts, config["training"]["seed"])
    if not 0 <= seed_index < parts.num_seeds:
        raise ValueError(f"{path} has the replicas 0 to {parts.num_seeds - 1}, got {seed_index}")
    checkpoints = Checkpoints(workdir.checkpoints, read_only=True)
    if checkpoint == "best":
        found = checkpoints.restore_best(state, seed_index)
    else:
        found = checkpoints.restore_last(state)
    rest = dataclasses.replace(found.state, step=None)
    state = dataclasses.replace(parts.each(rest)[seed_index], step=found.state.step)
    return Run(workdir, config, parts, state)


def load(path: str | pathlib.Path, checkpoint: str = "best", seed_index: int = 0) -> Predictor:
    """The network of a run, to be asked about problems of one's own: `load("runs/bfs")("bfs", A=..., s=0)`.

    Raises:
      ValueError: as `restore`.
    """
    run = restore(path, checkpoint, seed_index)
    parts = graph_parts(run.parts, path)
    return Predictor(parts.model, run.state.eval_params, parts.transforms)
