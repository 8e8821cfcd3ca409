"""Metrics by name: built-in ones, custom ones, their checks, and a run that reports them."""

import dataclasses
import json
import types

import jax
import numpy as np
import pytest
from commands import ROOT, run

import nar
from experiments.examples.forest import is_forest
from nar.data import Transforms
from nar.evaluation import METRICS, Inference, Metric, exact_matches, find_metrics, score_traces
from nar.evaluation.inference import InferenceResult
from nar.evaluation.metrics import capture_of, compute_metrics
from nar.model import NetConfig, make_model
from nar.processors import PGN
from nar.reports import result_summary, result_table
from nar.reports.result_table import BUILT_IN_METRICS
from nar.specs import Kind, Location, make_spec

EXAMPLE = "experiments.examples.forest:is_forest"
SPECS = {"bfs": Transforms().spec(nar.ALGORITHMS["bfs"])}


@pytest.fixture(scope="module")
def network():
    model = make_model(NetConfig(PGN, 8), SPECS)
    traces = nar.sample_traces("bfs", 6, 5, seed=1)
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], traces)
    return model, model.init(jax.random.key(0), {"bfs": batch}), traces


def result_with(task, outputs, predicted):
    """Predictions without a network."""
    count = len(next(iter(predicted.values())))
    lengths = np.full(count, 2)
    batch = types.SimpleNamespace(inputs={}, outputs=outputs, lengths=lengths, neighbors=None)
    spec = nar.ALGORITHMS[task].spec
    return InferenceResult(task, spec, batch, predicted, np.ones(count, int), {}, None)


@pytest.mark.slow
def test_metrics_are_computed_in_addition_to_scores(network):
    model, params, traces = network
    metrics = find_metrics([EXAMPLE, "exact", "valid", "hint_score"], SPECS)
    assert list(metrics) == ["is_forest", "exact", "valid", "hint_score"]
    inference = Inference(model, Transforms(), capture=capture_of(metrics))
    result = inference.run(params, "bfs", traces)
    values = score_traces(inference, params, "bfs", traces, metrics)
    assert list(values) == ["pi", "score", *metrics]
    assert values["exact"] == exact_matches(result.spec, result.true_outputs, result.outputs).mean()
    assert values["is_forest"] == is_forest(result).mean()
    assert values["exact"] <= values["valid"] <= values["is_forest"] <= 1
    hints = METRICS["hint_score"].function(result)
    assert values["hint_score"] == pytest.approx(hints) and 0 < hints < 1
    assert score_traces(inference, params, "bfs", traces) == {k: values[k] for k in ("pi", "score")}


def test_example_recognizes_forests():
    parents = np.array([[0, 0, 1, 2, 3], [0, 2, 1, 3, 3], [1, 2, 3, 4, 0], [0, 1, 2, 3, 4], [4, 0, 1, 2, 4]])
    np.testing.assert_array_equal(
        is_forest(result_with("bfs", {"pi": parents}, {"pi": parents})), [True, False, False, True, True]
    )
    assert is_forest(result_with("minimum", {}, {"min": np.eye(5)})) is None


def test_inference_captures_what_the_metrics_read():
    assert capture_of({}) == capture_of(find_metrics(["exact", EXAMPLE], SPECS)) == "outputs"
    assert capture_of(find_metrics(["hint_score", "exact"], SPECS)) == "hints"
    assert capture_of({"one": Metric(lambda result: 0.0, "states"), **METRICS}) == "states"
    with pytest.raises(ValueError, match="unknown capture 'all'; known: outputs, hints, states"):
        Metric(is_forest, "all")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["exactt"], "unknown metric 'exactt'; known: exact, valid, hint_score, or module:ATTRIBUTE"),
        (["exact", "exact"], "'exact' is already the name"),
        (["nowhere:exact"], "metric 'nowhere:exact' cannot be imported"),
        (["experiments.examples.forest:forest"], "has no metric 'forest'; it has: is_forest"),
        (["nar.evaluation.metrics:exact"], "'exact' is already the name"),
        (["exact", "nar.evaluation.metrics:exact"], "'exact' is already the name"),
    ],
)
def test_invalid_names_raise_value_error(names, message):
    with pytest.raises(ValueError, match=message):
        find_metrics(names, SPECS)


@pytest.mark.parametrize("value", [np.zeros(4), np.zeros((5, 2)), "high", [None] * 5])
def test_invalid_values_raise_value_error(value):
    result = result_with("bfs", {}, {"pi": np.zeros((5, 3), int)})
    with pytest.raises(ValueError, match="metric 'mine' must return a number or 5 of them"):
        compute_metrics({"mine": Metric(lambda result: value)}, result)


def test_numbers_per_sample_are_averaged_and_none_is_left_out():
    result = result_with("bfs", {}, {"pi": np.zeros((4, 3), int)})
    functions = {"some": lambda r: [True, False, True, True], "one": lambda r: 3, "none": lambda r: None}
    metrics = {name: Metric(function) for name, function in functions.items()}
    assert compute_metrics(metrics, result) == {"some": 0.75, "one": 3.0}


