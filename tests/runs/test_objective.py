"""Objectives and loss weights of a config, and a run with a custom objective."""

import jax
import numpy as np
import optax
import pytest

from configs import tiny
from nar import train
from nar.data import pad_nodes
from nar.losses import supervised, with_views
from nar.runs.components import GraphComponents, build_graph_run
from nar.runs.components.objective import loss_names
from nar.training import Callback

CONSISTENCY = "experiments.examples.permutation_consistency:permutation_consistency"


def flat_adam(learning_rate):
    """An optimizer whose state is one array for all parameters."""
    return optax.flatten(optax.adam(learning_rate))


def padded_if_large(task, traces, generators):
    num_nodes = traces.inputs["pos"].shape[1]
    return pad_nodes(traces, task.spec, 20) if num_nodes > 4 else traces


@with_views(padded=padded_if_large)
def padded_objective(model, params, key, batch, context):
    """An objective whose view has padded nodes."""
    return supervised(model, params, key, batch.batch, context)


def config_with(**training):
    config = tiny.get_config()
    config.algorithms = ("bfs", "minimum")
    config.model.hidden_size = 4
    config.training.update(training)
    return config.to_dict()


def test_objective_and_its_views():
    components = build_graph_run(config_with())
    assert components.objective is supervised and not components.stream.views
    weights = {"consistency/hidden": 0.1, "bfs/consistency/hints": 2.0, "auxiliary": 0.5, "minimum": 3.0}
    components = build_graph_run(config_with(objective=CONSISTENCY, loss_weights=weights, num_seeds=2))
    assert components.loss_weights == weights
    assert set(components.stream.batch(0).views) == {"permuted"}
    names = loss_names(components.model, components.objective, components.stream)
    assert set(names["bfs"]) == {"pi", "pi_h", "reach_h", "consistency/hidden", "consistency/hints"}


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            {"objective": "contrast"},
            "training.objective: unknown objective 'contrast'; known",
        ),
        (
            {"objective": "nowhere:objective"},
            "training.objective: objective 'nowhere:objective' cannot",
        ),
        (
            {"objective": CONSISTENCY, "loss_weights": {"consistency": 1.0}},
            "^training.loss_weights: unknown loss weight 'consistency'; known: hint, .*consistency/hidden",
        ),
        (
            {"loss_weights": {"consistency/hidden": 1.0}},
            "unknown loss weight 'consistency/hidden'; known:",
        ),
        ({"objective": CONSISTENCY, "loss_weights": {"consistency/hidden": -1.0}}, "must be a finite number"),
        (
            {"objective": "test_objective:padded_objective", "chunk_length": 2},
            r"training.objective: view 'padded' has padded nodes \(num_nodes\), which is not possible",
        ),
        ({"optimizer": "test_objective:flat_adam"}, "cannot train several tasks"),
    ],
)
def test_errors_come_before_work(training, message):
    config = config_with(**training)
    config["data"]["sizes"] = (4, 5)
    with pytest.raises(ValueError, match=message):
        build_graph_run(config)


class FailOnce(Callback):
    """Raises after step 5 if there is no checkpoint after that step yet."""

    has_failed = True

    def on_step(self, report):
        if report.step == 5 and not FailOnce.has_failed:
            FailOnce.has_failed = True
            raise RuntimeError("failure of the test")


def assert_resumes_bit_for_bit(config, folder, metric):
    """Compares a whole run with one that fails once; both log a metric."""
    expected = train(config, folder / "whole")
    FailOnce.has_failed = False
    with pytest.raises(RuntimeError, match="failure of the test"):
        train(config, folder / "resumed")
    resumed = train(config, folder / "resumed")
    jax.tree.map(np.testing.assert_array_equal, resumed.params, expected.params)
    for name in ("whole", "resumed"):
        assert metric in (folder / name / "metrics.jsonl").read_text()


def half(components, evaluator, params, split):
    """Scores that take no time."""
    return {"bfs": {"64" if split == "test" else "16": {"pi": 0.5, "score": 0.5}}}


@pytest.mark.slow
def test_a_run_with_views_resumes_bit_for_bit_on_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(GraphComponents, "score_split", half)
    training = {
        "objective": CONSISTENCY,
        "callbacks": ("test_objective:FailOnce",),
        "chunk_length": 2,
        "steps": 8,
        "eval_every": 4,
        "log_every": 1,
    }
    config = {**config_with(**training), "algorithms": ("bfs",)}
    assert_resumes_bit_for_bit(config, tmp_path, '"loss/bfs/consistency/hidden"')


def relic_config(**training):
    config = config_with(
        objective="hint_relic",
        objective_options={"new_nodes": 2},
        grad_accumulation_steps=2,
        steps=8,
        eval_every=4,
        log_every=1,
        callbacks=("test_objective:FailOnce",),
        **training,
    )
    config["model"] |= {"pair_size": 3, "hint_mode": "decoded_only"}
    config["data"]["reversed_pointers"] = True
    return {**config, "algorithms": ("bfs", "insertion_sort")}


@pytest.mark.slow
def test_hint_relic_is_built_for_several_tasks():
    weights = {"relic/contrast": 0.5, "bfs/relic/invariance": 2.0}
    components = build_graph_run(relic_config(loss_weights=weights))
    names = loss_names(components.model, components.objective, components.stream)
    assert set(names["insertion_sort"]) >= {"relic/contrast", "relic/invariance", "pred_h_reversed", "pred_h"}
    assert components.objective.new_nodes == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": {"pair_size": 0}},
            "training.objective: hint_relic compares pair features: set model.pair_",
        ),
        (
            {"algorithms": ("bfs", "minimum")},
            "training.objective: minimum has no hint that points from nodes",
        ),
        (
            {"algorithms": ("lcs_length",)},
            "training.objective: lcs_length has no hint that points from nodes",
        ),
        (
            {"algorithms": ("graham_scan",)},
            "unknown algorithm with an augmentation 'graham_scan'; known: insert",
        ),
        ({"training": {"chunk_length": 2}}, "view 'augmented' needs whole traces"),
        ({"training": {"window_length": 2}}, "view 'augmented' needs whole traces"),
        ({"training": {"objective_options": {"tau": 1}}}, "training.objective: unknown option of hint_relic"),
    ],
)
def test_hint_relic_that_cannot_work_is_an_error(changes, message):
    config = relic_config()
    for section, values in changes.items():
        config[section] = {**config[section], **values} if isinstance(values, dict) else values
    with pytest.raises(ValueError, match=message):
        build_graph_run(config)


@pytest.mark.slow
def test_hint_relic_resumes_bit_for_bit(tmp_path, monkeypatch):
    """Two tasks, two seeds, two micro-batches."""
    monkeypatch.setattr(GraphComponents, "score_split", scores_of_two_tasks)
    config = relic_config(num_seeds=2)
    assert_resumes_bit_for_bit(config, tmp_path, '"loss/bfs/relic/contrast')


def scores_of_two_tasks(components, evaluator, params, split):
    """Scores that take no time."""
    size = "64" if split == "test" else "16"
    return {task: {size: {"score": 0.5}} for task in ("bfs", "insertion_sort")}
