"""Views of batches: the same traces whatever the step, process, seed, order of access or time chunk."""

import dataclasses

import jax
import numpy as np
import pytest

import nar
from nar.data import MultiSeedStream, Task, TrainingStream, pad_nodes, permute_nodes, random_permutations
from nar.data.views import BATCH, ViewedBatch, all_views

TASKS = tuple(Task(nar.ALGORITHMS[name], (4, 6)) for name in ("quickselect", "bfs"))


def permuted(task, traces, generators):
    permutations = random_permutations(traces, generators)
    view = permute_nodes(task.spec, traces, permutations)
    return dataclasses.replace(view, inputs={**view.inputs, "permutation": permutations.astype(np.int32)})


def shortened(task, traces, generators):
    """A view whose traces have other lengths and numbers of steps."""
    hints = {name: value[:2] for name, value in traces.hints.items()}
    return dataclasses.replace(traces, hints=hints, lengths=np.minimum(traces.lengths, 2))


def noise(task, traces, generators):
    uniforms = np.stack([generator.random(3) for generator in generators])
    return dataclasses.replace(traces, inputs={**traces.inputs, "noise": uniforms})


def stream(seed=0, process=0, num_processes=1, tasks=TASKS, views=None, **options):
    views = {"permuted": permuted, "noise": noise} if views is None else views
    return TrainingStream(tasks, 4, seed, process, num_processes, views=views, **options)


def assert_same(first, second):
    assert jax.tree.structure(first) == jax.tree.structure(second)
    jax.tree.map(np.testing.assert_array_equal, first, second)


def undone(spec, view):
    """The traces of which this is the permuted view."""
    permutations = view.inputs["permutation"]
    inputs = {name: value for name, value in view.inputs.items() if name != "permutation"}
    return permute_nodes(spec, dataclasses.replace(view, inputs=inputs), np.argsort(permutations, axis=1))


@pytest.mark.parametrize("options", [{}, {"num_microbatches": 2}, {"chunk_length": 3}])
def test_rows_of_views_belong_to_those_of_the_batch(options):
    plain, viewed = stream(views={}, **options), stream(**options)
    for step in range(5):
        batch = viewed.batch(step)
        assert isinstance(batch, ViewedBatch)
        assert_same(batch.batch, plain.batch(step))
        assert_same(undone(viewed.task(step).spec, batch.views["permuted"]), batch.batch)


@pytest.mark.parametrize("options", [{}, {"num_microbatches": 2}, {"chunk_length": 3}])
def test_views_are_a_function_of_seed_and_trace(options):
    whole = stream(**options)
    batches = [whole.batch(step) for step in range(6)]
    for step in (4, 1, 5):
        assert_same(stream(**options).batch(step), batches[step])
    shares = [stream(0, process, 2, **options).batch(3) for process in range(2)]
    for name, view in all_views(batches[3]).items():
        joined = [
            np.concatenate([all_views(share)[name].inputs[key] for share in shares]) for key in view.inputs
        ]
        jax.tree.map(np.testing.assert_array_equal, joined, list(view.inputs.values()))
    others = stream(1, **options).batch(3).views["noise"], batches[1].views["noise"]
    for other in others:
        assert not np.isin(other.inputs["noise"], batches[3].views["noise"].inputs["noise"]).any()
    renamed = stream(views={"other": noise}, **options).batch(3).views["other"]
    assert not np.isin(renamed.inputs["noise"], batches[3].views["noise"].inputs["noise"]).any()


def test_all_chunks_of_a_trace_have_the_same_view():
    chunks = stream(tasks=(Task(nar.ALGORITHMS["quickselect"], (6,)),), chunk_length=2)
    noise_of = {}
    for step in range(12):
        batch = chunks.batch(step)
        for row in range(4):
            trace = batch.batch.inputs["pos"][row].tobytes()
            view = batch.views["noise"].inputs["noise"][row].tobytes()
            assert noise_of.setdefault(trace, view) == view
            np.testing.assert_array_equal(batch.views["permuted"].offsets, batch.batch.offsets)
    assert len(set(noise_of.values())) == len(noise_of) > 4


def test_views_have_their_own_length_bucket_and_are_stacked_for_several_seeds():
    tasks = (Task(nar.ALGORITHMS["quickselect"], (16,)),)
    streams = [stream(seed, views={"shortened": shortened}, tasks=tasks) for seed in (0, 1)]
    assert all(
        one.batch(0).views["shortened"].num_steps == 16 < one.batch(0).batch.num_steps for one in streams
    )
    batch = MultiSeedStream(streams).batch(0)
    for index, one in enumerate(streams):
        for name, view in all_views(one.batch(0)).items():
            stacked = jax.tree.map(lambda leaf, index=index: leaf[index], all_views(batch)[name])
            np.testing.assert_array_equal(stacked.lengths, view.lengths)
            np.testing.assert_array_equal(stacked.inputs["pos"], view.inputs["pos"])


@pytest.mark.parametrize("options", [{}, {"chunk_length": 3}])
def test_examples_have_the_shapes_of_batches(options):
    viewed = stream(**options)
    assert not any(isinstance(example, ViewedBatch) for example in viewed.examples().values())
    examples = viewed.chunk_examples() or viewed.viewed_examples()
    batches = {viewed.stream_key(step) or viewed.task(step).name: viewed.batch(step) for step in range(4)}
    assert set(examples) == set(batches)
    for name, example in examples.items():
        if options:
            shapes = [jax.tree.map(np.shape, tree) for tree in (example, batches[name])]
            assert shapes[0] == shapes[1]
        assert jax.tree.structure(example) == jax.tree.structure(batches[name])


def test_invalid_views_are_errors():
    def fewer(task, traces, generators):
        return dataclasses.replace(traces, lengths=traces.lengths[:1])

    with pytest.raises(ValueError, match="view 'fewer' of quickselect must have 4 traces, got 1"):
        stream(views={"fewer": fewer}).batch(0)
    with pytest.raises(ValueError, match="view 'shortened' changes the lengths of traces"):
        stream(views={"shortened": shortened}, chunk_length=3).batch(0)
    assert BATCH not in stream().views


def test_padded_nodes_are_possible_except_on_time_chunks():
    views = {"padded": lambda task, traces, generators: pad_nodes(traces, task.spec, 20)}
    batch = stream(views=views).batch(0)
    assert set(batch.views["padded"].num_nodes) == {batch.batch.inputs["pos"].shape[1]}
    chunked = stream(views=views, chunk_length=3)
    for call in (lambda: chunked.batch(0), chunked.chunk_examples):
        with pytest.raises(ValueError, match=r"view 'padded' has padded nodes \(num_nodes\)"):
            call()