def test_step_accuracies_by_hand():
    true = {"msk": np.zeros((4, 2, 3), int), "pi_h": np.zeros((4, 2, 3), int)}
    predicted = {name: np.zeros((3, 2, 3), int) for name in true}
    predicted["msk"][0, 0] = (1, 0, 0)
    predicted["msk"][2, 1] = (1, 1, 1)  # after the end of that trace
    predicted["pi_h"][1, 1] = (0, 2, 1)
    predicted["pi_h"][2, 0] = (1, 2, 0)
    lengths, steps = np.array([4, 3]), np.array([3, 3])
    batch = types.SimpleNamespace(hints=true, lengths=lengths)
    spec = nar.ALGORITHMS["bellman_ford"].spec
    result = InferenceResult("bellman_ford", spec, batch, {}, steps, predicted, None)
    names = [f"{what}_{steps}_step" for what in ("reachability", "predecessor") for steps in ("mean", "last")]
    metrics = find_metrics([f"nar.evaluation.step_accuracy:{name}" for name in names], SPECS)
    expected = dict(zip(names, (14 / 15, 1.0, 11 / 15, 2 / 6), strict=True))
    assert compute_metrics(metrics, result) == pytest.approx(expected)
    stopped_early = dataclasses.replace(result, steps=np.array([2, 1]))
    assert compute_metrics(metrics, stopped_early)["predecessor_last_step"] == 1.0
    assert compute_metrics(metrics, dataclasses.replace(result, hints={})) == {}


def test_reports_list_the_built_in_metrics():
    """They are shown in percent; reports do not import the registry, and with it jax."""
    assert set(BUILT_IN_METRICS) == set(METRICS)


def test_result_has_a_column_for_each_metric():
    values = {"pi": 0.5, "score": 0.5, "steps": 3.25, "exact": 0.25, "gap": 12.5}
    cost = {"steps": 1, "examples": 1, "seconds": 1.0, "parameters": 1, "best_step": 1}
    scores = {"test": {"bfs": {"64": values}, "dfs": {"64": {"pi": 0.5, "score": 0.5, "exact": 0.5}}}}
    text = result_summary({"scores": scores, "metrics": ["exact", "gap"], **cost})
    header, _, bfs, dfs, *_ = text.splitlines()
    assert header.split() == ["algorithm", "split", "n", "score", "exact", "gap", "outputs"]
    assert bfs.split() == [
        "bfs",
        "test",
        "64",
        "50.00%",
        "25.00%",
        "12.5",
        "pi",
        "50.00%,",
        "in",
        "3.2",
        "steps",
    ]
    assert dfs.split() == ["dfs", "test", "64", "50.00%", "50.00%", "–", "pi", "50.00%"]


def test_tolerance_of_scalar_outputs_is_below_the_table(monkeypatch):
    cost = {"steps": 1, "examples": 1, "seconds": 1.0, "parameters": 1, "best_step": 1}
    scores = {
        "test": {"bfs": {"64": {"pi": 0.5, "score": 0.5}}, "elsewhere": {"64": {"a": 1.0, "score": 1.0}}}
    }
    assert "within" not in result_summary({"scores": scores, **cost})
    total = make_spec(inputs={}, hints={}, outputs={"total": (Location.GRAPH, Kind.SCALAR)})
    monkeypatch.setattr(result_table, "ALGORITHMS", {"bfs": types.SimpleNamespace(spec=total)})
    line = "\n\nbfs/total: share of the numbers that are within 0.05 of the true one (relative to it if"
    assert line in result_summary({"scores": scores, **cost})


def test_nan_is_neither_exact_nor_valid():
    pi = np.array([[0, 0, 1]] * 2)
    adj = np.tile(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]]), (2, 1, 1))
    result = result_with("bfs", {"pi": pi}, {"pi": pi})
    result.batch.inputs = {"adj": adj, "A": adj, "s": np.tile([1, 0, 0], (2, 1)), "pos": np.zeros((2, 3))}
    for metric in ("exact", "valid"):
        np.testing.assert_array_equal(METRICS[metric].function(result), [True, True])
        one_nan = dataclasses.replace(result, has_nan=np.array([True, False]))
        np.testing.assert_array_equal(METRICS[metric].function(one_nan), [False, True])


@pytest.mark.slow
def test_run_reports_the_metrics_of_its_config(tmp_path):
    workdir = tmp_path / "run"
    flags = [
        f"--config={ROOT}/configs/tiny.py",
        "--config.training.steps=2",
        "--config.training.eval_every=2",
    ]
    metrics = f"--config.evaluation.metrics=('valid','{EXAMPLE}')"
    code, output, errors = run("train", f"--workdir={workdir}", *flags, metrics)
    assert code == 0, errors
    assert "is_forest" in output
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert {"validation/bfs/valid", "validation/bfs/is_forest"} <= set(lines[-1])
    result = json.loads((workdir / "result.json").read_text())
    assert result["metrics"] == ["valid", "is_forest"]
    scores = result["scores"]["test"]["bfs"]["64"]
    code, output, errors = run("evaluate", f"--workdir={workdir}", "--sizes=64", "--trust")
    assert code == 0, errors
    evaluated = json.loads((workdir / "evaluation.json").read_text())["measurements"][0]["metrics"]
    assert list(evaluated) == ["exact", "valid", "is_forest"]
    assert {name: evaluated[name] for name in result["metrics"]} == pytest.approx(
        {name: scores[name] for name in result["metrics"]}
    )
    flags = ["--metrics=valid,hits", "--trust", "--overwrite"]
    code, _, errors = run("evaluate", f"--workdir={workdir}", *flags)
    assert code != 0 and "--metrics: unknown metric 'hits'; known: exact, valid" in errors
