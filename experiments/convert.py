"""Converts a checkpoint of dm-clrs 2.0.3 to a run.

    python -m experiments.convert --checkpoint=best.pkl --config=configs/base.py --workdir=runs/theirs \
        --config.algorithms="('bfs','dfs')" --config.model.processor=triplet_gmpnn
    python -m experiments.evaluate --workdir=runs/theirs --sizes=16,64

The config describes the network: its tasks in the order in which dm-clrs was given them, its processor and
hidden size. `experiments.evaluate` scores such a run, and `experiments.train` trains it further from step 0,
with a newly initialized optimizer. Only arrays are read from the file, which is a pickle: no code in it is
run, and damaged or forged files are rejected.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from experiments.cli.launch import launch
from nar.atomic_io import write_json
from nar.model.dm_clrs import check_param_shapes, convert_parameters, read_checkpoint
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.runs.config import RunConfig
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, count_parameters
from nar.training.optim import parameter_names

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file, such as configs/base.py; --config.KEY=VALUE overrides a key."
)
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Checkpoint file written by dm-clrs.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory, created if missing.", required=True)


def main() -> None:
    """Checks the checkpoint, the config and the workdir, then writes the run."""
    config = RunConfig.from_dict(_CONFIG.value.to_dict())
    components = build_graph_run(config)
    theirs = read_checkpoint(_CHECKPOINT.value)
    params = convert_parameters(theirs, config.model.processor, components.model.specs)
    state = new_state(components, config.training.seed)
    check_param_shapes(params, state.params)
    workdir = Workdir(pathlib.Path(_WORKDIR.value))
    if Checkpoints(workdir.checkpoints, read_only=True).all_steps():
        raise ValueError(f"{workdir.path} has checkpoints already; choose another workdir")
    workdir.check(config.to_dict())
    with workdir.lock():
        workdir.claim(config.to_dict())
        Checkpoints(workdir.checkpoints).save(state.with_params(params), None, {})
        write_json(
            workdir.start, {"run": str(_CHECKPOINT.value), "step": 0, "loaded": parameter_names(params)}
        )
    print(
        f"{count_parameters(params)} parameters of {', '.join(components.model.specs)}. Run: {workdir.path}"
    )


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(main)
