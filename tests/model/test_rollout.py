"""The rollout: shapes, no leakage of ground truth, invariances, recurrent state and hidden states."""

import dataclasses
import functools

import every_kind
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasks
from networks import (
    BATCH,
    HIDDEN,
    INDICES,
    NODE_AXES,
    POINTERS,
    TASKS,
    assert_close,
    batch_of,
    differ,
    every_task,
    logits_shape,
    mark_slow,
    max_abs,
    network,
    predict,
    random_params,
    spec_of,
    with_garbage,
)

from nar import ALGORITHMS
from nar.data import Transforms, pad_batch, pad_nodes, pad_steps, slice_chunk, take
from nar.losses import losses_by_probe
from nar.model import Budget, Learned, NetConfig, make_model
from nar.model.params_by_task import flatten_tasks
from nar.model.rollout import Step, unroll
from nar.processors import PGN, ProcessorOutput
from nar.specs import Kind

slow = pytest.mark.slow

# ---------------------------------------------------------------------------------------------------
# Shapes


@every_task
def test_predictions_have_the_shapes_of_their_probes(task):
    batch, spec = batch_of(task), spec_of(task)
    num_nodes = batch.inputs["pos"].shape[1]
    predictions, losses = predict(task, batch)
    assert set(predictions.outputs) == {probe.name for probe in spec.outputs}
    assert set(predictions.hints) == {probe.name for probe in spec.hints}
    assert set(losses) == set(predictions.outputs) | set(predictions.hints)
    for probe in spec.outputs:
        assert predictions.outputs[probe.name].shape == (BATCH, *logits_shape(probe, num_nodes))
    for probe in spec.hints:
        shape = (batch.num_steps - 1, BATCH, *logits_shape(probe, num_nodes))
        assert predictions.hints[probe.name].shape == shape
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((predictions, losses)))


# ---------------------------------------------------------------------------------------------------
# No leakage of ground truth


@pytest.mark.parametrize(
    ("task", "is_training", "processor"),
    [
        *mark_slow((task, False, "triplet_gpgn") for task in TASKS),
        *mark_slow((task, True, "triplet_gpgn") for task in ("bfs", "insertion_sort")),
        *mark_slow((task, False, "pgn_mask") for task in ("bfs", "insertion_sort")),
        pytest.param(every_kind.NAME, False, "pgn_mask", marks=slow),
    ],
)
def test_predictions_do_not_depend_on_later_hints_or_outputs(task, is_training, processor):
    batch = batch_of(task)
    garbage = with_garbage(batch, 1, None)
    (before, losses), (after, other_losses) = (
        predict(task, b, processor, is_training=is_training) for b in (batch, garbage)
    )
    jax.tree.map(np.testing.assert_array_equal, after, before)
    assert differ(losses, other_losses)
    first_step, _ = predict(task, with_garbage(batch, 0, 1), processor, is_training=is_training)
    assert differ(first_step.outputs, before.outputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[slow] * (task != "bfs")) for task in (*tasks.COVERING, every_kind.NAME)],
)
def test_predictions_have_no_gradient_with_respect_to_later_hints_or_outputs(task):
    """The gradient is exactly zero, while that of the initial hints is not."""
    batch, spec, (model, params, _) = batch_of(task), spec_of(task), network(task, "pgn")
    truth = {
        name: value.astype(np.float32)
        for stage in (batch.hints, batch.outputs)
        for name, value in stage.items()
        if spec[name].kind not in INDICES
    }

    @jax.jit
    def gradient(truth, seed):
        """Gradient of a random linear combination of all predictions."""

        def predictions(truth):
            with_floats = dataclasses.replace(
                batch,
                hints={name: truth.get(name, value) for name, value in batch.hints.items()},
                outputs={name: truth.get(name, value) for name, value in batch.outputs.items()},
            )
            predicted = model.apply(params, None, task, with_floats, False)
            return predicted.outputs, predicted.hints

        predicted, vjp = jax.vjp(predictions, truth)
        leaves, structure = jax.tree.flatten(predicted)
        keys = jax.random.split(jax.random.key(seed), len(leaves))
        weights = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        return vjp(jax.tree.unflatten(structure, weights))[0]

    for name, value in gradient(truth, 0).items():
        if name in batch.hints:
            assert np.abs(value[0]).max() > 1e-6, name
            value = value[1:]
        assert not np.any(value), name


# ---------------------------------------------------------------------------------------------------
# Padding


def without_padding_nodes(probe, value, leading, num_nodes):
    axes = NODE_AXES[probe.location] + (probe.kind in POINTERS)
    return np.asarray(value)[(slice(None),) * leading + (slice(num_nodes),) * axes]


