"""The evaluation protocol of a config: checked before any work, named in results, and its selection."""

import dataclasses
import re

import numpy as np
import pytest

import nar
from nar.evaluation import Metric
from nar.evaluation.metrics import METRICS
from nar.reports.result_table import protocol_note
from nar.runs.build import resolve_config
from nar.runs.components import build_graph_run
from nar.runs.components.protocol import check_protocol_metrics, protocol_record
from nar.runs.config import RunConfig
from nar.runs.results import validate
from nar.training.loop import VALIDATION_SCORE, Evaluation
from nar.training.loop.callback import SELECTION


def build(evaluation=None, **values):
    return build_graph_run({**values, "evaluation": evaluation or {}})


def described(components, split):
    return {
        task: [(one.label, dict(one.options), one.num_instances, one.seed) for one in sets]
        for task, sets in components.protocol.problem_sets[split].items()
    }


def with_sizes(monkeypatch, name, **bounds):
    """Registers a copy of bfs whose problem has other bounds on its size."""
    algorithm = nar.ALGORITHMS["bfs"]
    copy = dataclasses.replace(algorithm, name=name, problem=dataclasses.replace(algorithm.problem, **bounds))
    monkeypatch.setitem(nar.ALGORITHMS._entries, name, copy)


def test_default_is_that_of_clrs30():
    components = build(algorithms=("bfs", "minimum"))
    assert described(components, "val") == {"bfs": [("16", {}, 32, 2)], "minimum": [("16", {}, 2048, 2)]}
    assert described(components, "test") == {"bfs": [("64", {}, 32, 3)], "minimum": [("64", {}, 2048, 3)]}
    assert components.protocol_record["name"] == "CLRS-30" and components.selection == "score"


def test_every_part_can_be_set():
    test = {"sizes": [8, 9], "families": ["clrs30", "grid"], "problem": {"p": 0.3}, "count": 5, "seeds": [1]}
    components = build(
        {"test": test}, algorithms=("bfs", "minimum"), tasks={"minimum": {"test": {"count": 7}}}
    )
    sets = described(components, "test")
    assert sets["bfs"] == [(label, {"p": 0.3}, 5, 1) for label in ("8", "8, grid", "9", "9, grid")]
    assert sets["minimum"] == [("8", {}, 7, 1), ("9", {}, 7, 1)]
    assert described(components, "val")["bfs"] == [("16", {}, 32, 2)]


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluation": {"test": {"sizes": (32,)}}},
        {"evaluation": {"validation": {"count": 32}}},
        {"evaluation": {"test": {"problem": {"p": 0.5}}}},
        {"evaluation": {"selection": "exact"}},
        {"evaluation": {"selection_sizes": (32,)}},
        {"tasks": {"bfs": {"test": {"seeds": (4,)}}}},
    ],
)
def test_any_other_protocol_is_named_custom(changes):
    record = protocol_record(RunConfig.from_dict(changes))
    assert record["name"] == "custom"
    assert record.get("tasks", {}) == changes.get("tasks", {})
    harmless = {"evaluation": {"batch_size": 8, "metrics": ("exact",)}, "tasks": {"bfs": {"sizes": (4,)}}}
    assert protocol_record(RunConfig.from_dict(harmless))["name"] == "CLRS-30"


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"max_size": 20}, "evaluation.test: limited: size must be an integer from 1 to 20, got 64"),
        ({"max_size": 15}, "evaluation.validation: limited: size must be an integer from 1 to 15, got 16"),
        (
            {"min_size": 17},
            "evaluation.validation: limited: size must be an integer from 17 to 65536, got 16",
        ),
    ],
)
def test_sizes_that_cannot_be_drawn_are_errors_before_training(monkeypatch, bounds, message):
    with_sizes(monkeypatch, "limited", **bounds)
    data = {"sizes": (bounds.get("min_size", 4),)}
    with pytest.raises(ValueError, match=message):
        build(algorithms=("limited",), data=data)
    valid = {"sizes": (bounds.get("min_size", 12),)}
    components = build({"validation": valid, "test": valid}, algorithms=("limited",), data=data)
    assert {len(sets) for sets in components.protocol.problem_sets["test"].values()} == {1}


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ({"test": {"families": ("star",)}}, "evaluation.test: bfs: family must be one of"),
        ({"test": {"problem": {"q": 1}}}, "evaluation.test.problem.q: none of bfs has this option"),
        ({"test": {"problem": {"k": 4}}}, "evaluation.test.problem: option 'k' has no effect on any of: bfs"),
        ({"validation": {"seeds": ()}}, "evaluation.validation: bfs: at least one seed"),
        ({"validation": {"problem": {"family": "grid"}}}, "families are given by name"),
        (
            {"validation": {"counts": 3}},
            "evaluation.validation.counts; did you mean evaluation.validation.count",
        ),
        ({"selection": "scor"}, "evaluation.selection must be score or a metric: unknown metric 'scor'"),
    ],
)
def test_invalid_protocols_raise(evaluation, message):
    with pytest.raises(ValueError, match=message):
        build(evaluation)


def test_families_need_a_graph_problem():
    with pytest.raises(ValueError, match=r"evaluation.test.families: none of minimum is a graph problem"):
        build({"test": {"families": ("grid",)}}, algorithms=("minimum",))
    with pytest.raises(ValueError, match=r"unknown config key tasks.bfs.test.size; did you mean"):
        build(tasks={"bfs": {"test": {"size": (4,)}}})


