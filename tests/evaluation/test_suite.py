"""The evaluation suite: sizes, families, seeds, hint scores, and the files of measurements."""

import csv
import functools

import jax
import numpy as np
import pytest

import nar
from nar import ALGORITHMS
from nar.data import FIRST_SUFFIX, Transforms
from nar.evaluation import (
    Case,
    Inference,
    find_metrics,
    make_cases,
    measure_cases,
    problem_sets,
    score_traces,
    summarize_cases,
)
from nar.evaluation.inference import InferenceResult
from nar.evaluation.scores import hint_scores
from nar.evaluation.suite_files import as_json, dump, write_csv
from nar.model import Budget, Learned, NetConfig, make_model
from nar.processors import PGN
from nar.reports import evaluation_table


@functools.cache
def network(task, **options):
    model = make_model(NetConfig(PGN, 8, **options), {task: Transforms().spec(ALGORITHMS[task])})
    batch = Transforms().apply(ALGORITHMS[task], nar.sample_traces(task, 5, 2, 0))
    return model, jax.jit(model.init)(jax.random.key(0), {task: batch})


@pytest.mark.slow
def test_hint_scores_ignore_traces_that_have_ended():
    model, params = network("heapsort")
    traces = nar.sample_traces("heapsort", 5, 6, seed=1)
    spec = Transforms().spec(ALGORITHMS["heapsort"])
    result = Inference(model, Transforms(), 6, capture="hints").run(params, "heapsort", traces)
    lengths = result.batch.lengths
    assert len(set(lengths)) > 1
    for name in result.hints:
        result.hints[name][:] = result.batch.hints[name][1:]
    perfect = hint_scores(result)
    assert set(perfect) == {probe.name for probe in spec.hints}
    assert all(values == [1.0] * (lengths.max() - 1) for values in perfect.values())
    last = int(lengths.max()) - 1
    alive = lengths - 1 >= last
    result.hints["parent"][last - 1, ~alive] = 4  # after their own last step
    result.hints["parent"][1] = (result.hints["parent"][1] + 1) % 5
    scores = hint_scores(result)["parent"]
    assert scores == [1.0, 0.0, *[1.0] * (last - 2)]


def test_cases_combine_sizes_and_applicable_families():
    cases = make_cases(["bfs", "minimum"], [4, 5], ["clrs30", "grid"], has_own_lengths=False)
    assert [(case.task, case.size, case.family) for case in cases] == [
        ("bfs", 4, "clrs30"), ("bfs", 5, "clrs30"), ("bfs", 4, "grid"), ("bfs", 5, "grid"),
        ("minimum", 4, "clrs30"), ("minimum", 5, "clrs30"),
    ]  # fmt: skip
    both = make_cases(["bfs"], [4], ["clrs30"], has_own_lengths=True)
    assert {case.lengths for case in both} == {"own", "true"}
    for tasks, sizes, families, message in (
        (["bfs"], [0], ["clrs30"], "bfs: size must be"),
        (["bfs"], [4], ["gird"], "bfs: family must be one of .*gird"),
        (["minimum"], [4], ["grid"], "family 'grid': none of minimum is a graph problem"),
    ):
        with pytest.raises(ValueError, match=message):
            make_cases(tasks, sizes, families, has_own_lengths=False)


