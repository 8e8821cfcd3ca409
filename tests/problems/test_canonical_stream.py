"""Equality of the draws of the compiled `CanonicalStream` and of numpy's `RandomState`."""

import numba
import numpy as np
import pytest

from nar.problems.rng.canonical_stream import canonical_stream, stream_at

pytestmark = [pytest.mark.jit, pytest.mark.slow]
SEEDS = (0, 5, 2**32 - 1)


def draw(stream):
    """Calls every method with every form of its arguments that samplers use."""
    return (
        stream.uniform(),
        stream.uniform(size=(3,)),
        stream.uniform(low=-2.0, high=3.0, size=(5, 41)),
        stream.binomial(1, 0.3, size=(7, 7)),
        stream.binomial(1, 0.9, size=(7, 7)),
        stream.binomial(1, 0.0, size=(7, 7)),
        stream.randint(-3, 4),
        stream.randint(0, high=4, size=(9,)),
        stream.choice(7),
        stream.choice(np.array([0.1, 0.5, 0.9])),
        stream.permutation(6),
    )


draw_compiled = numba.njit(draw)


@numba.njit
def draw_sample(stream, index):
    return draw_compiled(stream_at(stream, index))


def assert_same(actual, expected):
    for ours, numpys in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, numpys)


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_match_numpy(seed):
    """Draws are bit-identical, also after the state of 624 words is regenerated several times."""
    stream, numpys = canonical_stream(seed), np.random.RandomState(seed)
    for index in range(10):
        assert_same(draw_sample(stream, np.uint64(index)), draw(numpys))


def test_repeated_index_rewinds_the_stream():
    stream, numpys = canonical_stream(3), np.random.RandomState(3)
    for index in range(4):
        first = draw_sample(stream, np.uint64(index))
        assert_same(draw_sample(stream, np.uint64(index)), first)
        assert_same(first, draw(numpys))
