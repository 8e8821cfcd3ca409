"""The initial state of a run: resumed from a checkpoint, loaded from another run, or newly initialized."""

import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nar.runs.build import Config, new_state
from nar.runs.load_run import Run, restore
from nar.atomic_io import read_json, write_json
from nar.model import Params
from nar.runs.build_optimizer import parameter_shapes
from nar.runs.run_parts import RunParts
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, CheckpointStore, TrainState, count_parameters, load_matching_params
from nar.training.checkpointing import LoadedParams, describe_params
from nar.training.devices import print_on_first, run_on_first
from nar.training.optim import frozen_names
from nar.training.state import digest
from nar.training.train_step import stack_seeds

_logger = logging.getLogger(__name__)


def open_init_run(config: Config, parts: RunParts, workdir: Workdir) -> Run | None:
    """Opens the run `training.init_from`; None if it is not set or this run has already started.

    Raises:
      ValueError: if it is not a run, is this run itself, or has parameters that do not fit.
    """
    training = config["training"]
    if not training["init_from"] or _has_started(workdir):
        return None
    if not training["init_params"]:
        raise ValueError("training.init_params must have a pattern if training.init_from is set")
    if pathlib.Path(training["init_from"]).resolve() == workdir.path.resolve():
        raise ValueError(f"training.init_from: {workdir.path} is the workdir of this run")
    try:
        source = restore(training["init_from"])
        _load(parameter_shapes(parts.model, parts.stream), source, config)
    except ValueError as error:
        raise ValueError(f"training.init_from: {error}") from None
    return source


def init_or_restore(
    config: Config, parts: RunParts, checkpoints: CheckpointStore, workdir: Workdir, source: Run | None
) -> tuple[TrainState, Mapping[str, Any]]:
    """Restores the latest intact checkpoint and its metadata, or initializes a new state.

    A new state is saved as the checkpoint of step 0, so that another run's parameters are loaded only once.
    With several processes, only the first one reads checkpoints and the other run; it sends the state to all.
    """
    state = new_state(parts, config["training"]["seed"])
    restored = checkpoints.restore(state)
    if restored is not None:
        print_on_first(f"Resuming from step {int(restored.state.step)}.")
        return parts.devices.put_state(restored.state), restored.metadata
    params = run_on_first(lambda: _source_params(parts, state.params, source, config, workdir))
    if params is not None:
        state = parts.devices.put_state(state.with_params(params))
    run_on_first(lambda: checkpoints.save(state, None, {}))
    return state, {}


def _source_params(
    parts: RunParts, params: Params, source: Run | None, config: Config, workdir: Workdir
) -> Params | None:
    """New parameters on the host, partly loaded from `source`; None if there is no other run."""
    if source is not None:
        transfers = [_load(one, source, config) for one in parts.unstack_seeds(params)]
        write_json(workdir.start, _record(source, transfers[0]))
        loaded = [transfer.params for transfer in transfers]
        return jax.tree.map(np.asarray, stack_seeds(loaded) if len(loaded) > 1 else loaded[0])
    if workdir.start.exists():
        raise ValueError(
            f"{workdir.path} has lost the checkpoint that it started from (see {workdir.start}); "
            "choose another workdir"
        )
    return None


def _load(params: Params, source: Run, config: Config) -> LoadedParams:
    training = config["training"]
    return load_matching_params(
        params, source.state.eval_params, tuple(training["init_params"]), tuple(training["init_renames"])
    )


def _has_started(workdir: Workdir) -> bool:
    return bool(Checkpoints(workdir.checkpoints, read_only=True).all_steps())


def _record(source: Run, transfer: LoadedParams) -> dict[str, Any]:
    return {
        "run": str(source.workdir.path),
        "step": int(source.state.step),
        "parameters_sha256": digest(source.state.eval_params),
        "loaded": list(transfer.loaded),
    }


def print_parameter_summary(parts: RunParts, state: TrainState, training: Config, workdir: Workdir) -> None:
    """Prints parameter counts, and by module what is frozen, loaded and new."""
    params = parts.unstack_seeds(state.params)[0]
    frozen = frozen_names(params, training["frozen_params"])
    loaded = None
    if training["init_from"]:
        loaded = _loaded(workdir)
    seeds = f" for each of {parts.num_seeds} seeds" if parts.num_seeds > 1 else ""
    print(f"{count_parameters(params)} parameters{seeds}, {len(frozen)} arrays frozen")
    if frozen or loaded is not None:
        print(*(f"  {line}" for line in describe_params(params, loaded, frozen)), sep="\n")


def _loaded(workdir: Workdir) -> list[str] | None:
    """Names of the arrays loaded from another run; None, with a warning, if the record cannot be read."""
    try:
        start = read_json(workdir.start)
    except (OSError, ValueError) as error:
        _logger.warning("the record of parameters loaded from another run cannot be read: %s", error)
        return None
    print(f"Started from {start['run']}, step {start['step']}: {len(start['loaded'])} arrays loaded.")
    return start["loaded"]
