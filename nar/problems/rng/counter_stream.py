"""Counter-based random stream of one trace.

Samplers are written for a `numpy.random.RandomState`, whose draws define CLRS-30. They also accept a
`CounterStream`, which has the methods of `RandomState` that samplers use, with the same semantics but
different draws, and is almost free to create. It exists as a Python class and as a numba type, with identical
draws.

The generator is SplitMix64 (Steele et al. 2014, doi 10.1145/2660193.2660195), seeded by a hash of a key and
an index.
"""

from typing import Any

import numpy as np
from numba import types
from numba.experimental import structref
from numba.extending import overload, overload_method, register_jitable

_BITS = 2**64 - 1
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def start_stream(key: int, index: int) -> "CounterStream":
    """Creates stream `index` of a key; both are 64-bit integers."""
    return CounterStream(_mix(_mix(int(key)) + int(index) * _STEP))


def _mix(z: int) -> int:
    z &= _BITS
    z = (z ^ (z >> 30)) * _FIRST & _BITS
    z = (z ^ (z >> 27)) * _SECOND & _BITS
    return z ^ (z >> 31)


def _uniform(stream):
    """Draws a multiple of 2**-53 in [0, 1)."""
    stream.state = (stream.state + _STEP) & _BITS
    return (_mix(stream.state) >> 11) * 2.0**-53


class CounterStream:
    """Random stream in Python, with the methods of `numpy.random.RandomState` that samplers use."""

    def __init__(self, state: int) -> None:
        self.state = state

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> Any:
        """Draws uniformly from [low, high)."""
        return one_uniform(self, low, high) if size is None else uniforms(self, low, high, size)

    def binomial(self, n: int, p: float, size: Any = None) -> Any:
        """Draws the number of successes in n trials of probability p."""
        return one_binomial(self, n, p) if size is None else binomials(self, n, p, size)

    def randint(self, low: int, high: int | None = None, size: Any = None) -> Any:
        """Draws integers from low to high - 1, or from 0 to low - 1 if high is None."""
        low, high = (0, low) if high is None else (low, high)
        return one_integer(self, low, high) if size is None else integers(self, low, high, size)

    def choice(self, a: Any) -> Any:
        """Draws an element of an array, or an integer below a number."""
        return a[one_integer(self, 0, len(a))] if isinstance(a, np.ndarray) else one_integer(self, 0, a)

    def permutation(self, n: int) -> np.ndarray:
        """Draws a random permutation of the integers below n (Fisher-Yates)."""
        return permutation(self, n)


# ---------------------------------------------------------------------------------------------------
# Draws, in Python and compiled


@register_jitable
def one_uniform(stream, low, high):
    """Draws a number in [low, high)."""
    return low + (high - low) * _uniform(stream)


@register_jitable
def one_binomial(stream, n, p):
    """Draws the number of successes in n trials of probability p."""
    count = 0
    for _ in range(n):
        count += _uniform(stream) < p
    return count


@register_jitable
def one_integer(stream, low, high):
    """Draws an integer from low to high - 1."""
    return low + int(_uniform(stream) * (high - low))


@register_jitable
def uniforms(stream, low, high, size):
    """Draws an array of numbers in [low, high)."""
    result = np.empty(size)
    flat = result.reshape(-1)
    for k in range(flat.size):
        flat[k] = one_uniform(stream, low, high)
    return result


@register_jitable
def binomials(stream, n, p, size):
    """Draws an array of numbers of successes in n trials of probability p."""
    result = np.empty(size, np.int64)
    flat = result.reshape(-1)
    if n == 1:
        for k in range(flat.size):
            flat[k] = _uniform(stream) < p
    else:
        for k in range(flat.size):
            flat[k] = one_binomial(stream, n, p)
    return result


@register_jitable
def integers(stream, low, high, size):
    """Draws an array of integers from low to high - 1."""
    result = np.empty(size, np.int64)
    flat = result.reshape(-1)
    for k in range(flat.size):
        flat[k] = one_integer(stream, low, high)
    return result


@register_jitable
def permutation(stream, n):
    """Draws a random permutation of the integers below n."""
    order = np.arange(n)
    for i in range(n - 1, 0, -1):
        j = one_integer(stream, 0, i + 1)
        order[i], order[j] = order[j], order[i]
    return order


# ---------------------------------------------------------------------------------------------------
# Compiled code

_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)
_STEP_64, _FIRST_64, _SECOND_64 = np.uint64(_STEP), np.uint64(_FIRST), np.uint64(_SECOND)


@structref.register
class _StreamType(types.StructRef):
    """Numba type of a stream."""


class _CompiledStream(structref.StructRefProxy):
    """Numba proxy by which compiled code creates streams."""


structref.define_proxy(_CompiledStream, _StreamType, ["state"])


@overload(start_stream)
def _compiled_start_stream(key, index):
    return lambda key, index: _CompiledStream(_mix(_mix(key) + index * _STEP_64))


@overload(_mix)
def _compiled_mix(z):
    def mix(z):
        z = (z ^ (z >> _30)) * _FIRST_64
        z = (z ^ (z >> _27)) * _SECOND_64
        return z ^ (z >> _31)

    return mix


@overload(_uniform)
def _compiled_uniform(stream):
    def uniform(stream):
        stream.state += _STEP_64
        return (_mix(stream.state) >> _11) * 2.0**-53

    return uniform


def _is_none(value):
    """Tests if an argument, given as a numba type or a default, is None."""
    return value is None or isinstance(value, types.NoneType | types.Omitted)


@overload_method(_StreamType, "uniform")
def _draw_uniform(stream, low=0.0, high=1.0, size=None):
    if _is_none(size):
        return lambda stream, low=0.0, high=1.0, size=None: one_uniform(stream, low, high)
    return lambda stream, low=0.0, high=1.0, size=None: uniforms(stream, low, high, size)


@overload_method(_StreamType, "binomial")
def _draw_binomial(stream, n, p, size=None):
    if _is_none(size):
        return lambda stream, n, p, size=None: one_binomial(stream, n, p)
    return lambda stream, n, p, size=None: binomials(stream, n, p, size)


@overload_method(_StreamType, "randint")
def _draw_randint(stream, low, high=None, size=None):
    if _is_none(high):
        return lambda stream, low, high=None, size=None: stream.randint(0, low, size)
    if _is_none(size):
        return lambda stream, low, high=None, size=None: one_integer(stream, low, high)
    return lambda stream, low, high=None, size=None: integers(stream, low, high, size)


@overload_method(_StreamType, "choice")
def _draw_choice(stream, a):
    if isinstance(a, types.Array):
        return lambda stream, a: a[one_integer(stream, 0, len(a))]
    return lambda stream, a: one_integer(stream, 0, a)


@overload_method(_StreamType, "permutation")
def _draw_permutation(stream, n):
    return lambda stream, n: permutation(stream, n)
