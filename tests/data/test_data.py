"""Training data: transforms equal to dm-clrs's, lossless padding, a stateless stream."""

import dataclasses
import itertools
import threading
import time

import jax
import numpy as np
import oracle
import pytest
import tasks
from hypothesis import given
from hypothesis import strategies as st

import nar
from nar.data import (
    AUTO_MICROBATCHES,
    Task,
    TaskSchedule,
    TrainingStream,
    Transforms,
    bucket_length,
    count_microbatches,
    pad_batch,
    pad_nodes,
    pad_steps,
    prefetch,
    prefetch_first_batch,
    random_positions,
    take,
)
from nar.data.padding import SHORTEST_BUCKET
from nar.data.transforms import FIRST_SUFFIX, cyclic_predecessors
from nar.specs import Kind, Location, Spec
from nar.traces import TraceBatch, clrs30_sample, sample_traces

every_algorithm = pytest.mark.parametrize("name", nar.ALGORITHMS)
every_algorithm_mostly_slow = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in tasks.COVERING)) for name in nar.ALGORITHMS],
)
every_dm_clrs_algorithm = pytest.mark.parametrize(
    "name", [name for name in nar.ALGORITHMS if name in oracle.specs.SPECS]
)
SIZE = 6
COUNT = 5
STAGES = ("inputs", "hints", "outputs")


def leaves(batch):
    """All arrays of a batch, by path."""
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(batch)}


def assert_same(first, second):
    first, second = leaves(first), leaves(second)
    assert list(first) == list(second)
    for where, value in first.items():
        assert value.dtype == second[where].dtype, where
        np.testing.assert_array_equal(value, second[where], err_msg=where)


def task_of(name, sizes=(5,), **options):
    return Task(nar.ALGORITHMS[name], tuple(sizes), **options)


def size_of(name):
    return max(SIZE, nar.ALGORITHMS[name].problem.min_size)


def raw(name, count=COUNT, seed=0):
    return sample_traces(name, size_of(name), count, seed)


# ---------------------------------------------------------------------------------------------------
# Transforms equal to dm-clrs's


class Uniforms:
    """A random generator that returns given numbers."""

    def __init__(self, numbers):
        self._numbers = numbers

    def uniform(self, size):
        assert self._numbers.shape == size
        return self._numbers


def dm_clrs_transforms(name, uniforms, cyclic):
    """Spec and batch after all transforms of dm-clrs, in the order of its training example."""
    with oracle.relaxed():
        sampler, spec = oracle.samplers.build_sampler(name, COUNT, length=size_of(name), seed=1)
        stream = iter([sampler.next()])
        if uniforms is not None:
            stream = oracle.clrs.process_random_pos(stream, Uniforms(uniforms))
        if nar.ALGORITHMS[name].fixed_hints:
            spec, stream = oracle.clrs.process_pred_as_input(spec, stream)
        spec, stream = oracle.clrs.process_permutations(spec, stream, cyclic)
        return spec, next(stream)


