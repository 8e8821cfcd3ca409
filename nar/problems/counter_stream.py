"""The stream of random numbers that compiled samplers draw from.

Samplers are written for a `numpy.random.RandomState`, whose draws define CLRS-30. Compiled by numba, the same
source takes a `CounterStream` instead: it has those methods of `RandomState` that samplers use, with the same
meaning but draws of its own, and costs next to nothing to make. It is SplitMix64 (Steele et al. 2014,
doi 10.1145/2660193.2660195), started at a place that is a hash of a key and an index.
"""

import numpy as np
from numba import types
from numba.experimental import structref
from numba.extending import overload_method, register_jitable

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@structref.register
class _CounterStreamType(types.StructRef):
    """numba's type of a `CounterStream`."""


class CounterStream(structref.StructRefProxy):
    """A stream; it can only be made and used in compiled code. `state` is 64 bits."""


structref.define_proxy(CounterStream, _CounterStreamType, ["state"])


@register_jitable
def start_stream(key, index):
    """Stream `index` of those of a key; two 64-bit numbers."""
    return CounterStream(_mix(_mix(key) + index * _STEP))


@register_jitable
def _mix(z):
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@register_jitable
def _uniform(stream):
    """In [0, 1), a multiple of 2**-53."""
    stream.state += _STEP
    return (_mix(stream.state) >> _11) * 2.0**-53


@register_jitable
def _below(stream, bound):
    """An integer in 0 ... bound - 1."""
    return np.int64(_uniform(stream) * bound)


def _is_none(value):
    """Whether an argument is not given: a type, a default, or None."""
    return value is None or isinstance(value, types.NoneType | types.Omitted)


@overload_method(_CounterStreamType, "uniform")
def _draw_uniform(stream, low=0.0, high=1.0, size=None):
    if _is_none(size):
        return lambda stream, low=0.0, high=1.0, size=None: low + (high - low) * _uniform(stream)

    def draw(stream, low=0.0, high=1.0, size=None):
        result = np.empty(size)
        flat = result.reshape(-1)
        for k in range(flat.size):
            flat[k] = low + (high - low) * _uniform(stream)
        return result

    return draw


@overload_method(_CounterStreamType, "binomial")
def _draw_binomial(stream, n, p, size=None):
    if _is_none(size):
        return lambda stream, n, p, size=None: _successes(stream, n, p)

    def draw(stream, n, p, size=None):
        result = np.empty(size, np.int64)
        flat = result.reshape(-1)
        for k in range(flat.size):
            flat[k] = _successes(stream, n, p)
        return result

    return draw


@register_jitable
def _successes(stream, n, p):
    count = 0
    for _ in range(n):
        count += _uniform(stream) < p
    return count


@overload_method(_CounterStreamType, "randint")
def _draw_randint(stream, low, high=None, size=None):
    if _is_none(high):
        return lambda stream, low, high=None, size=None: stream.randint(0, low, size)
    if _is_none(size):
        return lambda stream, low, high=None, size=None: low + _below(stream, high - low)

    def draw(stream, low, high=None, size=None):
        result = np.empty(size, np.int64)
        flat = result.reshape(-1)
        for k in range(flat.size):
            flat[k] = low + _below(stream, high - low)
        return result

    return draw


@overload_method(_CounterStreamType, "choice")
def _draw_choice(stream, a):
    if isinstance(a, types.Array):
        return lambda stream, a: a[_below(stream, len(a))]
    return lambda stream, a: _below(stream, a)


@overload_method(_CounterStreamType, "permutation")
def _draw_permutation(stream, n):
    def draw(stream, n):
        result = np.arange(n)
        for i in range(n - 1, 0, -1):
            j = _below(stream, i + 1)
            result[i], result[j] = result[j], result[i]
        return result

    return draw
