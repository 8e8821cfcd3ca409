"""Evaluates a trained run at any problem sizes and on any graph families.

    python -m experiments.evaluate --workdir=runs/bfs --sizes=16,32,64
    python -m experiments.evaluate --workdir=runs/bfs --families=clrs30,grid --seeds=3,4,5 --hints
    python -m experiments.evaluate --workdir=runs/both --sizes="bfs:16,64;dfs:8" --families="bfs:clrs30,tree"
    python -m experiments.evaluate --workdir=runs/bfs --metrics=valid,experiments.examples.forest:is_forest

Problems are drawn as CLRS-30 draws its test split: with the default seed, size 64 is that split. In addition
to the score of each output it reports metrics: by default the fractions of exact matches and of valid
answers, which may differ from CLRS-30's. A network with its own number of steps is evaluated with that number
and with the algorithm's. The table is printed; `evaluation.json` and `evaluation.csv` are written to the
workdir, under another name with --name.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from experiments.cli import distributed
from experiments.cli.by_task import parse_by_task, parse_numbers
from experiments.cli.launch import launch
from nar.atomic_io import write_json
from nar.evaluation import (
    METRICS,
    Case,
    Inference,
    InferenceResult,
    Measurement,
    Scores,
    find_metrics,
    make_cases,
    measure_cases,
    summarize_cases,
)
from nar.evaluation.inference import CAPTURES
from nar.evaluation.metrics import Metrics, capture_of
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.model import FromTrace, Params
from nar.problems.options import CLRS30
from nar.reports import evaluation_table
from nar.reports.result_table import scalar_note
from nar.runs.build import build_run, graph_components
from nar.runs.components import GraphComponents
from nar.runs.evaluation_files import EvaluationFiles, evaluation_files
from nar.runs.run import load_run, read_config
from nar.training import Devices
from nar.training.devices import is_first_process, print_on_first, run_on_all, run_on_first

_WORKDIR = flags.DEFINE_string("workdir", None, "Run directory.", required=True)
_TASKS = flags.DEFINE_list("tasks", None, "Algorithms of the run to evaluate; all by default.")
_SIZES = flags.DEFINE_string(
    "sizes",
    "16,32,64",
    "Problem sizes, for all tasks or per task: bfs:16,64;dfs:8 evaluates only bfs and dfs; 16,32;dfs:8 uses "
    "16 and 32 for all other tasks.",
)
_FAMILIES = flags.DEFINE_string(
    "families",
    CLRS30,
    "Graph families (nar.problems.GRAPH_FAMILIES), for all tasks or per task, like --sizes; clrs30 is the "
    "distribution of CLRS-30, the default and the only one for tasks without graphs.",
)
_SEEDS = flags.DEFINE_list(
    "seeds", ["3"], "Problem seeds, one evaluation each; 3 is the seed of CLRS-30's test split."
)
_METRICS = flags.DEFINE_list(
    "metrics",
    None,
    f"Metrics beyond the scores: {', '.join(METRICS)}, or module:ATTRIBUTE for custom ones; by default "
    "exact, valid and those of the run's config.",
)
_HINTS = flags.DEFINE_bool("hints", False, "Also score hints, step by step; takes more memory.")
_DUMP = flags.DEFINE_enum(
    "dump",
    "none",
    ["none", "predictions", "states"],
    "Write arrays of inputs, ground truth and predictions of every step (predictions), and hidden states "
    "(states).",
)
_NAME = flags.DEFINE_string(
    "name", "evaluation", "Name of the outputs in the workdir: NAME.json, NAME.csv and NAME/."
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether to replace an earlier evaluation of this name.")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Checkpoint to evaluate.")
_SEED_INDEX = flags.DEFINE_integer("seed_index", 0, "Index of the seed, if the run has several.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Batch size; by default that of the run's config.", lower_bound=1
)
flags.adopt_module_key_flags(distributed)

_CAPTURES = {"none": "outputs", "predictions": "hints", "states": "states"}
"""Value of --dump -> what inference captures."""

_DEFAULT_METRICS = ("exact", "valid")


def main() -> None:
    """Checks all flags, then evaluates on all devices."""
    config = run_on_first(lambda: read_config(_WORKDIR.value))
    files = run_on_first(lambda: evaluation_files(_WORKDIR.value, _NAME.value, overwrite=_OVERWRITE.value))
    components = run_on_all(lambda: graph_components(build_run(config, Devices.one()), _WORKDIR.value))
    own_lengths = not isinstance(components.model.config.termination, FromTrace)
    cases = run_on_all(lambda: find_cases(components, own_lengths))
    seeds = run_on_all(lambda: parse_numbers("seeds", _SEEDS.value))
    metrics = run_on_all(lambda: choose_metrics(components))
    params, step = run_on_first(_restore)
    batch_size = _BATCH_SIZE.value or config.evaluation.batch_size
    inferences = make_inferences(components, own_lengths, batch_size, metrics)
    dumped = list[str]()

    def dump_result(case: Case, seed: int, result: InferenceResult) -> None:
        if _DUMP.value != "none":
            dumped.append(run_on_first(lambda: dump(files.arrays, case, seed, result).name))

    measurements = list(measure_cases(inferences, params, cases, seeds, metrics, dump_result))
    content = {
        "scores": scores_by_size(measurements),
        "step": step,
        "checkpoint": _CHECKPOINT.value,
        "seeds": seeds,
        "arrays": [f"{files.name}/{name}" for name in dumped],
        **as_json(measurements),
    }
    written = run_on_first(lambda: _write(files, content, measurements))
    print_on_first(evaluation_table(summarize_cases(measurements)))
    print_on_first(f"\n{explanation(seeds, metrics, [case.task for case in cases])}\n")
    print_on_first(
        f"Checkpoint: {_CHECKPOINT.value}, step {step}. Written: {written.scores}, {written.table}"
    )
    if dumped:
        print_on_first(f"Arrays: {len(dumped)} files in {files.arrays}")


def _write(
    files: EvaluationFiles, content: dict[str, Any], measurements: Sequence[Measurement]
) -> EvaluationFiles:
    """Writes the scores and the table, under another name if an evaluation has taken this one meanwhile."""
    if not _OVERWRITE.value and (files.scores.exists() or files.table.exists()):
        files = files.unused()
    write_json(files.scores, content)
    write_csv(files.table, measurements)
    return files


def find_cases(components: GraphComponents, own_lengths: bool) -> list[Case]:
    """The cases that the flags request.

    Raises:
      ValueError: if a task is unknown, or a size or family is invalid.
    """
    known = [task.name for task in components.tasks]
    for name in _TASKS.value or ():
        if name not in known:
            raise ValueError(f"--tasks: unknown task {name!r}; this run has: {', '.join(known)}")
    sizes = parse_by_task("sizes", _SIZES.value, _TASKS.value or known)
    families = parse_by_task("families", _FAMILIES.value, _TASKS.value or known)
    tasks = sizes.tasks_with_values(known) if _TASKS.value is None else _TASKS.value
    for task in tasks:
        if not sizes.get(task):
            raise ValueError(f"--sizes has no sizes for {task!r}, which --tasks names")
    for task in families.named:
        if task not in tasks:
            raise ValueError(
                f"--families names {task!r}, which is not evaluated; evaluated: {', '.join(tasks)}"
            )
    numbers = {task: parse_numbers("sizes", sizes.get(task)) for task in tasks}
    try:
        return make_cases(
            tasks,
            numbers,
            {task: families.get(task) or (CLRS30,) for task in tasks},
            own_lengths,
            graph_tasks=[task for task in families.named if set(families.named[task]) != {CLRS30}],
        )
    except ValueError as error:
        raise ValueError(f"--sizes, --families: {error}") from None


def choose_metrics(components: GraphComponents) -> Metrics:
    """The metrics of --metrics, or the default ones.

    Raises:
      ValueError: if a metric is unknown.
    """
    defaults = find_metrics(_DEFAULT_METRICS, components.model.specs) | dict(components.metrics)
    try:
        return defaults if _METRICS.value is None else find_metrics(_METRICS.value, components.model.specs)
    except ValueError as error:
        raise ValueError(f"--metrics: {error}") from None


def make_inferences(
    components: GraphComponents, own_lengths: bool, batch_size: int, metrics: Metrics
) -> dict[str, Inference]:
    """Inference engines by rollout length: "true" for the algorithm's, "own" for the network's."""
    needed = (_CAPTURES[_DUMP.value], "hints" if _HINTS.value else "outputs", capture_of(metrics))
    capture = max(needed, key=CAPTURES.index)
    return {
        lengths: Inference(
            components.model,
            components.transforms,
            batch_size,
            Devices.all(),
            capture=capture,
            true_lengths=lengths == "true",
            show_progress=is_first_process(),
        )
        for lengths in (("own", "true") if own_lengths else ("true",))
    }


def _restore() -> tuple[Params, int]:
    """Parameters and step of the checkpoint."""
    run = load_run(_WORKDIR.value, _CHECKPOINT.value, _SEED_INDEX.value)
    return jax.tree.map(np.asarray, run.params), run.step


def scores_by_size(measurements: Sequence[Measurement]) -> Scores:
    """Mean scores over seeds on CLRS-30's distribution, for rollouts of the network's default lengths."""
    scores: Scores = {}
    for case, quantities in summarize_cases(measurements).items():
        default_lengths = next(one.case.lengths for one in measurements if one.case.task == case.task)
        if case.family == CLRS30 and case.lengths == default_lengths:
            values = {
                name.removeprefix("output/"): one.mean
                for name, one in quantities.items()
                if name.startswith("output/") or name == "score"
            }
            scores.setdefault(case.task, {})[str(case.size)] = values
    return scores


_LEGEND = {
    "exact": "exact: instances without a wrong entry",
    "valid": "valid: instances with a correct answer, which may differ from CLRS-30's",
    "hint_score": "hint_score: mean over hints and steps",
}


def explanation(seeds: Sequence[int], metrics: Metrics, tasks: Sequence[str]) -> str:
    """Legend of the table's columns."""
    over_seeds = f", mean ± sample deviation over {len(seeds)} problem seeds" if len(seeds) > 1 else ""
    custom = "; custom metrics as they are" if not set(metrics) <= set(METRICS) else ""
    legend = [text for name, text in _LEGEND.items() if name in metrics]
    lines = ["score: mean over outputs, as CLRS-30 scores them", *legend]
    lines += [note] if (note := scalar_note(dict.fromkeys(tasks))) else []
    return f"In percent{over_seeds}{custom}.\n" + ";\n".join(lines) + "."


if __name__ == "__main__":
    launch(distributed.multi_process(main))
