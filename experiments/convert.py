"""Converts between forms of trained networks: a dm-clrs checkpoint to a run, a run to an export.

    python -m experiments.convert --checkpoint=best.pkl --config=configs/base.py --workdir=runs/theirs \
        --config.algorithms="('bfs','dfs')" --config.model.processor=triplet_gmpnn
    python -m experiments.evaluate --workdir=runs/theirs --sizes=16,64

The config describes the network: its tasks in the order in which dm-clrs 2.0.3 was given them, its processor
and hidden size. `experiments.evaluate` scores such a run, and `experiments.train` trains it further from step
0, with a newly initialized optimizer. Only arrays are read from the file, which is a pickle: no code in it is
run, and damaged or forged files are rejected.

    python -m experiments.convert --workdir=runs/bfs --export=nar/runs/weights

writes the best parameters of a finished run, rounded to float16, with their scores at n = 16, 32, 64 and 128
and how they were trained, to the new folder `nar/runs/weights/bfs_seed0`: from then on a pretrained network
(`nar.pretrained("bfs")`) and a row of the leaderboard (docs/submit.md).

    python -m experiments.convert --recompute=nar/runs/weights/bfs_seed0

scores an export again, and fails if a score differs from the recorded one.
"""

import pathlib

from absl import flags
from ml_collections import config_flags

from experiments.cli.launch import launch
from experiments.cli.next_commands import after_conversion, after_export
from experiments.cli.paths import define_path
from experiments.cli.trust import TRUST
from nar.atomic_io import write_json
from nar.model.dm_clrs import check_param_shapes, convert_parameters, read_checkpoint
from nar.reports import Table
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.runs.config import RunConfig
from nar.runs.export import SIZES, TOLERANCE, export_run, recompute_scores
from nar.runs.trust import foreign_names
from nar.runs.workdir import Workdir
from nar.training import Checkpoints, count_parameters
from nar.training.optim import parameter_names

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Config file, such as configs/base.py; --config.KEY=VALUE overrides a key."
)
_CHECKPOINT = define_path("checkpoint", None, "Checkpoint file written by dm-clrs.")
_WORKDIR = define_path(
    "workdir", None, "Run directory: created for --checkpoint; a finished run for --export."
)
_EXPORT = define_path("export", None, "Folder of exports in which to write that of the run.")
_RECOMPUTE = define_path("recompute", None, "Export whose scores to recompute.")
_NAME = flags.DEFINE_string(
    "name", None, "--export: name; by default the algorithm, or generalist for all thirty of CLRS-30."
)
_METHOD = flags.DEFINE_string("method", "nar", "--export: name of the method on the leaderboard.")
_REMARK = flags.DEFINE_string("remark", "", "--export: what else a reader should know.")
_CORES = flags.DEFINE_integer(
    "cores", None, "--export: CPU cores of the training, if the result does not record it.", lower_bound=1
)
_SEED_INDEX = flags.DEFINE_integer("seed_index", 0, "--export: index of the seed, if the run has several.")
_SIZES = flags.DEFINE_list(
    "sizes", [str(size) for size in SIZES], "--export: problem sizes; 64, the test split, is always scored."
)

_OF_EXPORT = ("name", "method", "remark", "cores", "seed_index", "sizes")
"""Flags that require --export."""


def main() -> None:
    """Converts as the flags say."""
    given = [name for name in ("checkpoint", "export", "recompute") if flags.FLAGS[name].present]
    if len(given) != 1:
        raise ValueError("give exactly one of --checkpoint, --export and --recompute")
    misplaced = [name for name in _OF_EXPORT if flags.FLAGS[name].present]
    if misplaced and given != ["export"]:
        raise ValueError(f"--{misplaced[0]} needs --export")
    if _RECOMPUTE.value is not None:
        recompute(pathlib.Path(_RECOMPUTE.value))
        return
    if _WORKDIR.value is None:
        raise ValueError(f"--{given[0]} needs --workdir, a run directory")
    workdir = pathlib.Path(_WORKDIR.value)
    if _EXPORT.value is not None:
        export(workdir, pathlib.Path(_EXPORT.value))
    if _CHECKPOINT.value is not None:
        convert_checkpoint(_CHECKPOINT.value, Workdir(workdir))


def convert_checkpoint(checkpoint: str, workdir: Workdir) -> None:
    """Checks the checkpoint of dm-clrs, the config and the workdir, then writes the run."""
    if _CONFIG.value is None:
        raise ValueError("--checkpoint needs --config, which describes its network")
    config = RunConfig.from_dict(_CONFIG.value.to_dict())
    components = build_graph_run(config)
    theirs = read_checkpoint(checkpoint)
    params = convert_parameters(theirs, config.model.processor, components.model.specs)
    state = new_state(components, config.training.seed)
    check_param_shapes(params, state.params)
    if Checkpoints(workdir.checkpoints, read_only=True).all_steps():
        raise ValueError(f"{workdir.path} has checkpoints already; choose another workdir")
    workdir.check(config.to_dict())
    with workdir.lock():
        workdir.claim(config.to_dict())
        workdir.open_checkpoints().save(state.with_params(params), None, {})
        write_json(workdir.start, {"run": checkpoint, "step": 0, "loaded": parameter_names(params)})
    print(
        f"{count_parameters(params)} parameters of {', '.join(components.model.specs)}. Run: {workdir.path}\n"
    )
    print(after_conversion(workdir.path, list(components.model.specs)))


def export(workdir: pathlib.Path, folder: pathlib.Path) -> None:
    """Exports a finished run, and prints its scores before and after rounding."""
    if not all(word.isdecimal() and int(word) > 0 for word in _SIZES.value):
        raise ValueError(f"--sizes must be positive integers, got {','.join(_SIZES.value)}")
    run = export_run(
        workdir,
        folder,
        seed_index=_SEED_INDEX.value,
        name=_NAME.value,
        method=_METHOD.value,
        remark=_REMARK.value,
        cores=_CORES.value,
        sizes=[int(word) for word in _SIZES.value],
        show_progress=True,
        trust=TRUST.value,
    )
    result = run.result or {}
    rows = [
        [
            split,
            task,
            f"{100 * before['score']:.2f}",
            f"{100 * result['scores'][split][task][size]['score']:.2f}",
        ]
        for split, tasks in result["rounded_from"].items()
        for task, sizes in tasks.items()
        for size, before in sizes.items()
    ]
    print(
        Table(
            ["split", "algorithm", "float32", "float16"], rows, "Scores before and after rounding."
        ).as_text()
    )
    print(f"\nWritten: {run.workdir}\n")
    needs_trust = bool(foreign_names(run.config.to_dict()))
    print(after_export(run.workdir, run.config.algorithms, needs_trust=needs_trust))


def recompute(path: pathlib.Path) -> None:
    """Scores an export again, and prints both scores of each size.

    Raises:
      ValueError: if they differ.
    """
    pairs = recompute_scores(path, show_progress=True, trust=TRUST.value)
    rows = [
        [task, str(size), f"{100 * recorded:.2f}", f"{100 * found:.2f}"]
        for (task, size), (recorded, found) in pairs.items()
    ]
    print(Table(["algorithm", "n", "recorded", "recomputed"], rows, "Scores in percent.").as_text())
    different = [case for case, (recorded, found) in pairs.items() if abs(recorded - found) > TOLERANCE]
    if different:
        cases = ", ".join(f"{task} at n = {size}" for task, size in different)
        raise ValueError(f"recorded scores are not reproduced (by {100 * TOLERANCE} points): {cases}")


if __name__ == "__main__":
    launch(main)
