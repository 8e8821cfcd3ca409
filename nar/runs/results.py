"""Validation scores during training, and the final result of a run."""

from typing import Any

import numpy as np

from nar.evaluation import Scores, class_mean_scores, mean_and_deviation, mean_score
from nar.evaluation.averages import mean_over_sets
from nar.evaluation.precision import describe_precision
from nar.model import Params
from nar.runs.components import RunComponents
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig
from nar.training import CheckpointStore, TrainState, count_parameters
from nar.training.devices import is_first_process
from nar.training.loop import PER_SEED, VALIDATION_SCORE
from nar.training.loop.callback import SELECTION, selecting
from nar.training.state import digest

SPLITS = {"validation": "val", "test": "test"}
"""Name in the result -> split on which the best checkpoint is scored."""


def validate(components: RunComponents, evaluator: Any, params: Params) -> dict[str, float]:
    """Scores on all validation problems by metric name: outputs, tasks, classes, and the mean over tasks.

    The mean score over tasks selects the best checkpoint, unless a metric or a split of its own does
    (`SELECTION`); the scores of that split have the prefix `selection/`. With several
    seeds, every metric is the mean over seeds; the selecting score of each seed and its standard deviation
    are added.
    """
    per_seed = [_validate_one(components, evaluator, one) for one in components.unstack_seeds(params)]
    if len(per_seed) == 1:
        return per_seed[0]
    means, deviations = mean_and_deviation(per_seed)
    name = selecting(means)
    of_seeds = {f"{name}{PER_SEED}{number}": scores[name] for number, scores in enumerate(per_seed)}
    return {**means, f"{name}/deviation": deviations[name], **of_seeds}


def _validate_one(components: RunComponents, evaluator: Any, params: Params) -> dict[str, float]:
    """The metrics of one seed."""
    scores = components.score_split(evaluator, params, "val")
    metrics = _by_name("validation", scores)
    if len(scores) > 1:
        classes = class_mean_scores(scores)
        metrics |= {f"validation/class/{name}": value for name, value in classes.items()}
        metrics["validation/score_of_classes"] = float(np.mean(list(classes.values())))
    metrics[VALIDATION_SCORE] = mean_score(scores)
    split, name = components.selection_split, components.selection
    if split != "val":
        scores = components.score_split(evaluator, params, split)
        metrics |= _by_name(split, scores)
        metrics[SELECTION] = mean_score(scores)
    if name != "score":
        sign = -1.0 if components.metrics[name].lower_is_better else 1.0
        by_task = [mean_over_sets(sizes.values()).get(name, np.nan) for sizes in scores.values()]
        metrics[SELECTION] = sign * float(np.mean(by_task))
    return metrics


def _by_name(prefix: str, scores: Scores) -> dict[str, float]:
    """Means over the sets of problems of each task, by metric name, and the scores of each of several."""
    metrics = {
        f"{prefix}/{task}/{output}": value
        for task, sizes in scores.items()
        for output, value in mean_over_sets(sizes.values()).items()
    }
    return metrics | {
        f"{prefix}/{task}/{output}/{label}": value
        for task, sizes in scores.items()
        for label, values in (sizes.items() if len(sizes) > 1 else ())
        for output, value in values.items()
    }


def compute_result(
    config: RunConfig | TextRunConfig,
    components: RunComponents,
    state: TrainState,
    checkpoints: CheckpointStore,
    evaluator: Any,
) -> dict[str, Any]:
    """Scores the best checkpoint of each seed: the result of a run without its duration.

    The scores are those of the averaged parameters, if the run has them; `raw_averages` are then the mean
    scores of the parameters of the same step that were not averaged.

    `parameters_sha256` is the digest of the last parameters, of all seeds, which tells whether two trainings
    were the same. Those that are scored have others: `exported_parameters_sha256` of an export is that of the
    best parameters in float16, and `loaded_parameters_sha256` of a warm start that of the parameters loaded.
    """
    evaluator.show_progress = is_first_process()
    per_seed, raw_averages, lost = [], [], dict[str, None]()
    selection_split = components.selection_split
    further = {} if selection_split == "val" else {selection_split: selection_split}
    for number in range(components.num_seeds):
        restored = checkpoints.best(state, number, fallback=config.training.checkpoint_fallback)
        best = components.unstack_seeds(restored.state.eval_params)[number]
        scores = {
            name: components.score_split(evaluator, best, split)
            for name, split in {**SPLITS, **further}.items()
        }
        per_seed.append({"best_step": int(restored.state.step), "scores": scores})
        if restored.state.ema_params is not None:
            raw = components.unstack_seeds(restored.state.params)[number]
            raw_scores = {
                name: components.score_split(evaluator, raw, split) for name, split in SPLITS.items()
            }
            raw_averages.append(averages(raw_scores))
        lost |= dict.fromkeys(map(str, restored.best.lost))
    training, devices = config.training, components.devices
    summary = {
        "steps": int(state.step),
        "stopped_early": int(state.step) < training.steps,
        "examples": components.stream.num_examples(int(state.step)) * components.num_seeds,
        "parameters": count_parameters(state.params) // components.num_seeds,
        "parameters_sha256": digest(state.params),
        "precision": describe_precision(compute_dtype(config), devices.platform),
        "hardware": devices.describe(),
    }
    if raw_averages:
        summary["raw_averages"] = (
            mean_and_deviation(raw_averages)[0] if len(raw_averages) > 1 else raw_averages[0]
        )
    if lost:
        summary["lost_checkpoints"] = list(lost)
    if components.metrics:
        summary["metrics"] = list(components.metrics)
    if components.protocol_record:
        summary["protocol"] = components.protocol_record
    return {**_over_seeds(per_seed, training.seed), **summary}


def _over_seeds(per_seed: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """The scores of a run; for several seeds, means, standard deviations and the scores of each seed."""
    with_averages = [{**one, "averages": averages(one["scores"])} for one in per_seed]
    if len(per_seed) == 1:
        return with_averages[0]
    numbers = [{key: one[key] for key in ("scores", "averages")} for one in with_averages]
    means, deviations = mean_and_deviation(numbers)
    seeds = [{"seed": seed + number, **one} for number, one in enumerate(with_averages)]
    best_steps = [one["best_step"] for one in per_seed]
    return {**means, "best_step": best_steps, "deviations": deviations, "seeds": seeds}


def averages(scores: dict[str, Scores]) -> dict[str, dict[str, float]]:
    """Per split: the mean score over algorithms, over classes, and of each class."""
    result = {}
    for split, task_scores in scores.items():
        classes = class_mean_scores(task_scores)
        means = {"algorithms": mean_score(task_scores), "classes": float(np.mean(list(classes.values())))}
        result[split] = {**means, **classes}
    return result


def compute_dtype(config: RunConfig | TextRunConfig) -> str:
    """Compute dtype of the network of a config; language models have no choice."""
    return config.model.precision if isinstance(config, RunConfig) else "float32"
