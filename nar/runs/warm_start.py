"""The initial state of a run: resumed from a checkpoint, new, or new with a warm start from another run."""

import logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nar.atomic_io import local_path, write_json
from nar.model import Params
from nar.runs.build import AnyConfig, new_state
from nar.runs.components import RunComponents
from nar.runs.components.optimizer import parameter_shapes
from nar.runs.files import read_start
from nar.runs.optimization_config import OptimizationConfig
from nar.runs.pretrained import PREFIX, open_run
from nar.runs.run import Run
from nar.runs.trust import foreign_names
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, CheckpointStore, TrainState, count_parameters, load_matching_params
from nar.training.checkpointing import LoadedParams, describe_params
from nar.training.devices import print_on_first, run_on_first
from nar.training.optim import frozen_names
from nar.training.state import digest
from nar.training.train_step import stack_seeds

_logger = logging.getLogger(__name__)


def open_init_run(run: Run, components: RunComponents, trust: bool = False) -> Run | None:
    """Loads `training.init_from`; None if it is not set or the run has already started.

    Raises:
      ValueError: as `load_init_run`, or if it is this run itself.
    """
    init_from = run.config.training.init_from
    if init_from and Checkpoints(run.workdir.checkpoints, read_only=True).all_steps():
        return None
    if init_from and local_path(init_from).resolve() == run.workdir.path.resolve():
        raise ValueError(f"training.init_from: {run.workdir} is the workdir of this run")
    return load_init_run(run.config, components, trust)


def load_init_run(config: AnyConfig, components: RunComponents, trust: bool = False) -> Run | None:
    """Loads `training.init_from` of a config; None if it is not set.

    Code outside nar that its config names is imported only if `trust` is set or `config` names it, too.

    Raises:
      ValueError: if it is not a run, has parameters that do not fit, or is not trusted.
    """
    training = config.training
    if not training.init_from:
        return None
    if not training.init_params:
        raise ValueError("training.init_params must have a pattern if training.init_from is set")
    try:
        trust = trust or _names_no_other_code(config, training.init_from)
        source = open_run(training.init_from, checkpoint_fallback=training.checkpoint_fallback, trust=trust)
        _load(parameter_shapes(components.model, components.stream), source, training)
    except ValueError as error:
        raise ValueError(f"training.init_from: {error}") from None
    return source


def init_or_restore(
    run: Run, components: RunComponents, checkpoints: CheckpointStore, source: Run | None
) -> tuple[TrainState, Mapping[str, Any]]:
    """Restores the latest intact checkpoint and its metadata, or initializes a new state.

    A new state is saved as the checkpoint of step 0, so that another run's parameters are loaded only once.
    With several processes, only the first one reads checkpoints and the other run; it sends the state to all.
    """
    state = new_state(components, run.config.training.seed)
    restored = checkpoints.restore(state)
    if restored is not None:
        checkpoints.check_best(fallback=run.config.training.checkpoint_fallback)
        print_on_first(f"Resuming from step {int(restored.state.step)}.")
        return components.devices.put_state(restored.state), restored.metadata
    params = run_on_first(lambda: _source_params(run, components, state.params, source))
    if params is not None:
        state = components.devices.put_state(state.with_params(params))
    run_on_first(lambda: checkpoints.save(state, None, {}))
    return state, {}


def _names_no_other_code(config: AnyConfig, init_from: str) -> bool:
    """True if all code outside nar that another run's config names is named by `config`, too."""
    if init_from.startswith(PREFIX):
        return True
    other = Workdir(local_path(init_from)).read_config()
    return foreign_names(other).keys() <= foreign_names(config.to_dict()).keys()


def _source_params(run: Run, components: RunComponents, params: Params, source: Run | None) -> Params | None:
    """New parameters on the host, partly loaded from `source`; None if there is no other run."""
    if source is not None:
        transfers = [_load(one, source, run.config.training) for one in components.unstack_seeds(params)]
        write_json(run.workdir.start, _record(run.config.training.init_from, source, transfers[0]))
        loaded = [transfer.params for transfer in transfers]
        return jax.tree.map(np.asarray, stack_seeds(loaded) if len(loaded) > 1 else loaded[0])
    if run.workdir.start.exists():
        raise ValueError(
            f"{run.workdir} has lost the checkpoint that it started from (see {run.workdir.start}); "
            "choose another workdir"
        )
    return None


def _load(params: Params, source: Run, training: OptimizationConfig) -> LoadedParams:
    return load_matching_params(params, source.params, training.init_params, training.init_renames)


def _record(init_from: str, source: Run, transfer: LoadedParams) -> dict[str, Any]:
    return {
        "run": init_from if init_from.startswith(PREFIX) else str(source.workdir.path),
        "step": source.step,
        "loaded_parameters_sha256": digest(source.params),
        "loaded": list(transfer.loaded),
    }


def print_parameter_summary(run: Run, components: RunComponents, state: TrainState) -> None:
    """Prints parameter counts, and by module what is frozen, loaded and new."""
    params = components.unstack_seeds(state.params)[0]
    frozen = frozen_names(params, run.config.training.frozen_params)
    loaded = _loaded(run) if run.config.training.init_from else None
    seeds = f" for each of {components.num_seeds} seeds" if components.num_seeds > 1 else ""
    arrays = f", {len(frozen)} arrays frozen" if frozen else ""
    print(f"{count_parameters(params)} parameters{seeds}{arrays}")
    if frozen or loaded is not None:
        print(*(f"  {line}" for line in describe_params(params, loaded, frozen)), sep="\n")


def _loaded(run: Run) -> list[str] | None:
    """Names of the arrays loaded from another run; None, with a warning, if the record cannot be read."""
    try:
        start = read_start(run.workdir.start)
    except (OSError, ValueError) as error:
        _logger.warning("the record of parameters loaded from another run cannot be read: %s", error)
        return None
    print(f"Started from {start['run']}, step {start['step']}: {len(start['loaded'])} arrays loaded.")
    return start["loaded"]
