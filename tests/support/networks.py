"""Small networks for each task, compiled once, and comparisons of their predictions."""

import dataclasses
import functools

import every_kind
import jax
import numpy as np
import pytest
import tasks

import nar
from nar.data import Transforms, take
from nar.losses import losses_by_probe
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.specs import Kind, Location
from nar.traces import sample_traces

HIDDEN = 16
BATCH = 3
TASKS = [*tasks.COVERING, every_kind.NAME]
"""Tasks of all locations and kinds. Networks of every algorithm are built by the tests of parity."""
QUICK = ("bfs",)
"""Other tasks are marked slow."""
POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)
NODE_AXES = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def mark_slow(cases, quick=QUICK):
    """Marks cases `(task, ...)` slow unless their task is in `QUICK`."""
    return [pytest.param(*case, marks=[] if case[0] in quick else [pytest.mark.slow]) for case in cases]


every_task = pytest.mark.parametrize("task", mark_slow((task,) for task in TASKS))


def spec_of(task):
    return every_kind.SPEC if task == every_kind.NAME else Transforms().spec(nar.ALGORITHMS[task])


@functools.cache
def batch_of(task):
    """Three traces, the longest first; of different lengths if the algorithm has different lengths."""
    if task == every_kind.NAME:
        return every_kind.random_batch(0, batch_size=BATCH)
    algorithm = nar.ALGORITHMS[task]
    traces = sample_traces(task, max(5, algorithm.problem.min_size), 10, seed=2)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    batch = Transforms().apply(algorithm, traces, uniforms)
    longest_first = np.argsort(-batch.lengths, kind="stable")
    return take(batch, longest_first[[0, 4, 9]])


def random_params(model, task):
    """Random parameters of the right shapes, with biases and scales different from 0 and 1."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), {task: batch_of(task)})
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )


@functools.cache
def network(task, processor="triplet_gpgn", **options):
    """Model, parameters, and a compiled function that returns predictions and losses."""
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN, **options), {task: spec_of(task)})

    @functools.partial(jax.jit, static_argnums=2)
    def predict(params, batch, is_training, key):
        predictions = model.apply(params, key, task, batch, is_training)
        return predictions, losses_by_probe(model.specs[task], batch, predictions)

    return model, random_params(model, task), predict


def predict(task, batch, processor="triplet_gpgn", is_training=False, key=0, **options):
    """Predictions, and losses by probe."""
    _, params, apply = network(task, processor, **options)
    return apply(params, batch, is_training, jax.random.key(key))


def logits_shape(probe, num_nodes):
    return probe.shape(num_nodes) + ((num_nodes,) if probe.kind in INDICES else ())


def garbage_like(value):
    random = np.random.default_rng(0)
    if value.dtype.kind == "f":
        return 10 * random.standard_normal(value.shape)
    return random.integers(-1, 3, value.shape).astype(value.dtype)


def with_garbage(batch, first, last):
    """Replaces the outputs and the true hints of steps `first` ... `last - 1` by garbage."""

    def hint(value):
        value = value.copy()
        value[first:last] = garbage_like(value[first:last])
        return value

    return dataclasses.replace(
        batch,
        hints={name: hint(value) for name, value in batch.hints.items()},
        outputs={name: garbage_like(value) for name, value in batch.outputs.items()},
    )


def assert_close(first, second, tolerance=1e-5, names=""):
    """Asserts equality relative to the largest logit; masked logits must be masked in both."""
    first, second = np.asarray(first), np.asarray(second)
    assert first.shape == second.shape, names
    masked = second < -1e5
    np.testing.assert_array_equal(first < -1e5, masked, err_msg=names)
    scale = max(1.0, np.abs(second[~masked]).max(initial=0.0))
    np.testing.assert_allclose(
        first[~masked], second[~masked], rtol=tolerance, atol=tolerance * scale, err_msg=names
    )


def differ(first, second, tolerance=1e-4):
    """True if any leaf of two trees differs by more than `tolerance`."""
    distances = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), first, second)
    return any(distance > tolerance for distance in jax.tree.leaves(distances))


def max_abs(tree):
    """Largest absolute value of all leaves."""
    return max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree))
