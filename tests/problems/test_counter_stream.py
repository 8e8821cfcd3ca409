"""Counter-based random streams, and the samples that compiled samplers draw from them."""

import itertools

import numba
import numpy as np
import pytest
import scipy.stats

import nar
from nar.problems.rng.counter_stream import start_stream

KEY = 0x0123456789ABCDEF


def draw_all(stream):
    """Calls every method with every form of its arguments."""
    return (
        stream.uniform(),
        stream.uniform(-2.0, 3.0),
        stream.uniform(low=1.0, high=2.0, size=(3,)),
        stream.uniform(0.0, 1.0, (2, 3)),
        stream.uniform(size=4),
        stream.binomial(1, 0.5),
        stream.binomial(5, 0.3),
        stream.binomial(1, 0.25, size=(3, 3)),
        stream.binomial(4, 0.25, size=(7,)),
        stream.randint(5),
        stream.randint(-3, 4),
        stream.randint(0, high=4, size=(9,)),
        stream.randint(1, high=2**53),
        stream.choice(7),
        stream.choice(np.array([0.1, 0.5, 0.9])),
        stream.permutation(6),
        stream.permutation(1),
    )


@numba.njit
def compiled(key, index):
    return draw_all_compiled(start_stream(key, index))


draw_all_compiled = numba.njit(draw_all)


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("index", [0, 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("key", [0, KEY, 2**64 - 1])
def test_python_and_compiled_draws_match(key, index):
    plain = draw_all(start_stream(key, index))
    for expected, actual in zip(plain, compiled(np.uint64(key), np.uint64(index)), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_generator_is_splitmix64():
    """The first numbers match those of the authors' code for the seed 1234567."""
    stream = start_stream(0, 0)
    stream.state = 1234567
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [stream.uniform() for _ in expected] == [(number >> 11) * 2.0**-53 for number in expected]


def test_shapes_and_dtypes_match_numpy():
    ours, numpys = draw_all(start_stream(KEY, 3)), draw_all(np.random.RandomState(0))
    for our, numpy in zip(ours, numpys, strict=True):
        assert np.shape(our) == np.shape(numpy)
        assert np.asarray(our).dtype.kind == np.asarray(numpy).dtype.kind


def test_numbers_are_uniform_within_and_across_streams():
    within = start_stream(KEY, 0).uniform(size=(20_000,))
    across = np.array([start_stream(KEY, index).uniform() for index in range(20_000)])
    for numbers in (within, across):
        assert scipy.stats.kstest(numbers, "uniform").pvalue > 1e-3
        assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.03


def test_streams_of_different_keys_and_indices_differ():
    keys, indices = (0, 1, KEY), (0, 1, 2, 2**32, 2**64 - 1)
    firsts = {start_stream(key, index).uniform() for key, index in itertools.product(keys, indices)}
    assert len(firsts) == len(keys) * len(indices)


def test_integers_choices_and_permutations_are_uniform():
    stream = start_stream(KEY, 0)
    orders = [tuple(stream.permutation(3)) for _ in range(6000)]
    for drawn in (
        [stream.randint(2, 8) for _ in range(6000)],
        [stream.choice(6) for _ in range(6000)],
        orders,
    ):
        counts = np.unique(np.array(drawn), axis=0, return_counts=True)[1]
        assert len(counts) == 6
        assert scipy.stats.chisquare(counts).pvalue > 1e-3


# ---------------------------------------------------------------------------------------------------
# Samples


ALGORITHM_OF_PROBLEM = {id(algorithm.problem): name for name, algorithm in reversed(nar.ALGORITHMS.items())}
"""Id of each problem -> its first algorithm."""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] * (number % 2))
        for number, name in enumerate(
            name if name != "find_maximum_subarray" else f"{name}_kadane"
            for name in ALGORITHM_OF_PROBLEM.values()
        )
    ],
)
def test_input_distribution_matches_clrs30(name):
    """First and second moments of all inputs agree between the two streams, within sampling error."""
    count = 150
    ours = nar.sample_traces(name, 10, count, 0).inputs
    theirs = nar.traces.clrs30_sample(name, 10, count, 0).inputs
    for probe, values in ours.items():
        for first, second in ((values, theirs[probe]), (values**2, theirs[probe] ** 2)):
            first, second = (x.reshape(count, -1).astype(float).mean(axis=1) for x in (first, second))
            error = np.sqrt((first.var() + second.var()) / count)
            assert abs(first.mean() - second.mean()) <= 4.5 * error + 1e-12, probe


@pytest.mark.parametrize(("p", "expected"), [(0.3, 0.09), ((0.0, 1.0), 0.5)])
def test_density_of_undirected_graphs(p, expected):
    A = nar.sample_traces("bfs", 20, 500, 0, p=p).inputs["A"]
    np.testing.assert_array_equal(A, A.transpose(0, 2, 1))
    assert A[:, *np.triu_indices(20, 1)].mean() == pytest.approx(expected, abs=0.06)


def test_options_are_passed_to_compiled_samplers():
    A = nar.sample_traces("dijkstra", 12, 50, 0, directed=True, low=2, high=3).inputs["A"]
    assert ((A == 0) | ((A >= 2) & (A < 3))).all()
    assert (A.transpose(0, 2, 1) != A).any()
    d = nar.sample_traces("task_scheduling", 9, 50, 0, max_deadline=2).inputs["d"]
    assert set(d.flat) == {1, 2}
    keys = nar.sample_traces("lcs_length", 6, 20, 0, length_2=3, chars=2).inputs
    assert keys["key"].shape == (20, 9, 4)
    assert keys["key"].argmax(-1).max() == 1
    string = nar.sample_traces("kmp_matcher", 20, 100, 0, length_needle=-8).inputs["string"]
    assert set(string.sum(axis=1)) == set(range(1, 9))
