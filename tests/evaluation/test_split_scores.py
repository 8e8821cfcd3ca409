"""Scores of whole splits and of other sizes, by task."""

import numpy as np

import nar
from nar.data import Transforms
from nar.evaluation import (
    Inference,
    mean_score,
    score_split,
    split_scores,
)
from nar.evaluation.split_scores import score_sizes
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.traces import CLRS30_SPLITS, clrs30_sample

TASKS = ("bfs", "insertion_sort")


def test_splits_and_sizes_are_scored_by_task(monkeypatch):
    model = make_model(NetConfig(MPNN, 8), {task: Transforms().spec(nar.ALGORITHMS[task]) for task in TASKS})
    calls = []

    def score(inference, params, task, traces, metrics):
        calls.append((task, traces))
        return {"score": float(len(calls))}

    monkeypatch.setattr(split_scores, "score_traces", score)
    scores = score_split(Inference(model, Transforms()), {}, "val")
    size = str(CLRS30_SPLITS["val"].size)
    assert scores == {"bfs": {size: {"score": 1.0}}, "insertion_sort": {size: {"score": 2.0}}}
    assert mean_score(scores) == 1.5
    for task, traces in calls:
        expected = nar.clrs30_split(task, "val").inputs
        for name, value in traces.inputs.items():
            np.testing.assert_array_equal(value, expected[name])
    calls.clear()
    scores = score_sizes(Inference(model, Transforms()), {}, [4, 6], seed=5)
    assert scores == {
        "bfs": {"4": {"score": 1.0}, "6": {"score": 2.0}},
        "insertion_sort": {"4": {"score": 3.0}, "6": {"score": 4.0}},
    }
    task, traces = calls[1]
    np.testing.assert_array_equal(traces.inputs["A"], clrs30_sample("bfs", 6, 32, 5).inputs["A"])
