"""The network: complete tables, no leaks, and a result that depends on nothing that it should not."""

import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

import every_kind
import nar
import oracle
from nar import specs
from nar.batches import Task, TrainingStream, Transforms, pad_batch, pad_nodes, pad_steps, take
from nar.evaluation import SCORES
from nar.losses import LOSSES, losses_by_probe
from nar.model import DECODERS, HINT_FEEDBACKS, VIEWS, NetConfig, decode_hard, decode_soft, densify
from nar.model import log_sinkhorn, make_model, values
from nar.model.decoders import max_dot
from nar.processors import MPNN, PROCESSORS, Processed
from nar.specs import Kind, Location, Spec, Stage
from nar.traces import sample_traces
from nar.training import Devices, init_state, make_optimiser, make_step

HIDDEN = 16
BATCH = 3
TASKS = [*nar.ALGORITHMS, every_kind.NAME]
every_task = pytest.mark.parametrize("task", TASKS)
PAIRS = [(task, "triplet_gpgn") for task in TASKS] + [(task, "mpnn") for task in ("bfs", every_kind.NAME)]
every_pair = pytest.mark.parametrize(("task", "processor"), PAIRS)


def spec_of(task):
    return every_kind.SPEC if task == every_kind.NAME else Transforms().spec(nar.ALGORITHMS[task])


@functools.cache
def batch_of(task):
    """Three traces, of several lengths where the algorithm has several."""
    if task == every_kind.NAME:
        return every_kind.random_batch(0)
    algorithm = nar.ALGORITHMS[task]
    traces = sample_traces(task, max(5, algorithm.problem.min_size), 3 * BATCH, seed=0)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    batch = Transforms().apply(algorithm, traces, uniforms)
    rows = np.argsort(batch.lengths, kind="stable")[:: -len(batch.lengths) // BATCH][:BATCH]
    return take(batch, rows)


def shaken(params):
    """Parameters moved off their initial 0 and 1."""
    random = np.random.default_rng(0)
    return jax.tree.map(lambda x: x + 0.1 * random.standard_normal(x.shape).astype(np.float32), params)


@functools.cache
def network(task, processor="triplet_gpgn", **options):
    """Model, parameters, and a compiled function of predictions and losses."""
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN, **options), {task: spec_of(task)})
    params = shaken(jax.jit(model.init)(jax.random.key(0), {task: batch_of(task)}))

    @functools.partial(jax.jit, static_argnums=2)
    def predict(params, batch, is_training=False):
        predictions = model.apply(params, jax.random.key(1), task, batch, is_training)
        return predictions, losses_by_probe(model.specs[task], batch, predictions)

    return model, params, predict


def predict(task, batch, processor="triplet_gpgn", is_training=False, **options):
    _, params, apply = network(task, processor, **options)
    return apply(params, batch, is_training)