@pytest.mark.parametrize(
    ("task", "processor"),
    [
        *mark_slow(((task, "triplet_gpgn") for task in TASKS), ("bfs",)),
        *(
            pytest.param("bfs", name, marks=slow)
            for name in ("triplet_gmpnn", "gatv2", "deepsets", "memnet_full")
        ),
        *mark_slow((task, "pgn_mask") for task in ("bfs", "insertion_sort")),
        pytest.param(every_kind.NAME, "pgn_mask", marks=slow),
    ],
)
def test_padding_of_steps_and_nodes_does_not_change_predictions_or_losses(task, processor):
    batch, spec = batch_of(task), spec_of(task)
    num_nodes = batch.inputs["pos"].shape[1]
    padded = pad_nodes(pad_steps(batch, batch.num_steps + 3), spec, num_nodes + 2)
    (before, losses), (after, losses_after) = (predict(task, b, processor) for b in (batch, padded))
    for name, loss in losses.items():
        assert_close(losses_after[name], loss, 1e-4, name)
    for probe in spec.outputs:
        value = without_padding_nodes(probe, after.outputs[probe.name], 1, num_nodes)
        assert_close(value, before.outputs[probe.name], 1e-4, probe.name)
    for probe in spec.hints:
        value = without_padding_nodes(probe, after.hints[probe.name], 2, num_nodes)
        assert_close(value[: batch.num_steps - 1], before.hints[probe.name], 1e-4, probe.name)
        assert not after.hints[probe.name][batch.num_steps - 1 :].any()


@every_task
def test_predictions_do_not_depend_on_longer_traces_in_the_batch(task):
    batch = batch_of(task)
    batched, _ = predict(task, batch)
    for index, length in enumerate(batch.lengths):
        single = pad_batch(pad_steps(take(batch, slice(index, index + 1)), batch.num_steps), BATCH)
        predictions, _ = predict(task, single)
        for name, value in batched.outputs.items():
            assert_close(predictions.outputs[name][0], value[index], names=name)
        for name, value in batched.hints.items():
            assert_close(predictions.hints[name][: length - 1, 0], value[: length - 1, index], names=name)


@pytest.mark.parametrize("task", ["bfs", "heapsort", "lcs_length", every_kind.NAME])
def test_batches_have_different_lengths(task):
    assert len(set(batch_of(task).lengths)) > 1


# ---------------------------------------------------------------------------------------------------
# Permutation equivariance


def permuted_axes(probe, value, leading, order, is_dense):
    """Relabels nodes: node `a` of the result is node `order[a]` of `value`."""
    value = np.asarray(value)
    if probe.kind in INDICES and not is_dense:
        value = np.argsort(order)[value].astype(value.dtype)
    targets = probe.kind is Kind.PERMUTATION_POINTER or (probe.kind in INDICES and is_dense)
    for axis in range(NODE_AXES[probe.location] + targets):
        value = np.take(value, order, axis=leading + axis)
    return value


@every_task
def test_predictions_are_permutation_equivariant(task):
    batch, spec = batch_of(task), spec_of(task)
    order = np.random.default_rng(1).permutation(batch.inputs["pos"].shape[1])
    permuted = dataclasses.replace(
        batch,
        inputs={n: permuted_axes(spec[n], v, 1, order, False) for n, v in batch.inputs.items()},
        hints={n: permuted_axes(spec[n], v, 2, order, False) for n, v in batch.hints.items()},
        outputs={n: permuted_axes(spec[n], v, 1, order, False) for n, v in batch.outputs.items()},
    )
    (before, losses), (after, losses_after) = predict(task, batch), predict(task, permuted)
    for name, value in before.outputs.items():
        assert_close(after.outputs[name], permuted_axes(spec[name], value, 1, order, True), 1e-4, name)
    for name, value in before.hints.items():
        assert_close(after.hints[name], permuted_axes(spec[name], value, 2, order, True), 1e-4, name)
    for name, loss in losses.items():
        assert_close(losses_after[name], loss, 1e-4, name)


# ---------------------------------------------------------------------------------------------------
# Recurrent state


