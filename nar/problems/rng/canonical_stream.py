"""Compiled reimplementation of `numpy.random.RandomState`, whose draws define CLRS-30.

The stream continues from the state of a `RandomState` and makes bit-identical draws: the Mersenne Twister
MT19937 (Matsumoto and Nishimura 1998, doi 10.1145/272991.272995) under numpy's frozen methods. It has the
methods that samplers of CLRS-30 use, in compiled code only: in Python, `RandomState` itself serves.
"""

# pyright: reportArgumentType=false, reportCallIssue=false

import math

import numpy as np
from numba import types
from numba.experimental import structref
from numba.extending import overload, overload_method, register_jitable

from nar.problems.rng.counter_stream import start_stream

_NUM_WORDS, _SHIFTED = 624, 397
_UPPER, _LOWER, _TWIST = np.uint64(0x80000000), np.uint64(0x7FFFFFFF), np.uint64(0x9908B0DF)
_FIRST_MASK, _SECOND_MASK = np.uint64(0x9D2C5680), np.uint64(0xEFC60000)
_0, _1, _5, _6, _7, _11, _15, _18 = (np.uint64(k) for k in (0, 1, 5, 6, 7, 11, 15, 18))


@structref.register
class _CanonicalType(types.StructRef):
    """Numba type of a `CanonicalStream`."""


class CanonicalStream(structref.StructRefProxy):
    """Mersenne Twister stream; built by `canonical_stream`."""


structref.define_proxy(
    CanonicalStream, _CanonicalType, ["state", "position", "index", "state_at_start", "position_at_start"]
)


def canonical_stream(seed: int) -> CanonicalStream:
    """Builds the stream of `numpy.random.RandomState(seed)`, at its beginning."""
    _, words, position, *_ = np.random.RandomState(seed).get_state()
    state = np.array([words, words], np.uint32)
    _temper(state)
    # The types must match those that compiled code assigns to the fields.
    return CanonicalStream(state, int(position), np.uint64(2**64 - 1), state.copy(), int(position))


def stream_at(source, index):
    """Returns the stream from which sample `index` is drawn.

    Args:
      source: a key, under which each sample has its own stream; or one stream from which samples are drawn
        in sequence, which rewinds if the same index is requested twice in a row.
      index: index of the sample.
    """
    return start_stream(source, index) if isinstance(source, int | np.integer) else source


@overload(stream_at)
def _compiled_stream_at(source, index):
    if isinstance(source, types.Integer):
        return lambda source, index: start_stream(source, index)

    def next_sample(source, index):
        if source.index == index:
            source.state[:] = source.state_at_start
            source.position = source.position_at_start
        else:
            source.index = index
            source.state_at_start[:] = source.state
            source.position_at_start = source.position
        return source

    return next_sample


# ---------------------------------------------------------------------------------------------------
# Draws: each takes the state and the position of the next word, and returns a value and the position after it


@register_jitable
def _word(state, position):
    """32 random bits."""
    if position == _NUM_WORDS:
        _regenerate(state[0])
        _temper(state)
        position = 0
    return np.uint64(state[1, position]), position + 1


@register_jitable
def _regenerate(words):
    for i in range(_NUM_WORDS - _SHIFTED):
        words[i] = _twisted(words[i], words[i + 1], words[i + _SHIFTED])
    for i in range(_NUM_WORDS - _SHIFTED, _NUM_WORDS - 1):
        words[i] = _twisted(words[i], words[i + 1], words[i + _SHIFTED - _NUM_WORDS])
    words[_NUM_WORDS - 1] = _twisted(words[_NUM_WORDS - 1], words[0], words[_SHIFTED - 1])


@register_jitable
def _twisted(upper, lower, shifted):
    y = np.uint64(upper) & _UPPER | np.uint64(lower) & _LOWER
    return np.uint32(np.uint64(shifted) ^ (y >> _1) ^ (y & _1) * _TWIST)


@register_jitable
def _temper(state):
    """Computes the words to be drawn (row 1) by tempering the state (row 0)."""
    for i in range(_NUM_WORDS):
        y = np.uint64(state[0, i])
        y ^= y >> _11
        y ^= (y << _7) & _FIRST_MASK
        y ^= (y << _15) & _SECOND_MASK
        state[1, i] = y ^ (y >> _18)


