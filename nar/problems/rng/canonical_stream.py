"""The stream of random numbers that defines CLRS-30, compiled.

It goes on where a `numpy.random.RandomState` stands and draws what that would draw, word for word: the
Mersenne Twister MT19937 (Matsumoto and Nishimura 1998, doi 10.1145/272991.272995) under numpy's frozen
methods. It has those that samplers of CLRS-30 use, and exists in compiled code only: in Python, `RandomState`
itself will do.
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
    """numba's type of a stream."""


class CanonicalStream(structref.StructRefProxy):
    """A stream; make one by `canonical_stream`."""


structref.define_proxy(
    CanonicalStream, _CanonicalType, ["state", "place", "index", "state_at_start", "place_at_start"]
)


def canonical_stream(seed: int) -> CanonicalStream:
    """The stream of `numpy.random.RandomState(seed)`, at its beginning."""
    _, words, place, *_ = np.random.RandomState(seed).get_state()
    state = np.array([words, words], np.uint32)
    _temper(state)
    # Types must be those that compiled code gives to the fields.
    return CanonicalStream(state, int(place), np.uint64(2**64 - 1), state.copy(), int(place))


def stream_at(source, index):
    """The stream from which sample `index` is drawn.

    Args:
      source: a key, each of whose samples has a stream of its own; or a stream from which samples are drawn
        one after the other, which starts over if it is asked for the same sample again.
      index: of the sample.
    """
    return start_stream(source, index) if isinstance(source, int | np.integer) else source


@overload(stream_at)
def _compiled_stream_at(source, index):
    if isinstance(source, types.Integer):
        return lambda source, index: start_stream(source, index)

    def next_sample(source, index):
        if source.index == index:
            source.state[:] = source.state_at_start
            source.place = source.place_at_start
        else:
            source.index = index
            source.state_at_start[:] = source.state
            source.place_at_start = source.place
        return source

    return next_sample


# ---------------------------------------------------------------------------------------------------
# One draw: each takes the state and the place of the next word, and returns what it draws and the place
# behind


@register_jitable
def _word(state, place):
    """32 random bits."""
    if place == _NUM_WORDS:
        _renew(state[0])
        _temper(state)
        place = 0
    return np.uint64(state[1, place]), place + 1


@register_jitable
def _renew(words):
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
    """Row 1 is what is drawn, made of row 0."""
    for i in range(_NUM_WORDS):
        y = np.uint64(state[0, i])
        y ^= y >> _11
        y ^= (y << _7) & _FIRST_MASK
        y ^= (y << _15) & _SECOND_MASK
        state[1, i] = y ^ (y >> _18)


@register_jitable
def _fill_uniform(state, place, flat):
    """Fills an array with numbers in [0, 1), multiples of 2**-53, of two words each; returns the place."""
    done = 0
    while done < flat.size:
        if place >= _NUM_WORDS - 1:  # a word of this state and one of the next
            upper, place = _word(state, place)
            lower, place = _word(state, place)
            flat[done] = _uniform(upper, lower)
            done += 1
        # Without a look at the place before each word this is twenty times as fast.
        count = min(flat.size - done, (_NUM_WORDS - place) // 2)
        for k in range(count):
            flat[done + k] = _uniform(state[1, place + 2 * k], state[1, place + 2 * k + 1])
        done, place = done + count, place + 2 * count
    return place


@register_jitable
def _uniform(upper, lower):
    upper, lower = np.uint64(upper) >> _5, np.uint64(lower) >> _6
    return (upper * 67108864.0 + lower) / 9007199254740992.0


@register_jitable
def _integer_below(state, place, n):
    """An integer below n, at most 2**32: the first draw of so many bits that is one."""
    largest = np.uint64(n - 1)
    if largest == _0:
        return 0, place
    mask = _0
    while mask < largest:
        mask = mask << _1 | _1
    word, place = _word(state, place)
    while word & mask > largest:
        word, place = _word(state, place)
    return np.int64(word & mask), place


@register_jitable
def _fill_trials(state, place, flat, p):
    """Fills an array with 1 with probability p, at most 1/2, else 0; by inversion."""
    chance = math.exp(math.log(1 - p))  # of 0, as numpy rounds it
    bound = p * chance / (1 - p)
    drawn, done = np.empty(flat.size), 0
    while done < flat.size:
        place = _fill_uniform(state, place, drawn[done:])
        for k in range(done, flat.size):
            if drawn[k] - chance <= bound:  # else rounding has left a gap above both
                flat[done] = drawn[k] > chance
                done += 1
    return place


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
        stream.place = _fill_uniform(stream.state, stream.place, flat)
        for k in range(flat.size):
            flat[k] = low + (high - low) * flat[k]
        return result

    return uniforms


@overload_method(_CanonicalType, "binomial")
def _draw_binomial(stream, n, p, size=None):
    """Only n = 1."""
    if _is_none(size):
        return lambda stream, n, p, size=None: stream.binomial(n, p, (1,))[0]

    def binomials(stream, n, p, size=None):
        assert n == 1
        result = np.zeros(size, np.int64)
        flat = result.reshape(-1)
        stream.place = _fill_trials(stream.state, stream.place, flat, 1 - p if p > 0.5 else p)
        if p > 0.5:
            flat[:] = 1 - flat
        return result

    return binomials


@overload_method(_CanonicalType, "randint")
def _draw_randint(stream, low, high=None, size=None):
    """With a high."""
    if _is_none(size):
        return lambda stream, low, high=None, size=None: stream.randint(low, high, (1,))[0]

    def integers(stream, low, high=None, size=None):
        result = np.empty(size, np.int64)
        flat, state, place = result.reshape(-1), stream.state, stream.place
        for k in range(flat.size):
            drawn, place = _integer_below(state, place, high - low)
            flat[k] = low + drawn
        stream.place = place
        return result

    return integers


@overload_method(_CanonicalType, "choice")
def _draw_choice(stream, a):
    if isinstance(a, types.Array):
        return lambda stream, a: a[stream.choice(len(a))]

    def choice(stream, a):
        drawn, place = _integer_below(stream.state, stream.place, a)
        stream.place = place
        return drawn

    return choice


@overload_method(_CanonicalType, "permutation")
def _draw_permutation(stream, n):
    def permutation(stream, n):
        order, state, place = np.arange(n), stream.state, stream.place
        for i in range(n - 1, 0, -1):
            j, place = _integer_below(state, place, i + 1)
            order[i], order[j] = order[j], order[i]
        stream.place = place
        return order

    return permutation