class StepCounter(hk.Module):
    """A processor that returns the node features, and its number of steps as memory and auxiliary loss."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        count = memory + 1
        return ProcessorOutput(features.nodes, memory=count, losses={"count": count.mean(axis=1)})


@pytest.mark.slow
def test_memory_and_auxiliary_losses():
    """Memory is carried; losses are averaged over the steps of each trace, without padding."""
    batch = batch_of("bfs")
    model = make_model(NetConfig(lambda hidden_size: StepCounter(), HIDDEN), {"bfs": spec_of("bfs")})
    params = random_params(model, "bfs")
    padded = pad_steps(batch, batch.num_steps + 4)
    apply = jax.jit(model.apply, static_argnums=(2, 4))
    predictions = apply(params, None, "bfs", padded, False)
    counts = np.concatenate([np.arange(1, max(length, 2)) for length in batch.lengths])
    assert len(set(batch.lengths)) > 1
    assert float(predictions.losses["count"].mean) == pytest.approx(counts.mean())
    losses = jax.jit(losses_by_probe, static_argnums=0)(model.specs["bfs"], padded, predictions)
    assert losses["auxiliary/count"] == predictions.losses["count"].mean


@pytest.mark.slow
def test_a_rollout_resumes_from_its_carry():
    """Two scans, the second from the carry of the first, have the outputs of one scan."""
    task, rule = "bfs", Budget(steps=6, steps_per_node=0)
    config = NetConfig(PGN, HIDDEN, lstm=True, termination=rule)
    spec, batch = Transforms().spec(ALGORITHMS[task]), batch_of(task)

    def scan_in_pieces(*pieces):
        step = Step(config, task, spec, batch, is_training=False, training_step=0)
        carry, hints = step.initial_carry(), []
        for piece in pieces:
            carry, output = unroll(step, carry, jnp.asarray(piece))
            hints.append(output.hints)
        return carry, jax.tree.map(lambda *x: jnp.concatenate(x), *hints)

    transformed = hk.transform(scan_in_pieces)
    whole, split = [[0, 1, 2, 3, 4, 5]], [[0, 1], [2, 3, 4, 5]]
    model = make_model(config, {task: spec})
    params = model.init(jax.random.key(0), {task: batch})
    results = [
        jax.jit(lambda x=pieces: transformed.apply(flatten_tasks(params), None, *x))()
        for pieces in (whole, split)
    ]
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), *results)
    np.testing.assert_array_equal(results[1][0].steps, 6)


# ---------------------------------------------------------------------------------------------------
# Hidden states


class StepNumber:
    """A processor whose hidden states are the number of steps taken."""

    def __init__(self, hidden_size):
        pass

    def __call__(self, features, hidden, memory, context):
        return ProcessorOutput(nodes=hidden + 1, memory=memory)

    def initial_memory(self, batch_size, num_nodes):
        return ()


@functools.cache
def step_counting(**options):
    """A model of bfs, its parameters, and its compiled `apply`."""
    model = make_model(NetConfig(StepNumber, HIDDEN, **options), {"bfs": spec_of("bfs")})
    apply = jax.jit(model.apply, static_argnums=(2, 4, 5), static_argnames="return_hidden")
    return model, random_params(model, "bfs"), apply


def test_hidden_states_are_those_of_each_step():
    batch, (_, params, apply) = batch_of("bfs"), step_counting()
    longest = int(batch.lengths.max()) - 1
    arguments = params, None, "bfs", batch, False, longest + 2
    predictions, expected = apply(*arguments, return_hidden=True), apply(*arguments)
    assert longest >= 2 and predictions.hidden.shape == (longest + 2, *batch.inputs["pos"].shape, HIDDEN)
    for step in range(longest):
        np.testing.assert_array_equal(predictions.hidden[step], step + 1)
    np.testing.assert_array_equal(predictions.hidden[longest:], 0)
    assert expected.hidden is None
    jax.tree.map(assert_close, dataclasses.replace(predictions, hidden=None), expected)


def test_hidden_states_of_chunks_continue():
    batch, (model, params, apply) = batch_of("bfs"), step_counting()
    carry, first = model.initial_chunk_carry("bfs", slice_chunk(batch, 0, 1)), 0
    for first in range(2):
        chunk = slice_chunk(batch, first, 1)
        predictions = apply(params, None, "bfs", chunk, False, chunk_carry=carry, return_hidden=True)
        carry = predictions.chunk_carry
        np.testing.assert_array_equal(predictions.hidden[0, 0], first + 1)
    np.testing.assert_array_equal(carry.hidden[0], 2)


@pytest.mark.slow
def test_hidden_states_of_learned_halting_are_those_of_all_steps():
    _, params, apply = step_counting(termination=Learned(Budget(steps=4, steps_per_node=0)))
    hidden = apply(params, jax.random.key(0), "bfs", batch_of("bfs"), True, return_hidden=True).hidden
    np.testing.assert_array_equal(hidden[:, :, 0, 0], np.arange(1, 5)[:, None] * np.ones((1, BATCH)))


@pytest.mark.slow
def test_gradients_flow_through_hidden_states_in_training():
    """A loss on the hidden states of the last step reaches the encoders of inputs and fed-back hints."""
    batch, (model, params, _) = batch_of("bfs"), network("bfs", "pgn")

    @jax.jit
    def gradient(params):
        def loss(params):
            hidden = model.apply(params, jax.random.key(0), "bfs", batch, True, return_hidden=True).hidden
            return jnp.square(hidden[-1, 0]).mean()

        return jax.grad(loss)(params)

    slopes = gradient(params)["bfs"]
    assert max_abs(slopes["encode/adj_0"]) > 0 and max_abs(slopes["decode/reach_h/node"]) > 0
    assert max_abs(slopes["decode/pi/out"]) == 0
