"""Export of a finished run: its best parameters in float16, and the scores of these at several sizes.

FOLDER/NAME_seedSEED/
  config.json, versions.json    of the run
  weights.npz                   its best parameters, rounded to float16
  result.json                   scores of these on the validation problems of the config and the test split of
                                CLRS-30, which its `protocol` names; how they were trained
  evaluation.json               their scores at several sizes, like the output of `experiments.evaluate`

Such a folder is a run without its training state: `nar.load_run` loads it. Those in `nar/runs/weights` are
what `nar.pretrained` finds, and the rows of the leaderboard (docs/results.md).
"""

import dataclasses
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import ALGORITHMS, find_algorithm
from nar.atomic_io import write_json
from nar.evaluation import Inference, Measurement, Scores, find_metrics
from nar.evaluation.metrics import capture_of
from nar.evaluation.precision import describe_precision, scoring_only
from nar.evaluation.problem_sets import ProblemSet
from nar.evaluation.suite import Case, make_cases, measure
from nar.evaluation.suite_files import as_json
from nar.model import FromTrace, Params
from nar.problems.options import CLRS30
from nar.runs.build import resolve_config
from nar.runs.components.graph import GraphComponents, build_graph_run
from nar.runs.components.protocol import protocol_record
from nar.runs.config import EvaluationConfig, RunConfig
from nar.runs.files import check_scores, read_evaluation, read_result, read_versions
from nar.runs.results import averages
from nar.runs.run import Run, load_run
from nar.runs.training_command import training_command
from nar.runs.trust import check_trust
from nar.runs.weights_file import params_by_name, round_params, write_weights
from nar.runs.workdir import Workdir
from nar.traces import CLRS30_SPLITS, TraceBatch
from nar.training import Devices
from nar.training.checkpointing import read_arrays
from nar.training.state import digest

SIZES = (16, 32, 64, 128)
"""Problem sizes at which an export is scored."""

GENERALIST = "generalist"
"""Name of a run of all algorithms of CLRS-30."""

MAX_WORK = 48_000_000
"""Pairs of nodes times steps that are computed to score one algorithm at one size other than that of the test
split; a few minutes of two CPU cores. Of longer problems, fewer instances are scored."""

TOLERANCE = 0.005
"""Difference to a recorded score that rounding on another machine may explain."""

_TEST = CLRS30_SPLITS["test"]


@dataclasses.dataclass(frozen=True)
class ExportScores:
    """Scores of parameters.

    Attributes:
      validation: scores on the validation problems of the config, by task and size.
      measurements: scores and metrics by task and size, on problems drawn as the test split is.
      seconds: duration of scoring.
      cpu_seconds: its CPU time.
    """

    validation: Scores
    measurements: Sequence[Measurement]
    seconds: float
    cpu_seconds: float

    def by_size(self) -> Scores:
        """The scores of the measurements by task and size."""
        scores: Scores = {}
        for one in self.measurements:
            scores.setdefault(one.case.task, {})[str(one.case.size)] = one.scores
        return scores


def export_run(
    source: pathlib.Path,
    folder: pathlib.Path,
    *,
    seed_index: int = 0,
    name: str | None = None,
    method: str = "nar",
    remark: str = "",
    cores: int | None = None,
    sizes: Sequence[int] = SIZES,
    show_progress: bool = False,
    trust: bool = False,
) -> Run:
    """Exports a finished run to a new folder in `folder`, which is complete or not there at all.

    Args:
      source: the workdir.
      folder: folder of exports, created if missing.
      seed_index: index of the seed, if the run has several.
      name: name of the export; by default that of the algorithm, or `generalist` for all of CLRS-30.
      method: label of the row on the leaderboard; rows of one label are compared as one method.
      remark: what else a reader should know, such as other load on the machine.
      cores: CPU cores of the training, for a result that does not record its hardware.
      sizes: problem sizes to score; the size of the test split is always scored.
      show_progress: whether to show progress bars.
      trust: whether to import code outside nar that the config names.

    Raises:
      ValueError: if the run is not finished or is a language model's, the export exists, an argument is
        invalid, or the config names code outside nar and is not trusted.
    """
    workdir = Workdir(source)
    of_all = _config(workdir)
    check_trust(of_all.to_dict(), workdir.config, trust)
    config = _config_of_seed(of_all, workdir, seed_index)
    result = _finished_result(workdir, config, cores)
    of_seed = _of_seed(result, seed_index, workdir)
    target = folder / f"{_name(name, config)}_seed{config.training.seed}"
    if target.exists():
        raise ValueError(f"{target} exists already; remove it to export the run again")
    params = round_params(_best_params(workdir, of_seed["best_step"], of_all, seed_index))
    components = build_graph_run(config, Devices.one())
    scores = score_params(components, params, sorted({*sizes, _TEST.size}), show_progress)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export", dir=folder) as temporary:
        draft = Workdir(pathlib.Path(temporary) / target.name)
        draft.path.mkdir()
        write_json(draft.config, config.to_dict())
        write_json(draft.versions, read_versions(workdir.versions))
        write_weights(draft.weights, params, of_seed["best_step"])
        facts = {"method": method, "remark": remark, "rounded_from": of_seed["scores"]}
        write_json(draft.result, {**_result(result, of_seed, config, params, scores), **facts})
        write_json(draft.evaluation, _evaluation(scores, config, of_seed["best_step"]))
        draft.path.rename(target)
    return load_run(target, trust=trust)


