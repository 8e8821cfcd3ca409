"""Predictions for graphs that are read as edges equal those for graphs that are read as matrices."""

import jax
import numpy as np
import pytest

import nar
from nar.algorithms.on_lists.registry import STEPS_ON_LISTS
from nar.data import Transforms
from nar.evaluation import Predictor
from nar.model import Budget, FromTrace, NetConfig, make_model
from nar.processors import PGN

TRANSFORMS = Transforms(neighbor_lists=True)
UNDIRECTED = ("discrete_mst_prim", "eccentricity", "fast_mis", "mst_prim")
CASES = [(name, FromTrace()) for name in STEPS_ON_LISTS] + [("bfs", Budget(2, 0.5))]


def problems(name):
    """Graphs with self-loops, isolated nodes and, unless the algorithm forbids them, directed edges."""
    random = np.random.default_rng(0)
    for size in (1, 5, 9, 9):
        matrix = random.integers(0, 2, (size, size)) * random.uniform(0.1, 1, (size, size))
        if name in UNDIRECTED:
            matrix = np.triu(matrix) + np.triu(matrix, 1).T
        further = {"s": size - 1, "numbers": random.uniform(size=(3, size))}
        yield {"matrix": matrix} | {key: further[key] for key in nar.ALGORITHMS[name].problem.arguments[1:]}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "termination"), CASES)
def test_predictions_equal_those_for_matrices(name, termination, monkeypatch):
    algorithm = nar.ALGORITHMS[name]
    config = NetConfig(lambda hidden: PGN(hidden), 8, termination=termination, pairs="edges")
    model = make_model(config, {name: TRANSFORMS.spec(algorithm)})
    batch = TRANSFORMS.apply(algorithm, nar.sample_traces(name, 5, 2, 0))
    params = model.init(jax.random.key(0), {name: batch})
    predict = Predictor(model, params, TRANSFORMS)
    found = predict.many(name, problems(name))
    alone = [predict(name, **problem) for problem in problems(name)]
    monkeypatch.setattr("nar.evaluation.predictor.runs_on_lists", lambda algorithm: False)
    expected = predict.many(name, problems(name))
    for one, single, other in zip(found, alone, expected, strict=True):
        assert one.steps == single.steps == other.steps
        for prediction in (one, single):
            for values, others in ((prediction.outputs, other.outputs), (prediction.hints, other.hints)):
                assert values.keys() == others.keys()
                for key, value in values.items():
                    np.testing.assert_allclose(value, others[key], atol=1e-5)
            np.testing.assert_allclose(prediction.states, other.states, atol=1e-5)
