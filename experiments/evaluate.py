"""Measures a run at any sizes, on any families of graphs.

    python -m experiments.evaluate --workdir=runs/bfs --sizes=16,32,64
    python -m experiments.evaluate --workdir=runs/bfs --families=clrs30,grid --seeds=3,4,5 --hints
    python -m experiments.evaluate --workdir=runs/both --sizes="bfs:16,64;dfs:8" --families="bfs:clrs30,tree"

Problems are drawn as CLRS-30 draws its test split: with the default seed, size 64 is that split. Beside the
score of each output are the share of whole instances that are exact, and of those with a right answer, be it
another one than CLRS-30's. A network that decides on its number of steps is measured with these, and with the
algorithm's. The table is printed; the workdir gets `evaluation.json` and `evaluation.csv`.
"""

import pathlib
from collections.abc import Sequence

import jax
import numpy as np
from absl import flags

from experiments.cli import distributed
from experiments.cli.build import Parts
from experiments.cli.by_task import parse_by_task, parse_numbers
from experiments.cli.launch import launch
from experiments.cli.load_run import open_workdir, restore
from experiments.cli.run_kinds import assemble_kind, graph_parts
from nar.evaluation import (
    CLRS30,
    Case,
    Inference,
    InferenceResult,
    Measurement,
    Scores,
    as_json,
    dump,
    make_cases,
    measure_cases,
    summarize_cases,
    write_csv,
)
from nar.model import FromTrace, Params
from nar.reports import evaluation_table
from nar.training import Devices, is_first_process, print_on_first, run_on_all, run_on_first, write_json

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_TASKS = flags.DEFINE_list("tasks", None, "Which of the run's algorithms; by default all.")
_SIZES = flags.DEFINE_string(
    "sizes",
    "16,32,64",
    "Problem sizes: of all tasks; or of some their own, as in bfs:16,64;dfs:8 (they alone are measured) or "
    "16,32;dfs:8 (with 16 and 32 for all others).",
)
_FAMILIES = flags.DEFINE_string(
    "families",
    CLRS30,
    "Families of graphs (nar.problems.GRAPH_FAMILIES), of all tasks or of some their own, like --sizes; "
    "clrs30 are problems as CLRS-30 draws them. Tasks without graphs have these alone, and so have all of "
    "which nothing is said.",
)
_SEEDS = flags.DEFINE_list(
    "seeds", ["3"], "Seeds of the problems, one measurement each; 3 is that of CLRS-30's test split."
)
_HINTS = flags.DEFINE_bool("hints", False, "Whether hints are scored, step by step; it takes more memory.")
_DUMP = flags.DEFINE_enum(
    "dump",
    "none",
    ["none", "predictions", "states"],
    "Writes inputs, truth and predictions of every step as arrays, or hidden states too.",
)
_NAME = flags.DEFINE_string("name", "evaluation", "Of what the workdir gets: NAME.json, NAME.csv and NAME/.")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Which checkpoint to score.")
_SEED_INDEX = flags.DEFINE_integer("seed_index", 0, "Which of the seeds of the run, if it has several.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Traces predicted at once; by default that of the run's config.", lower_bound=1
)
flags.adopt_module_key_flags(distributed)

_OBSERVED = {"none": "outputs", "predictions": "hints", "states": "states"}


def main() -> None:
    """Checks everything that can be checked, then measures, on all devices."""
    config = run_on_first(lambda: open_workdir(_WORKDIR.value)[1])
    parts = run_on_all(lambda: graph_parts(assemble_kind(config, Devices.one()), _WORKDIR.value))
    own = not isinstance(parts.model.config.termination, FromTrace)
    cases = run_on_all(lambda: find_cases(parts, own))
    seeds = run_on_all(lambda: parse_numbers("seeds", _SEEDS.value))
    params, step = run_on_first(_read)
    inferences = make_inferences(parts, own, _BATCH_SIZE.value or config["evaluation"]["batch_size"])
    root = pathlib.Path(_WORKDIR.value)

    def keep(case: Case, seed: int, seen: InferenceResult) -> None:
        if _DUMP.value != "none":
            run_on_first(lambda: str(dump(root / _NAME.value, case, seed, seen)))

    found = list(measure_cases(inferences, params, parts.model.specs, cases, seeds, keep))
    content = {
        "scores": scores_by_size(found),
        "step": step,
        "checkpoint": _CHECKPOINT.value,
        "seeds": seeds,
        **as_json(found),
    }
    run_on_first(lambda: write_json(root / f"{_NAME.value}.json", content))
    run_on_first(lambda: write_csv(root / f"{_NAME.value}.csv", found))
    print_on_first(evaluation_table(summarize_cases(found)))
    print_on_first(f"\n{explanation(seeds)}\n")
    print_on_first(
        f"Checkpoint: {_CHECKPOINT.value}, step {step}. Written: {root / _NAME.value}.json and .csv"
    )


