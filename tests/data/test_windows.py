"""Windows of traces: their starts, their steps, and the losses and gradients of networks on them."""

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nar
from nar.data import MultiSeedStream, Task, TrainingStream, Transforms, Windows, pad_steps
from nar.data.views import BATCH, all_views
from nar.losses import loss_terms
from nar.model import NetConfig, make_model
from nar.processors import find_processor
from nar.traces import sample_traces

TRANSFORMS = Transforms()
TASKS = tuple(Task(nar.ALGORITHMS[name], (4, 6)) for name in ("insertion_sort", "bfs"))


def batch_of(name, size=5, count=4):
    return TRANSFORMS.apply(nar.ALGORITHMS[name], sample_traces(name, size, count, seed=1))


def stream(seed=0, process=0, num_processes=1, length=3, **options):
    return TrainingStream(TASKS, 4, seed, process, num_processes, windows=Windows(length), **options)


def assert_same(first, second):
    assert jax.tree.structure(first) == jax.tree.structure(second)
    jax.tree.map(np.testing.assert_array_equal, first, second)


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    length=st.integers(1, 70),
    end_fraction=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_windows_start_within_their_traces(lengths, length, end_fraction, seed):
    lengths = np.array(lengths)
    uniforms = np.random.default_rng(seed).random((len(lengths), 2))
    uniforms[:, 1] = np.where(uniforms[:, 0] > 0.8, np.nextafter(1, 0), uniforms[:, 1])
    starts = Windows(length, end_fraction).starts(lengths, uniforms)
    last = np.maximum(lengths - 1 - length, 0)
    assert starts.dtype == np.int32 and (starts >= 0).all() and (starts <= last).all()
    at_end = uniforms[:, 0] < end_fraction
    assert (starts[at_end] == last[at_end]).all()


@pytest.mark.parametrize("end_fraction", [0.0, 0.3, 1.0])
def test_starts_are_uniform_except_for_the_end(end_fraction):
    lengths = np.full(20_000, 9)
    uniforms = np.random.default_rng(0).random((len(lengths), 2))
    starts = Windows(3, end_fraction).starts(lengths, uniforms)
    frequencies = np.bincount(starts, minlength=6) / len(starts)
    expected = (1 - end_fraction) / 6 + end_fraction * (np.arange(6) == 5)
    np.testing.assert_allclose(frequencies, expected, atol=0.01)


@pytest.mark.parametrize("length", [1, 3, 40])
def test_windows_contain_consecutive_steps(length):
    traces = pad_steps(batch_of("bfs", size=7, count=8), 20)
    starts = Windows(length, 0.0).starts(traces.lengths, np.random.default_rng(0).random((8, 2)))
    windows = Windows(length).cut(traces, starts)
    assert windows.num_steps == min(length + 1, 32)
    assert windows.offsets.tolist() == starts.tolist()
    assert_same(windows.lengths, traces.lengths)
    assert_same(windows.inputs, traces.inputs)
    assert_same(windows.outputs, traces.outputs)
    for name, hints in traces.hints.items():
        assert windows.hints[name].dtype == hints.dtype
        for row, start in enumerate(starts):
            expected = hints[start : min(start + length + 1, traces.lengths[row]), row]
            assert_same(windows.hints[name][: len(expected), row], expected)
            assert not windows.hints[name][len(expected) :, row].any()


@pytest.mark.parametrize("options", [{}, {"num_microbatches": 2}])
def test_windows_are_a_function_of_seed_and_step(options):
    batches = [stream(**options).batch(step) for step in range(6)]
    whole = stream(**options)
    for step in (4, 1, 5, 4):
        assert_same(whole.batch(step), batches[step])
    shares = [stream(0, process, 2, **options).batch(4) for process in range(2)]
    for name, value in batches[4].hints.items():
        assert_same(np.concatenate([share.hints[name] for share in shares], axis=1), value)
    assert_same(np.concatenate([share.offsets for share in shares]), batches[4].offsets)
    assert any((stream(1, **options).batch(step).offsets != batches[step].offsets).any() for step in range(6))
    assert len({tuple(batch.offsets) for batch in batches}) > 1
    seeds = MultiSeedStream([stream(seed, **options) for seed in (0, 1)]).batch(4)
    assert_same(seeds.offsets, np.stack([stream(seed, **options).batch(4).offsets for seed in (0, 1)]))


