"""Makes a run of a checkpoint of dm-clrs 2.0.3.

    python -m experiments.convert --checkpoint=best.pkl --config=configs/base.py --workdir=runs/theirs \
        --config.algorithms="('bfs','dfs')" --config.model.processor=triplet_gmpnn
    python -m experiments.evaluate --workdir=runs/theirs --sizes=16,64

The config says what the network is: its tasks in the order in which dm-clrs was given them, its processor and
size. `experiments.evaluate` scores such a run, and `experiments.train` goes on with it from step 0, with the
optimizer in its initial state. The file is read without running code that it may hold.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from experiments.cli.build import assemble, new_state
from experiments.cli.config_defaults import complete
from experiments.cli.launch import launch
from nar.model.dm_clrs import check_param_shapes, convert_parameters, read_checkpoint
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, count_parameters, parameter_names, write_json

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/; --config.KEY=VALUE overrides.")
_CHECKPOINT = flags.DEFINE_string("checkpoint", None, "File that dm-clrs wrote.", required=True)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run, made if missing.", required=True)


def main() -> None:
    """Checks everything, then writes the run."""
    config = _CONFIG.value.to_dict()
    parts = assemble(config)
    theirs = read_checkpoint(_CHECKPOINT.value)
    params = convert_parameters(theirs, config["model"]["processor"], parts.model.specs)
    state = new_state(parts, config["training"]["seed"])
    check_param_shapes(params, state.params)
    workdir = Workdir(pathlib.Path(_WORKDIR.value))
    if Checkpoints(workdir.checkpoints, read_only=True).steps:
        raise ValueError(f"{workdir.path} has checkpoints already; choose another workdir")
    workdir.check(config, complete=complete)
    with workdir.lock():
        workdir.claim(config)
        Checkpoints(workdir.checkpoints).save(state.with_params(params), None, {"seconds": 0.0})
        write_json(
            workdir.start, {"run": str(_CHECKPOINT.value), "step": 0, "loaded": parameter_names(params)}
        )
    print(f"{count_parameters(params)} parameters of {', '.join(parts.model.specs)}. Run: {workdir.path}")


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(main)