def test_selection_sizes_are_problems_of_their_own():
    tasks = {"minimum": {"validation": {"count": 7}}}
    components = build({"selection_sizes": (24, 32)}, algorithms=("bfs", "minimum"), tasks=tasks)
    sets = described(components, "selection")
    assert sets["bfs"] == [("24", {}, 32, 4), ("32", {}, 32, 4)]
    assert sets["minimum"] == [("24", {}, 7, 4), ("32", {}, 7, 4)]
    assert described(components, "val")["bfs"] == [("16", {}, 32, 2)]
    assert components.selection_split == "selection" and build().selection_split == "val"
    record = components.protocol_record
    assert record["name"] == "custom" and tuple(record["selection_sizes"]) == (24, 32)
    with pytest.raises(
        ValueError, match=r"selection_sizes: bfs: size must be .*; set evaluation.selection_s"
    ):
        build({"selection_sizes": (0,)})
    with pytest.raises(ValueError, match="evaluation.selection_sizes: bfs: size 32 is given twice"):
        build({"selection_sizes": (32, 32)})


@pytest.mark.parametrize("selection", ["score", "exact"])
def test_selection_sizes_select(monkeypatch, selection):
    components = build({"selection_sizes": (24, 32), "selection": selection})
    beyond = {"bfs": {"24": {"score": 0.2, "exact": 0.0}, "32": {"score": 0.4, "exact": 0.1}}}
    of_split = {"val": scores(bfs={"score": 0.9, "exact": 0.8}), "selection": beyond}
    monkeypatch.setattr(type(components), "score_split", lambda *arguments: of_split[arguments[-1]])
    metrics = validate(components, None, {})
    assert metrics[VALIDATION_SCORE] == 0.9
    assert metrics["selection/bfs/score/32"] == 0.4 and metrics["selection/bfs/exact"] == 0.05
    expected = 0.3 if selection == "score" else 0.05
    assert Evaluation(metrics).score == metrics[SELECTION] == pytest.approx(expected)


def scores(**by_task):
    return {task: {"16": values} for task, values in by_task.items()}


@pytest.mark.parametrize("lower_is_better", [False, True])
def test_a_metric_selects(monkeypatch, lower_is_better):
    monkeypatch.setitem(METRICS._entries, "error", Metric(lambda result: 0.5, "outputs", lower_is_better))
    components = build({"selection": "error"}, algorithms=("bfs", "dfs"))
    values = scores(bfs={"score": 0.1, "error": 2.0}, dfs={"score": 0.3, "error": 4.0})
    monkeypatch.setattr(type(components), "score_split", lambda *arguments: values)
    metrics = validate(components, None, {})
    assert metrics[SELECTION] == (-3.0 if lower_is_better else 3.0)
    assert metrics[VALIDATION_SCORE] == pytest.approx(0.2)
    assert Evaluation(metrics).score == metrics[SELECTION]


def test_seeds_are_selected_by_the_metric(monkeypatch):
    components = build({"selection": "exact"}, training={"num_seeds": 2})
    values = iter([scores(bfs={"score": 0.9, "exact": 0.1}), scores(bfs={"score": 0.1, "exact": 0.3})])
    monkeypatch.setattr(type(components), "score_split", lambda *arguments: next(values))
    monkeypatch.setattr(type(components), "unstack_seeds", lambda components, params: [0, 1])
    evaluation = Evaluation(validate(components, None, {}))
    assert evaluation.seed_scores == [0.1, 0.3] and evaluation.score == pytest.approx(0.2)


def test_metrics_of_several_sets_are_means_and_by_set(monkeypatch):
    components = build()
    values = {"bfs": {"8": {"score": 0.25}, "8, grid": {"score": 0.75}}}
    monkeypatch.setattr(type(components), "score_split", lambda *arguments: values)
    assert validate(components, None, {}) == {
        "validation/bfs/score": 0.5,
        "validation/bfs/score/8": 0.25,
        "validation/bfs/score/8, grid": 0.75,
        VALIDATION_SCORE: 0.5,
    }


def test_failing_metrics_are_errors_before_training(monkeypatch):
    monkeypatch.setitem(METRICS._entries, "broken", Metric(lambda result: np.zeros(77)))
    monkeypatch.setitem(METRICS._entries, "undefined", Metric(lambda result: None))
    quick = {"validation": {"sizes": (4,)}}
    components = build({"metrics": ("broken",), **quick})
    with pytest.raises(ValueError, match="metric 'broken' fails for bfs: ValueError: metric 'broken' must"):
        check_protocol_metrics(components.protocol, components.tasks)
    components = build({"selection": "undefined", **quick})
    with pytest.raises(ValueError, match="evaluation.selection: metric 'undefined' is not defined for bfs"):
        check_protocol_metrics(components.protocol, components.tasks)
    components = build({"selection": "valid", "metrics": ("exact", "hint_score", "undefined"), **quick})
    check_protocol_metrics(components.protocol, components.tasks)


def test_a_config_of_json_is_the_same():
    config = RunConfig.from_dict(
        {"evaluation": {"test": {"sizes": [8]}}, "data": {"curriculum": [[5, {"a": 1}]]}}
    )
    assert resolve_config(config.to_dict()) == config and config.data.curriculum == ((5, {"a": 1}),)
    assert config.evaluation.validation.sizes == (16,) and config.evaluation.test.seeds == (3,)


def test_summaries_name_the_protocol():
    for changes, line in (
        ({}, "Protocol: CLRS-30."),
        ({"selection": "valid"}, "custom .* selected by valid"),
        ({"selection_sizes": (32,)}, "custom .* selected at n = 32[.]"),
        ({"selection": "valid", "selection_sizes": (24, 32)}, "selected by valid at n = 24, 32[.]"),
    ):
        record = protocol_record(RunConfig.from_dict({"evaluation": changes}))
        assert re.search(line, protocol_note({"protocol": record}))
    assert protocol_note({}) == ""
