"""Inference: batches of any size, in order, without labels, compiled once per length bucket."""

import dataclasses

import jax
import numpy as np
import pytest

import nar
from nar.data import Transforms, take
from nar.evaluation import (
    Inference,
    score_traces,
)
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.traces import sample_traces

TASKS = ("bfs", "insertion_sort")


@pytest.fixture(scope="module")
def network():
    """An untrained network with random parameters, whose predictions differ between samples."""
    transforms = Transforms()
    specs = {task: transforms.spec(nar.ALGORITHMS[task]) for task in TASKS}
    model = make_model(NetConfig(MPNN, 8), specs)
    batches = {
        task: transforms.apply(nar.ALGORITHMS[task], sample_traces(task, 4, 2, seed=0)) for task in TASKS
    }
    shapes = jax.eval_shape(model.init, jax.random.key(0), batches)
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype(np.float32), shapes)
    return model, params


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=pytest.mark.slow if task != TASKS[0] else ()) for task in TASKS]
)
def test_predictions_do_not_depend_on_the_batch_size(network, task):
    model, params = network
    traces = sample_traces(task, 5, 7, seed=0)
    batch = Transforms().apply(nar.ALGORITHMS[task], traces)
    results = {}
    for batch_size in (7, 3):
        inference = Inference(model, Transforms(), batch_size)
        results[batch_size] = (
            inference.run_transformed(params, task, batch).outputs,
            score_traces(inference, params, task, traces),
        )
    for predicted, scores in results.values():
        assert scores == results[7][1]
        for name, value in predicted.items():
            np.testing.assert_array_equal(value, results[7][0][name])
    assert 0 < results[7][1]["score"] < 1


def test_inference_pads_every_batch_to_the_batch_size(network):
    model, params = network
    sizes = []

    def apply(params, key, task, batch, *rest, **options):
        sizes.append(batch.batch_size)
        return model.apply(params, key, task, batch, *rest, **options)

    inference = Inference(dataclasses.replace(model, apply=apply), Transforms(), batch_size=3)
    score_traces(inference, params, "bfs", sample_traces("bfs", 5, 7, seed=0))
    assert set(sizes) == {3}


def test_inference_keeps_the_order_of_samples(network):
    """Each sample has the same prediction as when it is predicted alone."""
    model, params = network
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], sample_traces("bfs", 5, 7, seed=0))
    inference = Inference(model, Transforms(), batch_size=3)
    together = inference.run_transformed(params, "bfs", batch).outputs["pi"]
    assert len({tuple(row) for row in together}) > 3
    for index in range(7):
        alone = inference.run_transformed(params, "bfs", take(batch, slice(index, index + 1))).outputs["pi"]
        np.testing.assert_array_equal(alone, together[index : index + 1])


def test_inference_does_not_read_labels(network):
    """Outputs and hints after the first step do not affect the predictions."""
    model, params = network
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], sample_traces("bfs", 5, 3, seed=0))
    inference = Inference(model, Transforms(), batch_size=3)
    expected = inference.run_transformed(params, "bfs", batch).outputs["pi"]
    garbage = {name: np.concatenate([value[:1], 7 - value[1:]]) for name, value in batch.hints.items()}
    other = type(batch)(batch.inputs, garbage, {"pi": 0 * batch.outputs["pi"]}, batch.lengths)
    np.testing.assert_array_equal(inference.run_transformed(params, "bfs", other).outputs["pi"], expected)


def test_inference_compiles_once_per_length_bucket(network):
    model, params = network
    inference = Inference(model, Transforms(), batch_size=4)
    lengths = set()
    for seed in range(4):
        traces = sample_traces("bfs", 5, 7, seed=seed)
        lengths.add(traces.num_steps)
        score_traces(inference, params, "bfs", traces)
    assert len(lengths) > 1
    assert inference.num_programs == 1


@pytest.mark.slow
def test_inference_equals_the_predictor_for_every_capture(network):
    task = "insertion_sort"
    model, params = network
    traces = nar.sample_traces(task, 5, 5, seed=1)
    batch = Transforms().apply(nar.ALGORITHMS[task], traces)
    predicted = Inference(model, Transforms(), 2).run_transformed(params, task, batch)
    for capture in ("outputs", "hints", "states"):
        result = Inference(model, Transforms(), 2, capture=capture).run(params, task, traces)
        for name, value in predicted.outputs.items():
            np.testing.assert_array_equal(result.outputs[name], value)
        np.testing.assert_array_equal(result.steps, predicted.steps)
        assert (result.states is not None) == (capture == "states")
        assert bool(result.hints) == (capture != "outputs")
    prediction = nar.evaluation.Predictor(model, params)(task, traces.inputs["key"][3])
    steps = prediction.steps
    assert result.steps[3] == steps and result.states.shape == (result.steps.max(), 5, 5, 8)
    for name, value in prediction.hints.items():
        np.testing.assert_array_equal(result.hints[name][:steps, 3], value[1:], err_msg=name)


def test_unknown_capture_raises_value_error(network):
    with pytest.raises(ValueError, match="unknown capture 'all'; known: outputs, hints, states"):
        Inference(network[0], Transforms(), capture="all")


def test_hints_that_nobody_reads_are_not_decoded():
    """Without feedback, the program has no hint decoders unless hints are captured."""
    bfs, transforms = nar.ALGORITHMS["bfs"], Transforms()
    batch = transforms.apply(bfs, sample_traces("bfs", 4, 2, seed=0))
    first = {name: value[:1] for name, value in batch.hints.items()}
    products = {}
    for hint_mode, capture in (("none", "outputs"), ("decoded_only", "outputs"), ("decoded_only", "hints")):
        model = make_model(NetConfig(MPNN, 8, hint_mode=hint_mode), {"bfs": transforms.spec(bfs)})
        shapes = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})
        predict = Inference(model, transforms, 2, capture=capture)._predict
        program = predict.lower(shapes, "bfs", dataclasses.replace(batch, hints=first, outputs={}), 3)
        products[hint_mode, capture] = program.as_text().count("dot_general")
    assert products["decoded_only", "outputs"] == products["none", "outputs"]
    assert products["decoded_only", "outputs"] < products["decoded_only", "hints"]
