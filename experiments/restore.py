"""From the folder of a run to its parts and parameters."""

import dataclasses
import pathlib

from experiments.assembly import Config, new_state
from experiments.defaults import complete
from experiments.kinds import assemble_kind, graph_parts
from experiments.parts import RunParts
from nar.evaluation import Predictor
from nar.training import Checkpoints, Devices, TrainState, Workdir


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


def restore(path: str | pathlib.Path, checkpoint: str = "best", replica: int = 0) -> Run:
    """A run, with its "best" or "last" checkpoint, on one device of this process.

    Args:
      path: of its folder.
      checkpoint: which one.
      replica: whose parameters, and whose best checkpoint, if the run has several seeds.

    Raises:
      ValueError: if the folder is not that of a run, or has no whole checkpoint, or no such replica.
    """
    workdir, config = open_workdir(path)
    parts = assemble_kind(config, Devices.one())
    state = new_state(parts, config["training"]["seed"])
    if not 0 <= replica < parts.num_replicas:
        raise ValueError(f"{path} has the replicas 0 to {parts.num_replicas - 1}, got {replica}")
    checkpoints = Checkpoints(workdir.checkpoints, read_only=True)
    if checkpoint == "best":
        found = checkpoints.restore_best(state, replica)
    else:
        found = checkpoints.restore_last(state)
    rest = dataclasses.replace(found.state, step=None)
    state = dataclasses.replace(parts.each(rest)[replica], step=found.state.step)
    return Run(workdir, config, parts, state)


def load(path: str | pathlib.Path, checkpoint: str = "best", replica: int = 0) -> Predictor:
    """The network of a run, to be asked about problems of one's own: `load("runs/bfs")("bfs", A=..., s=0)`.

    Raises:
      ValueError: as `restore`.
    """
    run = restore(path, checkpoint, replica)
    parts = graph_parts(run.parts, path)
    return Predictor(parts.model, run.state.evaluated, parts.transforms)
