"""Permutations of nodes: of every kind of probe, and of the traces of algorithms."""

import dataclasses

import every_kind
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nar
from nar.data import Task, TrainingStream, pad_nodes, permute_nodes, random_permutations
from nar.evaluation.scores import SCORES
from nar.specs import Kind, Location

SPEC, BATCH, NODES = every_kind.SPEC, 3, 4


def generators(seed, count=BATCH):
    return [np.random.default_rng((seed, row)) for row in range(count)]


def values_of(batch):
    return {**batch.inputs, **batch.hints, **batch.outputs}


def assert_same(first, second):
    assert values_of(first).keys() == values_of(second).keys()
    for name, value in values_of(first).items():
        np.testing.assert_array_equal(value, values_of(second)[name], err_msg=name)
        assert value.dtype == values_of(second)[name].dtype
    np.testing.assert_array_equal(first.lengths, second.lengths)


@given(seed=st.integers(0, 2**32), masked=st.sampled_from([0.0, 0.4]))
def test_inverse_permutation_restores_every_kind(seed, masked):
    batch = every_kind.random_batch(seed, SPEC, BATCH, NODES, masked=masked)
    permutations = random_permutations(batch, generators(seed))
    permuted = permute_nodes(SPEC, batch, permutations)
    assert_same(permute_nodes(SPEC, permuted, np.argsort(permutations, axis=1)), batch)
    twice = permute_nodes(SPEC, permuted, permutations)
    assert_same(twice, permute_nodes(SPEC, batch, np.take_along_axis(permutations, permutations, axis=1)))
    assert_same(permute_nodes(SPEC, batch, np.tile(np.arange(NODES), (BATCH, 1))), batch)


@given(seed=st.integers(0, 2**32))
def test_scores_are_those_of_the_original(seed):
    truth = every_kind.random_batch((seed, 0), SPEC, BATCH, NODES, masked=0.2)
    guess = every_kind.random_batch((seed, 1), SPEC, BATCH, NODES)
    permutations = random_permutations(truth, generators(seed))
    permuted = [values_of(permute_nodes(SPEC, batch, permutations)) for batch in (truth, guess)]
    pair = [values_of(batch) for batch in (truth, guess)]
    for name, probe in SPEC.items():
        expected, actual = (SCORES[probe.kind](one[name], other[name]) for one, other in (pair, permuted))
        assert actual == pytest.approx(expected), name
        valid = SCORES[probe.kind](permuted[0][name], permuted[0][name])
        assert valid == 1, name


@pytest.mark.parametrize(
    ("name", "start"),
    [("bellman_ford", 2), ("mst_prim", 2), ("dijkstra", 1)],
)
def test_permuted_trace_is_that_of_the_permuted_problem(name, start):
    """For algorithms whose steps do not depend on the order of nodes, if weights differ."""
    random, permutation = np.random.default_rng(0), np.array([3, 0, 4, 1, 2])
    weights = np.triu(random.random((5, 5)), 1) * (random.random((5, 5)) < 0.8)
    A = weights + weights.T
    original = batch_of(nar.run_algorithm(name, A=A, s=start))
    permuted = permute_nodes(nar.ALGORITHMS[name].spec, original, permutation[None])
    np.testing.assert_array_equal(permuted.inputs["pos"][0], permutation / 5)
    new_start = int(np.argsort(permutation)[start])
    again = batch_of(nar.run_algorithm(name, A=A[np.ix_(permutation, permutation)], s=new_start))
    for probe, value in values_of(permuted).items():
        if probe != "pos":
            np.testing.assert_allclose(value, values_of(again)[probe], err_msg=probe)


def batch_of(trace):
    def rows(values, axis):
        return {name: np.expand_dims(value, axis) for name, value in values.items()}

    return nar.traces.TraceBatch(
        rows(trace.inputs, 0),
        rows(trace.hints, 1),
        rows(trace.outputs, 0),
        np.array([trace.length], np.int32),
    )


def test_padding_nodes_stay_and_other_permutations_are_errors():
    batch = every_kind.random_batch(0, SPEC, BATCH, NODES)
    padded = pad_nodes(batch, SPEC, 6)
    permutations = random_permutations(padded, generators(0))
    np.testing.assert_array_equal(permutations[:, NODES:], [[4, 5]] * BATCH)
    permuted = permute_nodes(SPEC, padded, permutations)
    expected = pad_nodes(permute_nodes(SPEC, batch, permutations[:, :NODES]), SPEC, 6)
    np.testing.assert_array_equal(permuted.num_nodes, expected.num_nodes)
    for name, value in values_of(permuted).items():
        if (SPEC[name].location, SPEC[name].kind) != (Location.EDGE, Kind.POINTER):  # padding points anywhere
            np.testing.assert_array_equal(value, values_of(expected)[name], err_msg=name)
    for wrong in (permutations[:, :NODES], np.zeros_like(permutations), permutations[:2]):
        with pytest.raises(ValueError, match="must be permutations of 6 nodes for each of 3 traces"):
            permute_nodes(SPEC, padded, wrong)
    with pytest.raises(ValueError, match="must not exchange real nodes with padding nodes"):
        permute_nodes(SPEC, padded, permutations[:, ::-1])


def test_chunks_are_permuted_like_whole_traces():
    stream = TrainingStream([Task(nar.ALGORITHMS["quickselect"], (6,))], 4, 0, chunk_length=3)
    spec, chunk = stream.tasks[0].spec, stream.batch(2)
    permuted = permute_nodes(spec, chunk, random_permutations(chunk, generators(1, 4)))
    steps = np.arange(chunk.num_steps)[:, None] + chunk.offsets
    pointers = {name for name in chunk.hints if spec[name].kind is Kind.POINTER}
    for name, value in permuted.hints.items():
        after_end = value[steps >= chunk.lengths]
        assert not after_end.any(), name
    assert pointers and dataclasses.replace(permuted, hints={}).offsets is chunk.offsets
