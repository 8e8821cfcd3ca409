"""Evaluates a trained run at any problem sizes and on any graph families.

    python -m experiments.evaluate --workdir=runs/bfs --sizes=16,32,64
    python -m experiments.evaluate --pretrained=bfs --sizes=16,64 --output=evaluations/bfs
    python -m experiments.evaluate --workdir=runs/bfs --families=clrs30,grid --seeds=3,4,5 --hints
    python -m experiments.evaluate --workdir=runs/both --sizes="bfs:16,64;dfs:8" --families="bfs:clrs30,tree"
    python -m experiments.evaluate --workdir=runs/bfs --metrics=valid,experiments.examples.forest:is_forest
    python -m experiments.evaluate --workdir=runs/bfs --families=watts_strogatz --k=6 --count=100

Problems are drawn by the protocol of the run, evaluation.test of its config. By default it is CLRS-30's: with
its seed, size 64 is the test split. In addition to the score of each output it reports metrics: by default
the fractions of exact matches and of valid answers, which may differ from CLRS-30's. A network with its own
number of steps is evaluated with that number and with the algorithm's. The table is printed;
`evaluation.json` and `evaluation.csv` are written to the workdir, or to --output, under another
name with --name. Problem options apply to the tasks that have them, or per task (--p="bfs:0.3;dfs:0.5").
"""

import contextlib
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from absl import flags

from experiments.cli import distributed, problem_flags, run_flags
from experiments.cli.by_task import parse_by_task, parse_numbers
from experiments.cli.checkpoint_flags import CHECKPOINT
from experiments.cli.evaluation_legend import explanation
from experiments.cli.launch import launch
from experiments.cli.next_commands import after_evaluation
from experiments.cli.paths import define_path
from experiments.cli.problem_flags import TaskProblems, describe_problems, problems_by_task
from experiments.cli.trust import TRUST
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
from nar.evaluation.precision import describe_precision, scoring_only
from nar.evaluation.problem_sets import ProblemSet
from nar.evaluation.suite import families_on_lists
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.model import FromTrace, Params
from nar.ownership import own_folder
from nar.plugins import unknown_name
from nar.problems.options import CLRS30
from nar.reports import evaluation_table
from nar.runs.build import build_run, graph_components
from nar.runs.components import GraphComponents
from nar.runs.components.model import EXECUTIONS
from nar.runs.evaluation_files import EvaluationFiles, evaluation_files
from nar.runs.optimization_config import MAX_BATCH_SIZE
from nar.runs.protocol_keys import CLRS30_PROTOCOL, CUSTOM_PROTOCOL
from nar.runs.results import compute_dtype
from nar.runs.run import read_config, with_execution
from nar.runs.trust import foreign_names
from nar.runs.workdir import Workdir
from nar.traces.sample import check_canonical_seed
from nar.training import Devices
from nar.training.devices import is_first_process, print_on_first, run_on_all, run_on_first