def recompute_scores(
    path: pathlib.Path, show_progress: bool = False, *, trust: bool = False
) -> dict[tuple[str, int], tuple[float, float]]:
    """Scores an export again: (task, size) -> the recorded score and the one found now.

    Raises:
      ValueError: if the folder is not an export, a file in it is damaged, or its config names code outside
        nar and is not trusted (`trust`).
    """
    run = load_run(path, trust=trust)
    if not run.is_exported:
        raise ValueError(f"{path} is not an exported run: it has no {run.workdir.weights.name}")
    recorded = read_evaluation(run.workdir.evaluation).get("scores")
    if recorded is None:
        raise ValueError(f"{run.workdir.evaluation} is not the evaluation of the export: it has no scores")
    try:
        check_scores(recorded)
        sizes = sorted({int(size) for by_size in recorded.values() for size in by_size})
        unknown = recorded.keys() - set(run.graph_components.model.specs)
        if unknown:
            raise ValueError(f"the run has no {', '.join(sorted(unknown))}")
    except ValueError as error:
        raise ValueError(f"{run.workdir.evaluation} is damaged: {error}") from None
    found = score_params(run.graph_components, run.params, sizes, show_progress).by_size()
    return {
        (task, int(size)): (values["score"], found[task][size]["score"])
        for task, by_size in recorded.items()
        for size, values in by_size.items()
    }


def score_params(
    components: GraphComponents, params: Params, sizes: Sequence[int], show_progress: bool = False
) -> ExportScores:
    """Scores parameters on validation problems, and at each size with the metrics exact and valid."""
    start, cpu_start = time.perf_counter(), time.process_time()
    metrics = find_metrics(("exact", "valid"), components.model.specs) | dict(components.metrics)
    inference = Inference(
        components.model,
        components.transforms,
        components.evaluation_batch_size,
        Devices.one(),
        capture=capture_of(metrics),
        show_progress=show_progress,
    )
    lengths = "true" if isinstance(components.model.config.termination, FromTrace) else "own"
    validation = components.score_split(inference, params, "val")
    cases = make_cases(list(components.model.specs), sizes, (CLRS30,), False)
    measurements = []
    for case in (dataclasses.replace(case, lengths=lengths) for case in cases):
        found = inference.run(params, case.task, draw_problems(case))
        measurements.append(measure(case, _TEST.seed, found, metrics))
    return ExportScores(
        validation, measurements, time.perf_counter() - start, time.process_time() - cpu_start
    )


