"""The example of an objective with a view: with gradient accumulation, seeds and time chunks."""

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest

import nar
from experiments.examples.permutation_consistency import permutation_consistency, permuted
from nar.data import MultiSeedStream, Task, TrainingStream, slice_chunk
from nar.data.views import map_views
from nar.losses import views_of, with_views
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.training import Devices, init_state, make_train_step
from nar.training.train_step import loop_seeds, unstack_seeds
from nar.training.train_step.gradient_accumulation import MicroBatch
from nar.training.train_step.objective_gradients import evaluate_objective

DEVICES, OPTIMIZER = Devices.one(), optax.sgd(0.1)
CONSISTENCY = ("loss/bfs/consistency/hidden", "loss/bfs/consistency/hints")
TASK = Task(nar.ALGORITHMS["bfs"], (5,))
MODEL = make_model(NetConfig(MPNN, 4), {"bfs": TASK.spec})


def stream_of(seed=0, objective=permutation_consistency, **options):
    return TrainingStream([TASK], 4, seed, views=views_of(objective), **options)


def make_step(objective=permutation_consistency, **options):
    weights = {"consistency/hidden": 0.5, "consistency/hints": 2.0}
    return make_train_step(MODEL, OPTIMIZER, objective, loss_weights=weights, **options)


def trained(stream, step, seed=0, num_steps=2):
    state = DEVICES.make_state(
        lambda: init_state(MODEL, OPTIMIZER, stream.examples(), seed, chunks=stream.chunk_examples())
    )
    rows = []
    for index in range(num_steps):
        batch = DEVICES.put_batch(stream.batch(index), stream.num_leading_axes)
        state, metrics = step(state, batch, "bfs", stream.stream_key(index))
        rows.append(metrics)
    return jax.device_get((dataclasses.replace(state, key=None), rows))


def assert_close(first, second):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5), first, second)


@pytest.mark.slow
def test_weights_and_metrics_follow_from_the_terms():
    _, rows = trained(stream_of(), make_step(), num_steps=1)
    losses = {name: value for name, value in rows[0].items() if name.startswith("loss/")}
    assert set(losses) == {*CONSISTENCY, *(f"loss/bfs/{name}" for name in ("pi", "pi_h", "reach_h"))}
    assert all(losses[name] > 1e-5 for name in CONSISTENCY)
    factors = dict(zip(CONSISTENCY, (0.5, 2.0), strict=True))
    total = sum(value * factors.get(name, 1.0) for name, value in losses.items())
    assert float(rows[0]["loss"]) == pytest.approx(float(total), rel=1e-5)


@with_views(
    permuted=lambda task, traces, generators: with_positions(permuted(task, traces, generators), traces)
)
def with_permuted_positions(*arguments):
    """The objective on problems whose positions are permuted, too."""
    return permutation_consistency(*arguments)


def with_positions(view, traces):
    permutation = view.inputs["permutation"]
    pos = np.take_along_axis(traces.inputs["pos"], permutation, axis=1)
    return dataclasses.replace(view, inputs={**view.inputs, "pos": pos})


@pytest.mark.slow
def test_networks_are_equivariant_if_positions_are_permuted_too():
    _, rows = trained(stream_of(objective=with_permuted_positions), make_step(with_permuted_positions))
    for row in rows:
        assert all(row[name] < 1e-9 for name in CONSISTENCY)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_length", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_accumulated_gradients_equal_those_of_the_whole_batch(chunk_length):
    """The rows of batch and views are in the order of micro-batches in both cases."""
    stream = stream_of(num_microbatches=2, chunk_length=chunk_length)
    results = [trained(stream, make_step(num_microbatches=number), num_steps=3) for number in (1, 2)]
    assert_close(*(state.params for state, _ in results))
    for row, other in zip(*(rows for _, rows in results), strict=True):
        for name in CONSISTENCY:
            np.testing.assert_allclose(row[name], other[name], rtol=1e-4)


@pytest.mark.slow
def test_each_seed_equals_its_own_run():
    streams = [stream_of(seed) for seed in (3, 4)]
    stacked, rows = trained(MultiSeedStream(streams), make_step(map_over_seeds=loop_seeds), [3, 4])
    states = unstack_seeds(dataclasses.replace(stacked, step=None), 2)
    for index, seed in enumerate((3, 4)):
        state, expected = trained(streams[index], make_step(), seed)
        assert_close(states[index].params, state.params)
        for row, other in zip(rows, expected, strict=True):
            assert_close(
                {name: row[name][index] for name in other if name.startswith("loss")},
                {name: value for name, value in other.items() if name.startswith("loss")},
            )


@pytest.mark.slow
def test_chunks_continue_from_the_states_of_their_own_view():
    """The losses of chunks add up to those of whole traces."""
    stream = stream_of()
    whole, params = stream.batch(0), MODEL.init(jax.random.key(0), stream.examples())
    evaluate = jax.jit(functools.partial(evaluate_objective, permutation_consistency, MODEL, "bfs"))

    def terms(batch, carry):
        result = evaluate(params, MicroBatch(batch, jax.random.key(1), carry=carry))
        return {name: np.array([term.sum, term.count]) for name, term in result.terms.items()}, result.carry

    expected, _ = terms(whole, {})
    total, carry = dict.fromkeys(expected, 0.0), {}
    for first in range(0, int(whole.batch.lengths.max()) - 1, 2):
        chunk = map_views(lambda view, first=first: slice_chunk(view, first, 2), whole)
        values, carry = terms(chunk, carry)
        total = {name: total[name] + value for name, value in values.items()}
    assert set(carry) == {"batch", "permuted"}
    for name, value in expected.items():
        np.testing.assert_allclose(total[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
