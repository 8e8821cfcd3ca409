"""Wrappers of processors: repetition, dropout, LSTM."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nar.processors import LSTM, Context, Dropout, Features, ProcessorOutput, Repeated


class AddOne:
    """A processor that adds 1 to all states, with the number of calls as memory and auxiliary loss."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros(batch_size)

    def __call__(self, features, hidden, memory=(), context=None):
        return ProcessorOutput(hidden + 1, memory=memory + 1, losses={"calls": memory + 1})


def call(processor, hidden, *, is_training=False, memory=None, key=0):
    batch_size, num_nodes, _ = hidden.shape
    features = Features(
        hidden,
        np.zeros((batch_size, num_nodes, num_nodes, 1), np.float32),
        np.zeros((batch_size, 1), np.float32),
        np.ones((batch_size, num_nodes, num_nodes), bool),
    )

    def forward():
        wrapped = processor()
        initial = wrapped.initial_memory(batch_size, num_nodes) if memory is None else memory
        return wrapped(features, hidden, initial, Context(is_training=is_training))

    transformed = hk.transform(forward)
    params = jax.jit(transformed.init)(jax.random.key(0))
    return params, jax.jit(transformed.apply)(params, jax.random.key(key))


def test_repeated_applies_the_processor_several_times():
    _, output = call(lambda: Repeated(AddOne(), 3), np.zeros((2, 4, 5), np.float32))
    assert (output.nodes == 3).all()
    assert (output.memory == 3).all()
    np.testing.assert_allclose(output.losses["calls"], 2.0)
    with pytest.raises(ValueError, match="times must be an integer of at least 1, got 0"):
        Repeated(AddOne(), 0)


def test_dropout_zeroes_and_rescales_states_in_training():
    hidden = np.ones((4, 50, 20), np.float32)
    _, before = call(lambda: Dropout(AddOne(), 0.25), hidden)
    assert (before.nodes == 2).all()
    _, output = call(lambda: Dropout(AddOne(), 0.25), hidden, is_training=True)
    nodes = np.asarray(output.nodes)
    assert set(np.unique(nodes)) == {np.float32(0), np.float32(2 / 0.75)}
    assert (nodes == 0).mean() == pytest.approx(0.25, abs=0.03)
    _, other = call(lambda: Dropout(AddOne(), 0.25), hidden, is_training=True, key=1)
    assert not np.array_equal(nodes, other.nodes)
    with pytest.raises(ValueError, match="dropout rate must be"):
        Dropout(AddOne(), -0.1)


def test_lstm_is_that_of_haiku():
    random = np.random.default_rng(0)
    hidden = random.standard_normal((2, 4, 5)).astype(np.float32)
    params, first = call(lambda: LSTM(AddOne(), 5), hidden)
    _, second = call(lambda: LSTM(AddOne(), 5), first.nodes, memory=first.memory)

    def theirs():
        cell = hk.LSTM(5)
        state = jax.tree.map(lambda x: x.reshape(2, 4, 5), cell.initial_state(8))
        one, state = jax.vmap(cell)(hidden + 1, state)
        return one, jax.vmap(cell)(one + 1, state)[0]

    expected = jax.jit(hk.transform(theirs).apply)({"lstm/linear": params["lstm/gates"]}, None)
    for ours, value in zip((first.nodes, second.nodes), expected, strict=True):
        np.testing.assert_allclose(ours, value, rtol=1e-5, atol=1e-6)
    assert (second.memory[0] == 2).all()