def test_windows_come_from_the_traces_of_whole_batches():
    whole = TrainingStream(TASKS, 4, 0)
    for step in range(4):
        traces, windows = whole.batch(step), stream().batch(step)
        assert_same(windows.inputs, traces.inputs)
        for row, start in enumerate(windows.offsets):
            for name, value in windows.hints.items():
                expected = traces.hints[name][start : start + 4, row]
                assert_same(value[: len(expected), row], expected)


def test_views_have_the_windows_of_the_batch():
    def copy(task, traces, generators):
        return dataclasses.replace(traces)

    def shortened(task, traces, generators):
        return dataclasses.replace(traces, lengths=np.minimum(traces.lengths, 2))

    views = all_views(stream(views={"copy": copy}).batch(2))
    assert_same(views["copy"], views[BATCH])
    with pytest.raises(ValueError, match="view 'shortened' changes the lengths of traces"):
        stream(views={"shortened": shortened}).batch(2)


class Network:
    """Losses and gradients of a small network in training, with random parameters."""

    def __init__(self, name, **options):
        self.name, self.spec = name, TRANSFORMS.spec(nar.ALGORITHMS[name])
        config = NetConfig(find_processor("mpnn"), hidden_size=4, **options)
        self.model = make_model(config, {name: self.spec})
        shapes = jax.eval_shape(self.model.init, jax.random.key(0), {name: batch_of(name)})
        random = np.random.default_rng(0)
        self.params = jax.tree.map(lambda x: random.standard_normal(x.shape).astype("f") / 2, shapes)
        self._value_and_grad = jax.jit(jax.value_and_grad(self._loss, has_aux=True))

    def _loss(self, params, batch):
        predictions = self.model.apply(params, jax.random.key(0), self.name, batch, True)
        terms = loss_terms(self.spec, batch, predictions)
        return sum(term.mean for term in terms.values()), terms

    def __call__(self, batch):
        (_, terms), gradient = self._value_and_grad(self.params, batch)
        return {name: (term.sum, term.count) for name, term in terms.items()}, gradient


def assert_close(first, second):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), first, second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "further"),
    [
        ("bfs", 0),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("insertion_sort", 0), ("bfs", 5))),
    ],
)
def test_windows_as_long_as_traces_equal_whole_rollouts(name, further):
    network, traces = Network(name), batch_of(name)
    windows = Windows(int(traces.lengths.max()) - 1 + further)
    starts = windows.starts(traces.lengths, np.random.default_rng(0).random((4, 2)))
    assert_close(network(windows.cut(traces, starts)), network(traces))


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_gradients_of_windows_equal_those_of_rollouts_from_the_same_step(length):
    """Insertion sort has traces of equal length, so that all start at one step."""
    network, traces, start = Network("insertion_sort"), batch_of("insertion_sort"), 1
    assert set(traces.lengths) == {5}
    window = Windows(length).cut(traces, np.full(4, start, np.int32))
    stop = start + length + 1
    rest = dataclasses.replace(
        traces,
        hints={name: value[start:stop] for name, value in traces.hints.items()},
        lengths=np.full(4, length + 1, np.int32),
    )
    losses, gradient = network(window)
    if length == 3:  # The window ends with the trace, so outputs are trained, too.
        assert_close((losses, gradient), network(rest))
    else:
        expected, _ = network(rest)
        assert all(losses[name][1] == 0 < expected[name][1] for name in window.outputs)
        assert_close(*({name: terms[name] for name in window.hints} for terms in (losses, expected)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "window_length must be an integer of at least 1, got 0"),
        ((2.0,), "window_length must be an integer of at least 1, got 2.0"),
        ((True,), "window_length must be an integer of at least 1, got True"),
        ((3, 1.5), "window_end_fraction must be from 0 to 1, got 1.5"),
        ((3, float("nan")), "window_end_fraction must be from 0 to 1, got nan"),
    ],
)
def test_invalid_windows_are_rejected(arguments, message):
    with pytest.raises(ValueError, match=message):
        Windows(*arguments)


def test_chunks_and_windows_cannot_be_combined():
    with pytest.raises(ValueError, match="chunk_length 2 and window_length 3 cannot be combined"):
        stream(chunk_length=2)