@every_dm_clrs_algorithm
@pytest.mark.parametrize(("randomly", "cyclic"), [(True, True), (False, False)])
def test_transforms_equal_dm_clrs(name, randomly, cyclic):
    algorithm = nar.ALGORITHMS[name]
    traces = clrs30_sample(name, size_of(name), COUNT, 1)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape) if randomly else None
    transforms = Transforms(cyclic_permutations=cyclic)
    spec, feedback = dm_clrs_transforms(name, uniforms, cyclic)

    rows = {
        p.name: (p.stage.value, p.location.value, p.kind.name) for p in transforms.spec(algorithm).values()
    }
    assert rows == spec
    ours = transforms.apply(algorithm, traces, uniforms)
    theirs = {
        "inputs": feedback.features.inputs,
        "hints": feedback.features.hints,
        "outputs": feedback.outputs,
    }
    for stage, points in theirs.items():
        assert set(getattr(ours, stage)) == {point.name for point in points}
        for point in points:
            np.testing.assert_allclose(getattr(ours, stage)[point.name], point.data, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(ours.lengths, feedback.features.lengths)


@every_algorithm
def test_transformed_batch_matches_the_transformed_spec(name):
    algorithm, transforms = nar.ALGORITHMS[name], Transforms()
    spec = transforms.spec(algorithm)
    batch = transforms.apply(algorithm, raw(name))
    num_nodes = batch.inputs["pos"].shape[1]
    for stage, leading in zip(STAGES, [(COUNT,), (batch.num_steps, COUNT), (COUNT,)], strict=True):
        probes = spec.per_step if stage == "hints" else getattr(spec, stage)
        assert set(getattr(batch, stage)) == {probe.name for probe in probes}
        for probe in probes:
            value = getattr(batch, stage)[probe.name]
            assert value.shape == leading + probe.shape(num_nodes)
            assert value.dtype == probe.dtype


@every_algorithm
def test_transforms_can_be_disabled(name):
    algorithm = nar.ALGORITHMS[name]
    disabled = Transforms(random_positions=False, fixed_hints_as_inputs=False, cyclic_permutations=False)
    uniforms = np.random.default_rng(0).random(raw(name).inputs["pos"].shape)
    assert_same(disabled.apply(algorithm, raw(name), uniforms), raw(name))
    kinds = {probe.kind for probe in disabled.spec(algorithm).values()}
    assert not kinds & {Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER}
    assert list(disabled.spec(algorithm)) == list(algorithm.spec)


@every_algorithm_mostly_slow
def test_transforms_do_not_modify_their_input(name):
    traces = raw(name)
    Transforms().apply(nar.ALGORITHMS[name], traces, np.zeros(traces.inputs["pos"].shape))
    assert_same(traces, raw(name))


@every_algorithm
def test_fixed_hints_never_change(name):
    traces = raw(name, count=20)
    for hint in nar.ALGORITHMS[name].fixed_hints:
        for index in range(traces.batch_size):
            value = traces.trace(index).hints[hint]
            np.testing.assert_array_equal(value, np.broadcast_to(value[0], value.shape))


def test_positions_of_two_strings_are_sorted_separately():
    traces = raw("lcs_length")
    second = traces.inputs["string"][0].argmax()
    uniforms = np.linspace(1, 0, traces.inputs["pos"].size, endpoint=False).reshape(COUNT, -1)
    pos = random_positions(traces, uniforms).inputs["pos"]
    assert (np.diff(pos[:, :second]) > 0).all()
    assert (np.diff(pos[:, second:]) > 0).all()
    assert (pos[:, second - 1] > pos[:, second]).all()
    np.testing.assert_array_equal(np.sort(pos), np.sort(uniforms))


def test_random_positions_with_needles_of_different_lengths():
    traces = sample_traces("kmp_matcher", 20, 40, 0, length_needle=-8)
    needles = traces.inputs["string"].argmax(axis=1)
    assert set(needles) == set(range(12, 20))
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    for pos, drawn, needle in zip(
        random_positions(traces, uniforms).inputs["pos"], uniforms, needles, strict=True
    ):
        np.testing.assert_array_equal(pos[:needle], np.sort(drawn[:needle]))
        np.testing.assert_array_equal(pos[needle:], np.sort(drawn[needle:]))


@given(st.permutations(range(7)), st.integers(1, 7))
def test_cyclic_predecessors(order, num_nodes):
    order = [node for node in order if node < num_nodes]
    pointers = np.arange(num_nodes)
    pointers[order[1:]] = order[:-1]
    cyclic, first = cyclic_predecessors(np.stack([pointers, np.maximum(np.arange(num_nodes) - 1, 0)]))
    np.testing.assert_array_equal(cyclic.sum(axis=1), 1)
    np.testing.assert_array_equal(cyclic.sum(axis=2), 1)
    np.testing.assert_array_equal(np.flatnonzero(first[0]), order[:1])
    # Walking back from the last node visits all others in reverse order and returns to it.
    walk = [order[-1]]
    for _ in range(num_nodes):
        walk.append(int(cyclic[0, walk[-1]].argmax()))
    assert walk == [*reversed(order), order[-1]]
    np.testing.assert_array_equal(np.flatnonzero(first[1]), [0])


def test_only_outputs_become_cyclic():
    """A permutation hint becomes a plain pointer, both in the spec and in the batch."""
    sorting = nar.ALGORITHMS["insertion_sort"]
    probes = [
        dataclasses.replace(probe, kind=Kind.SHOULD_BE_PERMUTATION) if probe.name == "pred_h" else probe
        for probe in sorting.spec.values()
    ]
    algorithm = dataclasses.replace(sorting, spec=Spec(probes))
    spec = Transforms().spec(algorithm)
    assert [probe.name for probe in spec.hints] == [probe.name for probe in sorting.spec.hints]
    batch = Transforms().apply(algorithm, raw("insertion_sort"))
    assert batch.hints["pred_h"].shape[2:] == spec["pred_h"].shape(SIZE)
    assert [probe.name for probe in spec.outputs] == ["pred", "pred" + FIRST_SUFFIX]


# ---------------------------------------------------------------------------------------------------
# Padding


def test_bucket_lengths():
    buckets = [bucket_length(num_steps) for num_steps in range(1, 2000)]
    assert set(buckets) == {16, 32, 64, 128, 256, 512, 1024, 2048}
    for num_steps, bucket in enumerate(buckets, start=1):
        assert num_steps <= bucket <= max(SHORTEST_BUCKET, 2 * num_steps - 1)
        assert bucket_length(bucket) == bucket


@every_algorithm_mostly_slow
def test_pad_steps(name):
    traces = raw(name)
    longest = traces.num_steps
    padded = pad_steps(traces, longest + 3)
    assert padded.num_steps == longest + 3
    assert not any(value[longest:].any() for value in padded.hints.values())
    assert_same(take(padded, slice(None)), traces)
    assert_same(pad_steps(traces, longest), traces)
    with pytest.raises(ValueError, match=f"cannot pad {longest} steps to {longest - 1}"):
        pad_steps(traces, longest - 1)


@every_algorithm_mostly_slow
def test_pad_nodes(name):
    algorithm, more = nar.ALGORITHMS[name], 3
    spec, traces = Transforms().spec(algorithm), Transforms().apply(algorithm, raw(name))
    real = traces.inputs["pos"].shape[1]
    padded = pad_nodes(traces, spec, real + more)
    np.testing.assert_array_equal(padded.num_nodes, [real] * COUNT)
    np.testing.assert_array_equal(padded.lengths, traces.lengths)
    for stage, leading in zip(STAGES, [1, 2, 1], strict=True):
        for probe in getattr(spec, stage):
            before, after = (getattr(batch, stage)[probe.name] for batch in (traces, padded))
            assert after.shape[leading:] == probe.shape(real + more)
            assert after.dtype == before.dtype
            kept = tuple(slice(size) for size in before.shape)
            np.testing.assert_array_equal(after[kept], before)
            if probe.location is Location.GRAPH:
                continue
            added = after[(slice(None),) * leading + (slice(real, None),)]
            expected = np.zeros(added.shape[leading:], added.dtype)
            if probe.location is Location.NODE and probe.kind in (Kind.POINTER, Kind.PERMUTATION_POINTER):
                itself = np.arange(real, real + more)
                expected = np.eye(real + more)[itself] if expected.ndim == 2 else itself
            np.testing.assert_array_equal(added, np.broadcast_to(expected, added.shape))
    with pytest.raises(ValueError, match=f"cannot pad {real} nodes to {real - 1}"):
        pad_nodes(traces, spec, real - 1)


@every_algorithm_mostly_slow
@pytest.mark.parametrize("nodes_padded", [False, True])
def test_pad_batch(name, nodes_padded):
    traces = raw(name)
    if nodes_padded:
        traces = pad_nodes(traces, nar.ALGORITHMS[name].spec, 8)
    padded = pad_batch(traces, COUNT + 2)
    assert padded.batch_size == COUNT + 2
    for index in range(COUNT + 2):
        assert_same(padded.trace(index), traces.trace(min(index, COUNT - 1)))
    assert_same(take(padded, slice(COUNT)), traces)


def test_pad_batch_rejects_a_smaller_size():
    with pytest.raises(ValueError, match=f"cannot pad {COUNT} traces to {COUNT - 1}"):
        pad_batch(raw("bfs"), COUNT - 1)


@every_algorithm_mostly_slow
def test_take(name):
    traces = raw(name, count=9)
    taken = take(traces, slice(2, 7))
    assert taken.num_steps == traces.lengths[2:7].max()
    assert taken.batch_size == 5
    for index in range(5):
        assert_same(taken.trace(index), traces.trace(index + 2))


def test_batches_are_pytrees():
    traces = raw("bfs")
    doubled = jax.tree.map(lambda value: value * 2, traces)
    assert isinstance(doubled, TraceBatch)
    np.testing.assert_array_equal(doubled.outputs["pi"], traces.outputs["pi"] * 2)
    assert len(jax.tree.leaves(traces.trace(0))) == len(nar.ALGORITHMS["bfs"].spec)


# ---------------------------------------------------------------------------------------------------
# The stream


@every_algorithm_mostly_slow
def test_batches_can_be_accessed_in_any_order(name):
    task = task_of(name, sizes=[5, 7])
    stream = TrainingStream([task], batch_size=4, seed=3)
    in_order = [stream.batch(step) for step in range(4)]
    another = TrainingStream([task], batch_size=4, seed=3)
    for step in (2, 0, 3, 1):
        assert_same(another.batch(step), in_order[step])


def test_batches_differ_between_steps_and_seeds():
    def keys(seed, step):
        return TrainingStream([task_of("insertion_sort")], 4, seed).batch(step).inputs

    first, next_step, next_seed = keys(0, 0), keys(0, 1), keys(1, 0)
    for name in ("key", "pos"):
        rows = np.concatenate([first[name], next_step[name], next_seed[name]])
        assert len(np.unique(rows, axis=0)) == 12


def test_limited_traces_are_repeated():
    """Four traces of each of two sizes, in batches of two: a batch comes again after four steps."""
    task = task_of("insertion_sort", sizes=[4, 5])
    stream = TrainingStream([task], 2, seed=0, num_traces=4)
    keys = [stream.batch(step).inputs["key"] for step in range(12)]
    assert [one.shape[1] for one in keys] == [4, 5] * 6
    for size in range(2):
        of_size = keys[size::2]
        assert len(np.unique(np.concatenate(of_size), axis=0)) == 4
        for number in (0, 1):
            assert np.array_equal(of_size[number], of_size[number + 2])
            assert np.array_equal(of_size[number], of_size[number + 4])
    first, again = stream.batch(0).inputs["pos"], stream.batch(4).inputs["pos"]
    assert not np.array_equal(first, again)
    unlimited = TrainingStream([task], 2, seed=0)
    assert np.array_equal(unlimited.batch(0).inputs["key"], keys[0])


def test_invalid_numbers_of_traces_are_errors():
    task = task_of("insertion_sort")
    with pytest.raises(ValueError, match="num_traces must be a multiple of the batch size 4, got 6"):
        TrainingStream([task], 4, seed=0, num_traces=6)
    with pytest.raises(ValueError, match="cannot be trained in time chunks"):
        TrainingStream([task], 4, seed=0, num_traces=8, chunk_length=2)


@pytest.mark.parametrize("num_processes", [2, 4])
@every_algorithm_mostly_slow
def test_shares_of_processes_make_up_the_batch(name, num_processes):
    task = task_of(name, sizes=[7])

    def stream(process, of):
        return TrainingStream([task], batch_size=8, seed=1, process=process, num_processes=of)

    whole = stream(0, 1).batch(5)
    shares = [stream(process, num_processes).batch(5) for process in range(num_processes)]
    # All shares have the same shape, even if the longest trace of one would fit a smaller bucket.
    assert {share.num_steps for share in shares} == {whole.num_steps}

    def concatenate(stage, axis):
        values = [getattr(share, stage) for share in shares]
        return {name: np.concatenate([value[name] for value in values], axis) for name in values[0]}

    lengths = np.concatenate([share.lengths for share in shares])
    joined = TraceBatch(concatenate("inputs", 0), concatenate("hints", 1), concatenate("outputs", 0), lengths)
    assert_same(joined, whole)


def test_tasks_are_round_robin_and_sizes_cycle():
    tasks = [task_of("bfs", [4, 5, 6]), task_of("minimum", [8, 9])]
    stream = TrainingStream(tasks, batch_size=2, seed=0)
    task_schedule = [
        (stream.task(step).name, stream.batch(step).inputs["pos"].shape[1]) for step in range(12)
    ]
    expected = zip(
        itertools.cycle(["bfs", "minimum"]),
        itertools.chain.from_iterable(zip([4, 5, 6, 4, 5, 6], [8, 9, 8, 9, 8, 9], strict=True)),
        strict=False,
    )
    assert task_schedule == list(expected)


def test_problem_options_and_transforms_apply_to_batches():
    task = task_of("bfs", problem_options={"p": 0.0}, transforms=Transforms(random_positions=False))
    batch = TrainingStream([task], 4, 0).batch(0)
    np.testing.assert_array_equal(batch.inputs["adj"], np.broadcast_to(np.eye(5), (4, 5, 5)))
    np.testing.assert_array_equal(batch.inputs["pos"], np.broadcast_to(np.arange(5) / 5, (4, 5)))
    assert task.spec == Transforms().spec(nar.ALGORITHMS["bfs"])


@every_algorithm_mostly_slow
def test_batches_are_padded_to_buckets(name):
    stream = TrainingStream([task_of(name, sizes=[5, 9])], 3, 0)
    for step in range(4):
        batch = stream.batch(step)
        assert batch.num_steps == bucket_length(int(batch.lengths.max()))


# ---------------------------------------------------------------------------------------------------
# Micro-batches


@pytest.mark.parametrize(
    ("batch_size", "num_nodes", "expected"),
    [(32, 4, 1), (32, 7, 1), (32, 11, 2), (32, 13, 2), (32, 16, 4), (32, 64, 32), (30, 16, 2), (1, 64, 1)],
)
def test_number_of_automatic_microbatches(batch_size, num_nodes, expected):
    batch = task_of("minimum", sizes=(num_nodes,)).zero_traces(num_nodes, batch_size)
    assert count_microbatches(batch, AUTO_MICROBATCHES) == expected
    assert count_microbatches(batch, 3) == 3


@every_algorithm_mostly_slow
def test_grouping_by_length_keeps_the_traces(name):
    task = task_of(name, sizes=(5,))
    plain, grouped = (TrainingStream([task], 12, 0, num_microbatches=count).batch(0) for count in (1, 3))
    rows = [
        sorted(
            tuple(
                np.concatenate(
                    [np.ravel(value) for value in jax.tree.leaves(take(batch, slice(row, row + 1)))]
                )
            )
            for row in range(12)
        )
        for batch in (plain, grouped)
    ]
    assert rows[0] == rows[1]
    for index in range(2):
        assert grouped.lengths[index::3].max() <= grouped.lengths[index + 1 :: 3].min()


def test_shares_of_processes_have_all_microbatches():
    task = task_of("bfs", sizes=(16,))
    whole = TrainingStream([task], 16, 0, num_microbatches=4).batch(0)
    shares = [TrainingStream([task], 16, 0, process, 2, num_microbatches=4).batch(0) for process in range(2)]
    np.testing.assert_array_equal(np.concatenate([share.lengths for share in shares]), whole.lengths)


# ---------------------------------------------------------------------------------------------------
# Example batches, and the first batch


@every_algorithm
def test_examples_have_the_shapes_of_batches(name):
    stream = TrainingStream([task_of(name, sizes=(5,))], batch_size=3, seed=0)
    example, batch = stream.examples()[name], stream.batch(0)
    same = pad_steps(example, batch.num_steps)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), same) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), batch
    )


