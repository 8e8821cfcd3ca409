"""Time chunks: predictions and losses equal those of whole traces; chunked streams have every step once."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nar import ALGORITHMS
from nar.data import ChunkedStream, Task, TrainingStream, Transforms, slice_chunk
from nar.losses import loss_terms
from nar.model import Budget, NetConfig, make_model
from nar.processors import find_processor
from nar.traces import sample_traces

HIDDEN = 8
SIZE = 5
BATCH = 3
TRANSFORMS = Transforms()


def batch_of(name, size=SIZE, count=BATCH):
    return TRANSFORMS.apply(ALGORITHMS[name], sample_traces(name, size, count, seed=1))


def assert_same(first, second):
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_array_equal(one, other)


class Network:
    """A network of one task with random parameters, so that no output is trivially zero."""

    def __init__(self, name, processor, **options):
        self.name, self.spec = name, TRANSFORMS.spec(ALGORITHMS[name])
        config = NetConfig(find_processor(processor), hidden_size=HIDDEN, **options)
        self.model = make_model(config, {name: self.spec})
        example = batch_of(name)
        shapes = jax.eval_shape(self.model.init, jax.random.key(0), {name: example})
        random = np.random.default_rng(0)
        self.params = jax.tree.map(
            lambda x: (random.standard_normal(x.shape) / x.shape[0] ** 0.5).astype("f"), shapes
        )
        self._apply = jax.jit(
            functools.partial(self.model.apply, is_training=False),
            static_argnames=("task",),
        )

    def __call__(self, batch, chunk_carry=None):
        return self._apply(self.params, None, task=self.name, batch=batch, chunk_carry=chunk_carry)

    def by_chunks(self, batch, length):
        """Predictions of all chunks of whole traces, in order."""
        chunk_carry, predictions = (
            self.model.initial_chunk_carry(self.name, slice_chunk(batch, 0, length)),
            [],
        )
        for first in range(0, batch.num_steps - 1, length):
            predictions.append(self(slice_chunk(batch, first, length), chunk_carry))
            chunk_carry = predictions[-1].chunk_carry
        return predictions


NETWORKS = [
    ("insertion_sort", "triplet_gmpnn", {}),
    ("bfs", "mpnn", {"lstm": True}),
    ("dijkstra", "edge_transformer", {}),
    ("bellman_ford", "mpnn", {"hint_feedback": "hard", "message_passing_steps": 2}),
    ("floyd_warshall", "step_encoding_mpnn", {}),
    ("minimum", "relational_transformer", {"hint_mode": "decoded_only"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "processor", "options"), NETWORKS, ids=lambda value: str(value))
def test_predictions_of_chunks_equal_those_of_whole_traces(name, processor, options):
    network, batch = Network(name, processor, **options), batch_of(name)
    whole = network(batch)
    close = functools.partial(np.testing.assert_allclose, rtol=2e-4, atol=2e-5)
    last = np.maximum(batch.lengths - 1, 1)
    for length in (1, 3, 16) if processor == "mpnn" else (3,):
        chunks = network.by_chunks(batch, length)
        assert sum(np.asarray(chunk.steps) for chunk in chunks).tolist() == last.tolist()
        for probe, logits in whole.hints.items():
            joined = np.concatenate([chunk.hints[probe] for chunk in chunks])
            for row, steps in enumerate(last):
                close(joined[:steps, row], logits[:steps, row], err_msg=probe)
        for probe, logits in whole.outputs.items():
            for row, steps in enumerate(last):
                close(chunks[(steps - 1) // length].outputs[probe][row], logits[row], err_msg=probe)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "length"),
    [
        ("bfs", 2),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("bfs", 16), ("insertion_sort", 2))),
    ],
)
def test_losses_of_chunks_sum_to_those_of_whole_traces(task, length):
    network, batch = Network(task, "mpnn"), batch_of(task, count=4)
    terms_of = jax.jit(functools.partial(loss_terms, network.spec))
    whole = terms_of(batch, network(batch))
    sums, counts = dict.fromkeys(whole, 0.0), dict.fromkeys(whole, 0)
    for number, predictions in enumerate(network.by_chunks(batch, length)):
        chunk = slice_chunk(batch, number * length, length)
        for name, term in terms_of(chunk, predictions).items():
            sums[name] += float(term.sum)
            counts[name] += int(term.count)
    for name, term in whole.items():
        assert counts[name] == int(term.count), name
        np.testing.assert_allclose(sums[name], term.sum, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_new_traces_do_not_depend_on_the_chunk_carry():
    network = Network("insertion_sort", "mpnn", lstm=True)
    batch = batch_of("insertion_sort")
    chunk = slice_chunk(batch, 0, 4)
    initial_chunk_carry = network.model.initial_chunk_carry("insertion_sort", chunk)
    noise = jax.tree.map(lambda x: jnp.full_like(x, 3.0), initial_chunk_carry)
    for first, second in zip(
        *map(jax.tree.leaves, (network(chunk, initial_chunk_carry), network(chunk, noise))), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    continued = dataclasses.replace(chunk, offsets=np.array([0, 1, 0], np.int32))
    outputs = [network(continued, carry).outputs["pred"] for carry in (initial_chunk_carry, noise)]
    assert [bool((outputs[0][row] == outputs[1][row]).all()) for row in range(BATCH)] == [True, False, True]


def test_chunks_need_termination_from_the_trace():
    network = Network("minimum", "mpnn", termination=Budget())
    with pytest.raises(ValueError, match="time chunks require the termination FromTrace, got Budget"):
        network(slice_chunk(batch_of("minimum"), 0, 4))


# ---------------------------------------------------------------------------------------------------
# Chunked streams


def series(name, size):
    whole = batch_of(name, size, 60)
    return lambda first, count: dataclasses.replace(
        whole,
        inputs={key: value[first : first + count] for key, value in whole.inputs.items()},
        hints={key: value[:, first : first + count] for key, value in whole.hints.items()},
        outputs={key: value[first : first + count] for key, value in whole.outputs.items()},
        lengths=whole.lengths[first : first + count],
    ), whole


@pytest.mark.parametrize(
    "name",
    ["bfs", *(pytest.param(name, marks=pytest.mark.slow) for name in ("quickselect", "segments_intersect"))],
)
@given(length=st.integers(1, 9), batch_size=st.integers(1, 4))
def test_chunked_stream_contains_every_step_of_every_trace_once(name, length, batch_size):
    source, whole = series(name, 6)
    chunks = ChunkedStream(source, batch_size, length)
    probe = next(iter(whole.hints))
    taken, order = [[] for _ in range(batch_size)], []
    for number in range(8):
        chunk = chunks.chunk(number)
        assert chunk.num_steps == length + 1
        for row in range(batch_size):
            matches = [
                index
                for index in range(60)
                if (whole.inputs["pos"][index] == chunk.inputs["pos"][row]).all()
                and all((whole.inputs[key][index] == chunk.inputs[key][row]).all() for key in whole.inputs)
            ]
            offset = int(chunk.offsets[row])
            candidates = [index for index in matches if index not in order or taken[row][-1:] == [index]]
            index = candidates[0] if offset == 0 else taken[row][-1]
            assert index in matches
            if offset == 0:
                order.append(index)
            taken[row].append(index)
            real = whole.hints[probe][: whole.lengths[index], index][offset : offset + length + 1]
            np.testing.assert_array_equal(chunk.hints[probe][: len(real), row], real)
            assert not chunk.hints[probe][len(real) :, row].any()
            assert offset == 0 or offset < whole.lengths[index] - 1
    assert order == list(range(len(order)))


@functools.cache
def quickselects(first, count):
    task = Task(ALGORITHMS["quickselect"], (6,))
    return TRANSFORMS.apply(task.algorithm, task.draw(6, 0, first, count))


@given(numbers=st.lists(st.integers(0, 150), min_size=1, max_size=4))
def test_chunks_can_be_accessed_in_any_order(numbers):
    chunks = ChunkedStream(quickselects, 2, 3)
    for number in numbers:
        assert_same(chunks.chunk(number), ChunkedStream(quickselects, 2, 3).chunk(number))


def chunked_stream(process=0, num_processes=1, sizes=(4, 7, 4)):
    tasks = [Task(ALGORITHMS[name], sizes) for name in ("bfs", "quickselect")]
    return TrainingStream(tasks, 4, 0, process, num_processes, chunk_length=5)


def test_steps_with_the_same_size_share_a_stream():
    stream = chunked_stream()
    keys = [stream.stream_key(step) for step in range(12)]
    assert keys == ["bfs/4", "quickselect/4", "bfs/7", "quickselect/7", "bfs/4", "quickselect/4"] * 2
    task = stream.tasks[0]
    assert [task.stream_step(task_step) for task_step in range(7)] == [0, 0, 1, 2, 1, 3, 4]
    again = chunked_stream(sizes=(4,))
    for task_step, step in enumerate([0, 4, 6, 10]):
        for one, other in zip(
            *map(jax.tree.leaves, (stream.batch(step), again.batch(2 * task_step))), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_shares_of_processes_make_up_the_chunk():
    whole = chunked_stream()
    shares = [chunked_stream(process, 2) for process in range(2)]
    for step in range(20):
        batch = whole.batch(step)
        parts = [share.batch(step) for share in shares]
        offsets = np.concatenate([part.offsets for part in parts])
        np.testing.assert_array_equal(offsets, batch.offsets)
        for name, value in batch.hints.items():
            np.testing.assert_array_equal(np.concatenate([part.hints[name] for part in parts], axis=1), value)


def test_chunks_of_a_stream_have_one_shape():
    stream = chunked_stream()
    examples = stream.chunk_examples()
    assert list(examples) == ["bfs/4", "bfs/7", "quickselect/4", "quickselect/7"]
    for step in range(24):
        example, batch = examples[stream.stream_key(step)], stream.batch(step)
        assert jax.tree.map(np.shape, example) == jax.tree.map(np.shape, batch)
    assert TrainingStream(stream.tasks, 4, 0).chunk_examples() == {}
    assert {name: batch.lengths.shape for name, batch in stream.examples().items()} == {
        "bfs": (4,),
        "quickselect": (4,),
    }