@register_jitable
def _fill_uniform(state, position, flat):
    """Fills an array with uniforms in [0, 1), multiples of 2**-53, two words each; returns the position."""
    done = 0
    while done < flat.size:
        if position >= _NUM_WORDS - 1:  # a word of this state and one of the next
            upper, position = _word(state, position)
            lower, position = _word(state, position)
            flat[done] = _uniform(upper, lower)
            done += 1
        # Not checking the position before each word makes this twenty times as fast.
        count = min(flat.size - done, (_NUM_WORDS - position) // 2)
        for k in range(count):
            flat[done + k] = _uniform(state[1, position + 2 * k], state[1, position + 2 * k + 1])
        done, position = done + count, position + 2 * count
    return position


@register_jitable
def _uniform(upper, lower):
    upper, lower = np.uint64(upper) >> _5, np.uint64(lower) >> _6
    return (upper * 67108864.0 + lower) / 9007199254740992.0


@register_jitable
def _integer_below(state, position, n):
    """Draws an integer below n <= 2**32, by rejection sampling of masked words."""
    largest = np.uint64(n - 1)
    if largest == _0:
        return 0, position
    mask = _0
    while mask < largest:
        mask = mask << _1 | _1
    word, position = _word(state, position)
    while word & mask > largest:
        word, position = _word(state, position)
    return np.int64(word & mask), position


@register_jitable
def _fill_bernoulli(state, position, flat, p):
    """Fills an array with Bernoulli draws of probability p <= 1/2, by inversion; returns the position."""
    p_zero = math.exp(math.log(1 - p))  # 1 - p as numpy rounds it
    bound = p * p_zero / (1 - p)
    drawn, done = np.empty(flat.size), 0
    while done < flat.size:
        position = _fill_uniform(state, position, drawn[done:])
        for k in range(done, flat.size):
            if drawn[k] - p_zero <= bound:  # else it lies in the gap that rounding leaves above both values
                flat[done] = drawn[k] > p_zero
                done += 1
    return position


# ---------------------------------------------------------------------------------------------------
# Methods


def _is_none(value):
    return value is None or isinstance(value, types.NoneType | types.Omitted)


@overload_method(_CanonicalType, "uniform")
def _draw_uniform(stream, low=0.0, high=1.0, size=None):
    if _is_none(size):
        return lambda stream, low=0.0, high=1.0, size=None: stream.uniform(low, high, (1,))[0]

    def uniforms(stream, low=0.0, high=1.0, size=None):
        result = np.empty(size)
        flat = result.reshape(-1)
        stream.position = _fill_uniform(stream.state, stream.position, flat)
        for k in range(flat.size):
            flat[k] = low + (high - low) * flat[k]
        return result

    return uniforms


@overload_method(_CanonicalType, "binomial")
def _draw_binomial(stream, n, p, size=None):
    """Supports n = 1 only."""
    if _is_none(size):
        return lambda stream, n, p, size=None: stream.binomial(n, p, (1,))[0]

    def binomials(stream, n, p, size=None):
        assert n == 1
        result = np.zeros(size, np.int64)
        flat = result.reshape(-1)
        stream.position = _fill_bernoulli(stream.state, stream.position, flat, 1 - p if p > 0.5 else p)
        if p > 0.5:
            flat[:] = 1 - flat
        return result

    return binomials


@overload_method(_CanonicalType, "randint")
def _draw_randint(stream, low, high=None, size=None):
    """Requires `high`."""
    if _is_none(size):
        return lambda stream, low, high=None, size=None: stream.randint(low, high, (1,))[0]

    def integers(stream, low, high=None, size=None):
        result = np.empty(size, np.int64)
        flat, state, position = result.reshape(-1), stream.state, stream.position
        for k in range(flat.size):
            drawn, position = _integer_below(state, position, high - low)
            flat[k] = low + drawn
        stream.position = position
        return result

    return integers


@overload_method(_CanonicalType, "choice")
def _draw_choice(stream, a):
    if isinstance(a, types.Array):
        return lambda stream, a: a[stream.choice(len(a))]

    def choice(stream, a):
        drawn, position = _integer_below(stream.state, stream.position, a)
        stream.position = position
        return drawn

    return choice


@overload_method(_CanonicalType, "permutation")
def _draw_permutation(stream, n):
    def permutation(stream, n):
        order, state, position = np.arange(n), stream.state, stream.position
        for i in range(n - 1, 0, -1):
            j, position = _integer_below(state, position, i + 1)
            order[i], order[j] = order[j], order[i]
        stream.position = position
        return order

    return permutation