class RecordingStream:
    """A stream that records each request: step, and whether it came from the main thread."""

    def __init__(self, error=None):
        self.requests, self.error = [], error

    def batch(self, step):
        time.sleep(0.05)
        self.requests.append((step, threading.current_thread() is threading.main_thread()))
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, ValueError("no batch")])
def test_prefetch_first_batch_runs_in_a_thread(error):
    stream = RecordingStream(error)
    with prefetch_first_batch(stream):
        assert not stream.requests
    assert stream.requests == [(0, False)]


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_prefetch_yields_batches_in_order(depth):
    stream = TrainingStream([task_of("bfs"), task_of("minimum")], 2, 0)
    batches = list(prefetch(stream, 3, 9, depth))
    assert len(batches) == 6
    for step, batch in zip(range(3, 9), batches, strict=True):
        assert_same(batch, stream.batch(step))
    assert list(prefetch(stream, 4, 4, depth)) == []


class FailsAt:
    """A stream that raises an error at one step."""

    task_schedule = TaskSchedule([1.0])

    def __init__(self, step):
        self._step = step

    def batch(self, step):
        if step == self._step:
            raise RuntimeError(f"broken at step {step}")
        return step


def test_prefetch_raises_at_the_step_that_failed():
    batches = prefetch(FailsAt(3), 0, 10)
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match="broken at step 3"):
        next(batches)