def find_cases(parts: Parts, own: bool) -> list[Case]:
    """What the flags ask for.

    Raises:
      ValueError: if the run has no such task, or a size or family cannot be drawn.
    """
    known = [task.name for task in parts.tasks]
    for name in _TASKS.value or ():
        if name not in known:
            raise ValueError(f"--tasks: this run has no {name!r}; it has: {', '.join(known)}")
    sizes = parse_by_task("sizes", _SIZES.value, _TASKS.value or known)
    families = parse_by_task("families", _FAMILIES.value, _TASKS.value or known)
    tasks = sizes.chosen(known) if _TASKS.value is None else _TASKS.value
    for task in tasks:
        if not sizes.of(task):
            raise ValueError(f"--sizes says nothing of {task!r}, which --tasks asks for")
    for task in families.named:
        if task not in tasks:
            raise ValueError(
                f"--families names {task!r}, which is not measured; measured: {', '.join(tasks)}"
            )
    numbers = {task: parse_numbers("sizes", sizes.of(task)) for task in tasks}
    try:
        return make_cases(
            tasks,
            numbers,
            {task: families.of(task) or (CLRS30,) for task in tasks},
            own,
            graph_tasks=[task for task in families.named if set(families.named[task]) != {CLRS30}],
        )
    except ValueError as error:
        raise ValueError(f"--sizes, --families: {error}") from None


def make_inferences(parts: Parts, own: bool, batch_size: int) -> dict[str, Inference]:
    """What looks at the network, by the lengths that it takes."""
    kind = _OBSERVED[_DUMP.value]
    if _HINTS.value and kind == "outputs":
        kind = "hints"
    return {
        lengths: Inference(
            parts.model,
            parts.transforms,
            batch_size,
            Devices.all(),
            capture=kind,
            true_lengths=lengths == "true",
            show_progress=is_first_process(),
        )
        for lengths in (("own", "true") if own else ("true",))
    }


def _read() -> tuple[Params, int]:
    """Parameters of the checkpoint, and its step."""
    state = restore(_WORKDIR.value, _CHECKPOINT.value, _SEED_INDEX.value).state
    return jax.tree.map(np.asarray, state.eval_params), int(state.step)


def scores_by_size(found: Sequence[Measurement]) -> Scores:
    """Means over seeds on problems as CLRS-30 draws them, with the lengths that the network is used with."""
    scores: Scores = {}
    for case, quantities in summarize_cases(found).items():
        usual = next(one.case.lengths for one in found if one.case.task == case.task)
        if case.family == CLRS30 and case.lengths == usual:
            values = {
                name.removeprefix("output/"): one.mean
                for name, one in quantities.items()
                if name.startswith("output/") or name == "score"
            }
            scores.setdefault(case.task, {})[str(case.size)] = values
    return scores


def explanation(seeds: Sequence[int]) -> str:
    """What the columns mean."""
    of_seeds = f", mean ± sample deviation over {len(seeds)} seeds of problems" if len(seeds) > 1 else ""
    return (
        f"In percent{of_seeds}.\nscore: mean over outputs, as CLRS-30 scores them; exact: instances without "
        "a wrong entry;\nvalid: instances with a right answer, perhaps another one than CLRS-30's."
    )


if __name__ == "__main__":
    launch(distributed.multi_process(main))