_ALGORITHMS = flags.DEFINE_list("algorithms", None, "Algorithms of the run to evaluate; all by default.")
_SIZES = flags.DEFINE_string(
    "sizes",
    None,
    "Problem sizes, for all tasks or per task: bfs:16,64;dfs:8 evaluates only bfs and dfs; 16,32;dfs:8 uses "
    "16 and 32 for all other tasks. By default 16,32,64, or those of a run with a protocol of its own.",
)
_FAMILIES = flags.DEFINE_string(
    "families",
    None,
    "Graph families (nar.problems.GRAPH_FAMILIES), for all tasks or per task, like --sizes; clrs30 is the "
    "distribution of CLRS-30, and the only one for tasks without graphs. By default those of the protocol.",
)
_SEEDS = flags.DEFINE_list(
    "seeds", None, "Problem seeds, one evaluation each; by default the protocol's (3 in CLRS-30)."
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
_NAME = flags.DEFINE_string("name", "evaluation", "Name of the outputs: NAME.json, NAME.csv and NAME/.")
_OUTPUT = define_path(
    "output",
    None,
    "Directory of the outputs; by default the workdir; for a pretrained network, evaluations/NAME_seedSEED.",
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether to replace an earlier evaluation of this name.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    None,
    "Batch size; by default that of the run's config.",
    lower_bound=1,
    upper_bound=MAX_BATCH_SIZE,
)
_EXECUTION = flags.DEFINE_enum(
    "execution",
    None,
    EXECUTIONS,
    "Execution: dense, or sparse on neighbor lists, for graphs of thousands of nodes; by default that of the "
    "run. With sparse, the families erdos_renyi, watts_strogatz and delaunay are drawn as lists, by default "
    "with the parameters of SALSA-CLRS.",
)
flags.adopt_module_key_flags(distributed)
flags.adopt_module_key_flags(problem_flags)
flags.adopt_module_key_flags(run_flags)

_CAPTURES = {"none": "outputs", "predictions": "hints", "states": "states"}
"""Value of --dump -> what inference captures."""

_DEFAULT_METRICS = ("exact", "valid")


def main() -> None:
    """Checks all flags, then evaluates on all devices."""
    path = run_on_all(run_flags.run_directory)
    root = run_on_first(lambda: output_directory(path))
    # Scores must not get into a folder that takes the place of the run's meanwhile.
    with own_folder(root) if is_first_process() else contextlib.nullcontext():
        evaluate(path, root)


def evaluate(path: str, root: pathlib.Path) -> None:
    """Evaluates the run in a folder, prints its scores and writes them to `root`."""
    config = run_on_first(lambda: read_config(path, trust=TRUST.value))
    files = run_on_first(lambda: evaluation_files(root, _NAME.value, overwrite=_OVERWRITE.value))
    if _EXECUTION.value is not None:
        config = with_execution(config, _EXECUTION.value)
    components = run_on_all(lambda: graph_components(build_run(config, Devices.one()), path))
    on_lists = components.transforms.neighbor_lists
    own_lengths = not isinstance(components.model.config.termination, FromTrace)
    sizes = run_on_all(lambda: sizes_by_task(components))
    problems = run_on_all(lambda: problems_by_task(components, list(sizes)))
    options = {task: one.options for task, one in problems.items()}
    counts = {task: one.count for task, one in problems.items()}
    cases = run_on_all(lambda: find_cases(components, sizes, own_lengths, options, counts))
    seeds = run_on_all(lambda: choose_seeds(components, list(sizes)))
    metrics = run_on_all(lambda: choose_metrics(components))
    params, step, lost = run_on_first(lambda: _restore(path))
    batch_size = _BATCH_SIZE.value or config.evaluation.batch_size
    inferences = make_inferences(components, own_lengths, batch_size, metrics)
    dumped = list[str]()

    def dump_result(case: Case, seed: int, result: InferenceResult) -> None:
        if _DUMP.value != "none":
            dumped.append(run_on_first(lambda: dump(files.arrays, case, seed, result).name))

    measurements = list(
        measure_cases(inferences, params, cases, seeds, metrics, dump_result, options, counts, on_lists)
    )
    precision = scoring_only(describe_precision(compute_dtype(config), Devices.all().platform))
    content = {
        "scores": scores_by_size(measurements),
        "step": step,
        "checkpoint": CHECKPOINT.value,
        "seeds": seeds,
        "arrays": [f"{files.name}/{name}" for name in dumped],
        "protocol": protocol_of_cases(problems, cases, on_lists),
        "execution": "sparse" if on_lists else "dense",
        "precision": precision,
        **({"lost_checkpoints": lost} if lost else {}),
        **as_json(measurements),
    }
    written = run_on_first(lambda: _write(files, content, measurements))
    print_on_first(evaluation_table(summarize_cases(measurements)))
    measured = {name: metrics[name] for name in metrics if any(name in one.metrics for one in measurements)}
    legend = explanation(seeds, measured, [case.task for case in cases])
    print_on_first(f"\n{legend}\n{describe_problems(problems, families_on_lists(cases, on_lists))}")
    print_on_first(f"Matrix products in {precision['scoring']}, on {precision['platform']}.\n")
    replaced = f" (in place of a lost one: {'; '.join(lost)})" if lost else ""
    print_on_first(
        f"Checkpoint: {CHECKPOINT.value}, step {step}{replaced}. Written: {written.scores}, {written.table}"
    )
    if dumped:
        print_on_first(f"Arrays: {len(dumped)} files in {files.arrays}")
    print_on_first(
        "\n"
        + after_evaluation(
            path, list(problems), root, written.name, needs_trust=bool(foreign_names(config.to_dict()))
        )
    )


def _write(
    files: EvaluationFiles, content: dict[str, Any], measurements: Sequence[Measurement]
) -> EvaluationFiles:
    """Writes the scores and the table, under another name if an evaluation has taken this one meanwhile."""
    if not _OVERWRITE.value and (files.scores.exists() or files.table.exists()):
        files = files.unused()
    replaced = files.other_arrays(kept=content["arrays"])
    write_json(files.scores, content)
    write_csv(files.table, measurements)
    files.remove(replaced)
    return files


def requested_tasks(components: GraphComponents) -> list[str]:
    """The tasks of --algorithms, or else of the run; raises ValueError if one is unknown or repeated."""
    known = [task.name for task in components.tasks]
    requested = _ALGORITHMS.value or known
    for name in requested:
        if name not in known:
            raise ValueError(f"--algorithms: {unknown_name('algorithm of the run', name, known)}")
        if requested.count(name) > 1:
            raise ValueError(f"--algorithms has {name} twice")
    return requested


def choose_seeds(components: GraphComponents, tasks: Sequence[str]) -> list[int]:
    """The seeds of --seeds, or else of the protocol.

    Raises:
      ValueError: if a seed is invalid, or those of the protocol depend on the task.
    """
    if _SEEDS.value is None:
        sections = components.protocol.sections["test"]
        seeds_of_tasks = {sections[task].seeds for task in tasks}
        if len(seeds_of_tasks) > 1:
            raise ValueError(
                "tasks of this run have different evaluation.test.seeds; give --seeds, or one task"
            )
        return list(seeds_of_tasks.pop())
    seeds = parse_numbers("seeds", _SEEDS.value)
    for seed in seeds:
        check_canonical_seed(seed)
    return seeds


def default_sizes(components: GraphComponents, tasks: Sequence[str]) -> str:
    """Sizes of CLRS-30's splits and 32, or those of each task by the run's own protocol, as a flag."""
    if components.protocol_record["name"] == CLRS30_PROTOCOL:
        return "16,32,64"
    return _by_task(components, tasks, lambda problems: str(problems.size))


def default_families(components: GraphComponents, tasks: Sequence[str]) -> str:
    """Families of each task by the run's protocol, as a flag."""
    if components.protocol_record["name"] == CLRS30_PROTOCOL:
        return CLRS30
    return _by_task(components, tasks, lambda problems: problems.family)


def _by_task(components: GraphComponents, tasks: Sequence[str], read: Callable[[ProblemSet], str]) -> str:
    sets = components.protocol.problem_sets["test"]
    return ";".join(f"{task}:{','.join(dict.fromkeys(map(read, sets[task])))}" for task in tasks)


def protocol_of_cases(
    problems: Mapping[str, TaskProblems], cases: Sequence[Case], on_lists: bool
) -> dict[str, Any]:
    """The problems in `evaluation.json`: `name` is CLRS-30 if they are drawn as CLRS-30 draws them."""
    is_custom = any(one.options or one.count for one in problems.values()) or bool(
        families_on_lists(cases, on_lists)
    )
    return {
        "name": CUSTOM_PROTOCOL if is_custom else CLRS30_PROTOCOL,
        "tasks": {task: {"problem": dict(one.options), "count": one.count} for task, one in problems.items()},
    }


def sizes_by_task(components: GraphComponents) -> dict[str, list[int]]:
    """The sizes of each task that the flags request.

    Raises:
      ValueError: if a task is unknown, or a size is no number.
    """
    requested = requested_tasks(components)
    text = default_sizes(components, requested) if _SIZES.value is None else _SIZES.value
    sizes = parse_by_task("sizes", text, requested)
    tasks = sizes.tasks_with_values(requested) if _ALGORITHMS.value is None else requested
    for task in tasks:
        if not sizes.get(task):
            raise ValueError(f"--sizes has no sizes for {task!r}, which --algorithms names")
    return {task: parse_numbers("sizes", sizes.get(task)) for task in tasks}


def find_cases(
    components: GraphComponents,
    sizes: Mapping[str, Sequence[int]],
    own_lengths: bool,
    options: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, int],
) -> list[Case]:
    """The cases that the flags request.

    Raises:
      ValueError: if a size or family is invalid.
    """
    requested, tasks = requested_tasks(components), list(sizes)
    text = default_families(components, tasks) if _FAMILIES.value is None else _FAMILIES.value
    families = parse_by_task("families", text, requested)
    for task in families.named:
        if task not in tasks:
            raise ValueError(
                f"--families names {task!r}, which is not evaluated; evaluated: {', '.join(tasks)}"
            )
    try:
        return make_cases(
            tasks,
            sizes,
            {task: families.get(task) or (CLRS30,) for task in tasks},
            own_lengths,
            graph_tasks=[task for task in families.named if set(families.named[task]) != {CLRS30}],
            options=options,
            counts=counts,
            on_lists=components.transforms.neighbor_lists,
        )
    except ValueError as error:
        raise ValueError(f"--sizes, --families and problem options: {error}") from None


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


def output_directory(path: str) -> pathlib.Path:
    """Creates the directory of the outputs, and returns it; an export keeps its own evaluation."""
    default = (
        f"evaluations/{pathlib.Path(path).name}" if Workdir(pathlib.Path(path)).weights.exists() else path
    )
    root = pathlib.Path(_OUTPUT.value or default)
    root.mkdir(parents=True, exist_ok=True)
    return root


def _restore(path: str) -> tuple[Params, int, list[str]]:
    """Parameters and step of the checkpoint, and the lost ones whose place it takes."""
    run = run_flags.load_chosen_run(path)
    return jax.tree.map(np.asarray, run.params), run.step, run.lost_checkpoints


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


if __name__ == "__main__":
    launch(distributed.multi_process(main))