def test_closing_prefetch_ends_its_thread():
    before = set(threading.enumerate())
    batches = prefetch(FailsAt(None), 0, 10**9)
    assert next(batches) == 0
    assert set(threading.enumerate()) > before
    batches.close()
    assert set(threading.enumerate()) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be a positive multiple of the 1 processes, got 0"),
        ({"batch_size": -2}, "got -2"),
        ({"num_processes": 3}, "batch_size must be a positive multiple of the 3 processes, got 4"),
        ({"process": 2, "num_processes": 2}, "process must be from 0 to 1, got 2"),
        ({"process": -1}, "process must be from 0 to 0, got -1"),
        ({"num_processes": 0}, "num_processes must be at least 1, got 0"),
        ({"tasks": []}, "at least one task"),
    ],
)
def test_invalid_stream_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        TrainingStream(**{"tasks": [task_of("bfs")], "batch_size": 4, "seed": 0, **options})


def test_prefetch_rejects_depth_zero():
    stream = TrainingStream([task_of("bfs")], 2, 0)
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        next(prefetch(stream, 0, 2, depth=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": ()}, "bfs: at least one size is needed"),
        ({"sizes": (4, 0)}, "bfs: .*got 0"),
        ({"sizes": (4,), "problem_options": {"low": 1}}, "bfs: unknown problem option 'low'; known: p"),
    ],
)
def test_invalid_tasks(options, message):
    with pytest.raises(ValueError, match=message):
        task_of("bfs", **options)
