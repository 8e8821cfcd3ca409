"""Scores on sets of problems, by task."""

import numpy as np

import nar
from nar.data import Transforms
from nar.evaluation import Inference, mean_score, score_problem_sets, split_scores
from nar.evaluation.problem_sets import make_problem_sets
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.traces import clrs30_sample

TASKS = ("bfs", "insertion_sort")


def scored(monkeypatch, **arguments):
    """Scores 1, 2, ... in the order of calls, and the traces of each call."""
    model = make_model(NetConfig(MPNN, 8), {task: Transforms().spec(nar.ALGORITHMS[task]) for task in TASKS})
    calls = []

    def score(inference, params, task, traces, metrics):
        calls.append((task, traces))
        return {"score": float(len(calls))}

    monkeypatch.setattr(split_scores, "score_traces", score)
    sets = {task: make_problem_sets(nar.ALGORITHMS[task], **arguments) for task in TASKS}
    return score_problem_sets(Inference(model, Transforms()), {}, sets), calls


def test_canonical_splits_are_scored_by_task(monkeypatch):
    scores, calls = scored(monkeypatch, sizes=(16,), seeds=(2,))
    assert scores == {"bfs": {"16": {"score": 1.0}}, "insertion_sort": {"16": {"score": 2.0}}}
    assert mean_score(scores) == 1.5
    for task, traces in calls:
        expected = nar.clrs30_split(task, "val").inputs
        for name, value in traces.inputs.items():
            np.testing.assert_array_equal(value, expected[name])


def test_scores_are_by_size_and_means_over_seeds(monkeypatch):
    scores, calls = scored(monkeypatch, sizes=(4, 6), seeds=(5, 8))
    assert scores == {
        "bfs": {"4": {"score": 1.5}, "6": {"score": 3.5}},
        "insertion_sort": {"4": {"score": 5.5}, "6": {"score": 7.5}},
    }
    _, traces = calls[2]
    np.testing.assert_array_equal(traces.inputs["A"], clrs30_sample("bfs", 6, 32, 5).inputs["A"])


def test_tasks_count_equally_in_the_mean_score():
    scores = {"bfs": {"4": {"score": 0.0}, "4, grid": {"score": 0.5}}, "minimum": {"4": {"score": 1.0}}}
    assert mean_score(scores) == 0.625