def test_sizes_and_families_can_differ_by_task():
    sizes, families = {"bfs": [4, 5], "minimum": [9]}, {"bfs": ["tree"], "minimum": ["clrs30"]}
    cases = make_cases(["bfs", "minimum"], sizes, families, has_own_lengths=False, graph_tasks=["bfs"])
    assert [(case.task, case.size, case.family) for case in cases] == [
        ("bfs", 4, "tree"), ("bfs", 5, "tree"), ("minimum", 9, "clrs30"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="minimum is not a graph problem"):
        make_cases(["bfs", "minimum"], [4], {**families, "minimum": ["grid"]}, False, graph_tasks=["minimum"])


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measurements of a network with learned termination on two seeds, and the folder of its dumps."""
    model, params = network("bfs", termination=Learned(Budget(1, 1.0), prior=0.3))
    folder = tmp_path_factory.mktemp("dump")
    inferences = {
        lengths: Inference(model, Transforms(), 32, capture="states", true_lengths=lengths == "true")
        for lengths in ("own", "true")
    }
    cases = make_cases(["bfs"], [5], ["clrs30", "tree"], has_own_lengths=True)
    metrics = find_metrics(["exact", "valid", "hint_score"], model.specs)
    measurements = list(
        measure_cases(
            inferences, params, cases, [3, 4], metrics, lambda *result: dump(folder, *result) and None
        )
    )
    return model, params, measurements, folder


def test_suite_scores_equal_those_of_score_traces(measured):
    model, params, measurements, _ = measured
    assert [(one.case.family, one.case.lengths, one.seed) for one in measurements] == [
        (family, lengths, seed)
        for family in ("clrs30", "tree")
        for lengths in ("own", "true")
        for seed in (3, 4)
    ]
    traces = nar.traces.clrs30_sample("bfs", 5, 32, 3)
    expected = score_traces(Inference(model, Transforms(), 32), params, "bfs", traces)
    own, true = measurements[0], measurements[2]
    assert {**own.scores, "steps": own.steps} == pytest.approx(expected)
    assert true.steps == pytest.approx(np.maximum(traces.lengths - 1, 1).mean())
    for one in measurements:
        assert one.instances == 32
        assert 0 <= one.metrics["exact"] <= one.metrics["valid"] <= 1
        assert one.metrics["hint_score"] == pytest.approx(np.mean([np.mean(x) for x in one.hints.values()]))
    assert len(measurements[2].hints["reach_h"]) == traces.lengths.max() - 1
    statistics = summarize_cases(measurements)[Case("bfs", 5, "tree", "true")]["score"]
    scores = [one.scores["score"] for one in measurements[6:]]
    assert (statistics.mean, statistics.deviation) == pytest.approx((np.mean(scores), np.std(scores, ddof=1)))


def test_measurements_are_written_as_json_csv_and_a_table(measured, tmp_path):
    _, _, measurements, _ = measured
    content = as_json(measurements)
    assert len(content["measurements"]) == 8 and len(content["summary"]) == 4
    assert content["measurements"][0]["scores"] == measurements[0].scores
    assert content["summary"][0]["metrics"]["valid"]["count"] == 2
    write_csv(tmp_path / "scores.csv", measurements)
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["value"]) for row in rows if row["quantity"] == "score"]
    assert scores == [one.scores["score"] for one in measurements]
    hints = [row for row in rows if row["quantity"] == "hint/pi_h" and row["seed"] == "4"]
    assert [int(row["step"]) for row in hints[:2]] == [1, 2]
    table = evaluation_table(summarize_cases(measurements)).splitlines()
    assert table[0].split()[:9] == [
        "algorithm",
        "n",
        "graphs",
        "lengths",
        "steps",
        "score",
        "95",
        "%",
        "exact",
    ]
    assert len(table) == 6 and table[2].startswith("bfs") and "±" in table[2]


def test_dump_has_the_arrays_of_every_step(measured):
    _, _, measurements, folder = measured
    assert len(list(folder.iterdir())) == 8
    with np.load(folder / "bfs_n5_clrs30_true_seed3.npz") as file:
        arrays = dict(file)
    steps = int(arrays["steps"].max())
    assert arrays["states"].shape == (steps, 32, 5, 8)
    assert arrays["predicted_hint/pi_h"].shape == (steps, 32, 5)
    assert arrays["true_hint/pi_h"].shape == (steps + 1, 32, 5)
    accuracy = (arrays["predicted_output/pi"] == arrays["true_output/pi"]).mean()
    assert accuracy == pytest.approx(measurements[2].scores["pi"])


def test_dumped_permutations_are_predecessors_in_truth_and_prediction(tmp_path):
    algorithm, transforms = ALGORITHMS["insertion_sort"], Transforms()
    traces = nar.sample_traces(algorithm, 5, 3, 0)
    batch = transforms.apply(algorithm, traces)
    result = InferenceResult(
        algorithm.name, transforms.spec(algorithm), batch, traces.outputs, np.ones(3, int), {}, None
    )
    with np.load(dump(tmp_path, Case(algorithm.name, 5, "clrs30", "true"), 3, result)) as file:
        np.testing.assert_array_equal(file["true_output/pred"], traces.outputs["pred"])
        np.testing.assert_array_equal(file["predicted_output/pred"], traces.outputs["pred"])
        assert not [name for name in file if name.endswith(FIRST_SUFFIX)]


def test_network_without_hints_has_no_hint_scores():
    spec = Transforms().spec(ALGORITHMS["minimum"])
    model = make_model(NetConfig(PGN, 8, hint_mode="none"), {"minimum": spec})
    traces = nar.sample_traces("minimum", 5, 2, 0)
    batch = Transforms().apply(ALGORITHMS["minimum"], traces)
    params = model.init(jax.random.key(0), {"minimum": batch})
    result = Inference(model, Transforms(), 2, capture="hints").run(params, "minimum", traces)
    assert result.hints == {} and hint_scores(result) == {}


def test_hints_are_drawn_only_if_they_are_captured(monkeypatch):
    model, params = network("bfs")
    kept = []

    def draw(*arguments, all_hints, **options):
        kept.append(all_hints)
        return nar.traces.clrs30_sample(*arguments, all_hints=all_hints, **options)

    monkeypatch.setattr(problem_sets, "clrs30_sample", draw)
    cases = make_cases(["bfs"], [5], ["clrs30"], has_own_lengths=False)
    scores = []
    for capture in ("outputs", "hints"):
        inferences = {"true": Inference(model, Transforms(), 32, capture=capture)}
        (measurement,) = measure_cases(inferences, params, cases, [3], {})
        scores.append(measurement.scores)
    assert kept == [False, True] and scores[0] == scores[1]