def draw_problems(case: Case) -> TraceBatch:
    """Problems of a case: at n = 64 the test split, otherwise as many of the suite as `MAX_WORK` allows."""
    problems = ProblemSet(find_algorithm(case.task), case.size, _TEST.seed)
    if case.size != _TEST.size:
        first = dataclasses.replace(problems, count=1).draw()
        work = case.size**2 * max(1, int(first.lengths[0]) - 1)
        count = min(problems.num_instances, max(1, MAX_WORK // work))
        problems = dataclasses.replace(problems, count=count)
    return problems.draw()


def _config(workdir: Workdir) -> RunConfig:
    """The config of a run. Keys that are newer than the run have their defaults."""
    config = resolve_config(workdir.read_config(), complete=False)
    if not isinstance(config, RunConfig):
        raise ValueError(f"{workdir} is a run of a language model, which cannot be exported")
    return config


def _config_of_seed(config: RunConfig, workdir: Workdir, seed_index: int) -> RunConfig:
    """The config of one of the seeds of a run."""
    training = config.training
    if not 0 <= seed_index < training.num_seeds:
        raise ValueError(
            f"seed_index must lie between 0 and {training.num_seeds - 1} for {workdir}, got {seed_index}"
        )
    one_seed = dataclasses.replace(training, seed=training.seed + seed_index, num_seeds=1)
    return dataclasses.replace(config, training=one_seed)


def _finished_result(workdir: Workdir, config: RunConfig, cores: int | None) -> dict[str, Any]:
    if workdir.weights.exists():
        raise ValueError(f"{workdir} is an exported run already")
    if not workdir.is_finished(config.training.steps):
        raise ValueError(f"{workdir} is not finished: it has no result of {config.training.steps} steps")
    result = read_result(workdir.result)
    if "hardware" in result and cores is not None:
        raise ValueError(f"{workdir.result} records its hardware; leave out the number of cores")
    if "hardware" not in result and cores is not None:
        result["hardware"] = {"platform": "cpu", "cpu_cores": cores}
        result["precision"] = describe_precision(config.model.precision, "cpu")
    return result


def _of_seed(result: dict[str, Any], seed_index: int, workdir: Workdir) -> dict[str, Any]:
    """The part of a result on one seed, with the step of its best checkpoint."""
    by_seed = result.get("seeds", [result])
    if seed_index >= len(by_seed) or not isinstance(by_seed[seed_index].get("best_step"), int):
        raise ValueError(f"{workdir.result} does not say which checkpoint of seed {seed_index} is best")
    return by_seed[seed_index]


def _name(name: str | None, config: RunConfig) -> str:
    """The given name, or the default one.

    Raises:
      ValueError: if there is no default, or the name is not that of an algorithm of the run.
    """
    algorithms = [find_algorithm(one).name for one in config.algorithms]
    if name is None and len(algorithms) == 1:
        return algorithms[0]
    if name is None and {one for one, found in ALGORITHMS.items() if found.in_clrs30} == set(algorithms):
        return GENERALIST
    if name is None:
        raise ValueError(f"name the export: its run has several algorithms, {', '.join(algorithms)}")
    if not name.isidentifier() or (name in ALGORITHMS and [name] != algorithms):
        raise ValueError(
            f"name {name!r} must be one word of letters, digits and underscores, and no other algorithm's"
        )
    return name


def _best_params(workdir: Workdir, step: int, config: RunConfig, seed_index: int) -> Params:
    """The parameters of one seed in the checkpoint of a step: their moving average, if there is one."""
    try:
        arrays = read_arrays(workdir.checkpoints, step)
    except Exception as error:
        raise ValueError(f"{workdir} has no intact checkpoint of step {step}: {error}") from None
    prefix = "ema_params/" if config.training.ema_decay else "params/"
    has_seeds = config.training.num_seeds > 1
    return params_by_name(
        {
            name.removeprefix(prefix): np.asarray(array[seed_index] if has_seeds else array, np.float32)
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
    )


def _result(
    result: Mapping[str, Any],
    of_seed: Mapping[str, Any],
    config: RunConfig,
    params: Params,
    scores: ExportScores,
) -> dict[str, Any]:
    """The result of the run with the scores of the rounded parameters, and how they came about."""
    test = {task: {str(_TEST.size): sizes[str(_TEST.size)]} for task, sizes in scores.by_size().items()}
    splits = {"validation": scores.validation, "test": test}
    copied = (
        "steps",
        "stopped_early",
        "stopped_by",
        "examples",
        "parameters",
        "seconds",
        "cpu_seconds",
        "hardware",
    )
    scoring = describe_precision(config.model.precision, Devices.one().platform)
    return {
        **{key: result[key] for key in copied if key in result},
        "best_step": of_seed["best_step"],
        "scores": splits,
        "averages": averages(splits),
        "protocol": protocol_record(_as_scored(config)),
        "exported_parameters_sha256": digest(params),
        "precision": {**result.get("precision", {}), **scoring_only(scoring)},
        "dtype": "float16",
        "selection": _selection(config),
        "command": training_command(config, f"runs/{config.algorithms[0]}"),
        "scoring": {"seconds": scores.seconds, "cpu_seconds": scores.cpu_seconds},
    }


def _as_scored(config: RunConfig) -> RunConfig:
    """A config whose test problems are those on which exports are scored, the test split of CLRS-30."""
    evaluation = dataclasses.replace(config.evaluation, test=EvaluationConfig().test)
    tasks = {
        name: {key: value for key, value in overrides.items() if key != "test"}
        for name, overrides in config.tasks.items()
    }
    return dataclasses.replace(config, evaluation=evaluation, tasks=tasks)


def _selection(config: RunConfig) -> str:
    sizes, selection = config.evaluation.selection_sizes, config.evaluation.selection
    where = f"problems of n = {', '.join(map(str, sizes))}" if sizes else "validation"
    return f"best {selection} on {where}, every {config.training.eval_every} steps"


def _evaluation(scores: ExportScores, config: RunConfig, step: int) -> dict[str, Any]:
    return {
        "scores": scores.by_size(),
        "step": step,
        "checkpoint": "best",
        "seeds": [_TEST.seed],
        "precision": scoring_only(describe_precision(config.model.precision, Devices.one().platform)),
        **as_json(scores.measurements),
    }
