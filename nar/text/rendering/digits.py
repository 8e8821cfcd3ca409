"""Shortest decimal digits of floats, as in Python's `repr`, compiled by numba.

The method is Schubfach (Giulietti 2020, The Schubfach way to render doubles). A float is c · 2^q. Among the
decimals that round to it, the one with the fewest digits is chosen, and among several the closest. These
decimals form an interval, whose bounds are scaled by a power of ten; 128 bits of that power suffice for exact
comparisons.
"""

import numpy as np
from numba.extending import register_jitable

_LOWEST, _HIGHEST = -292, 324


def _powers_of_ten() -> np.ndarray:
    """Upper and lower halves of the 128 leading bits of each 10^k, rounded up; uint64 [powers, 2]."""
    powers = []
    for k in range(_LOWEST, _HIGHEST + 1):
        numerator, denominator = 10 ** max(k, 0), 10 ** max(-k, 0)
        shift = 128 - numerator.bit_length() + denominator.bit_length() - (k >= 0)
        numerator, denominator = numerator << max(shift, 0), denominator << max(-shift, 0)
        powers.append(divmod(-(-numerator // denominator), 2**64))
    return np.array(powers, np.uint64)


_POWERS = _powers_of_ten()

_0, _1, _2, _4, _10, _32, _40 = (np.uint64(k) for k in (0, 1, 2, 4, 10, 32, 40))
_LOW_HALF = np.uint64(2**32 - 1)
_FRACTION, _HIDDEN = np.uint64(2**52 - 1), np.uint64(2**52)
_52, _EXPONENT = np.uint64(52), np.uint64(2**11 - 1)


@register_jitable
def shortest_digits(bits):
    """Shortest digits of a positive, finite float.

    Args:
      bits: the float's bits, uint64.

    Returns:
      An integer without trailing zeros, and the power of ten to multiply it by.
    """
    fraction, exponent = bits & _FRACTION, np.int64((bits >> _52) & _EXPONENT)
    c = fraction | _HIDDEN if exponent else fraction
    q = max(exponent, 1) - 1075
    digits, power = _schubfach(c, q, fraction == _0 and exponent > 1)
    while digits % _10 == _0:
        digits //= _10
        power += 1
    return digits, power


@register_jitable
def _schubfach(c, q, below_is_closer):
    """Digits and power of ten of c · 2^q; `below_is_closer`: the gap to the next smaller float is halved."""
    k = (q * 1262611 - (524031 if below_is_closer else 0)) >> 22  # floor(log10) of the gap between floats
    shift = np.uint64(q + ((-k * 1741647) >> 19) + 1)
    upper, lower = _POWERS[-k - _LOWEST, 0], _POWERS[-k - _LOWEST, 1]
    value = _scaled(upper, lower, _4 * c << shift)
    # The bounds are included if c is even (round half to even).
    inset = c & _1
    least = _scaled(upper, lower, (_4 * c - (_1 if below_is_closer else _2)) << shift) + inset
    most = _scaled(upper, lower, (_4 * c + _2) << shift) - inset
    s = value // _4
    if s >= _10:
        tens = s // _10
        down, up = least <= _40 * tens, _40 * tens + _40 <= most
        if down != up:
            return tens + (_1 if up else _0), k + 1
    down, up = least <= _4 * s, _4 * s + _4 <= most
    if down != up:
        return s + (_1 if up else _0), k
    middle = _4 * s + _2
    nearer_up = value > middle or (value == middle and (s & _1) == _1)
    return s + (_1 if nearer_up else _0), k


@register_jitable
def _scaled(upper, lower, factor):
    """High bits of a product, with a sticky last bit that is set if a lower bit is (up to rounding)."""
    carried, _ = _product(lower, factor)
    high, low = _product(upper, factor)
    total = low + carried
    if total < low:
        high += _1
    return high | (_1 if total > _1 else _0)


@register_jitable
def _product(a, b):
    """Upper and lower 64 bits of a product of two uint64."""
    a_high, a_low, b_high, b_low = a >> _32, a & _LOW_HALF, b >> _32, b & _LOW_HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> _32)
    other = a_low * b_high + (middle & _LOW_HALF)
    return a_high * b_high + (middle >> _32) + (other >> _32), (other << _32) | (low & _LOW_HALF)
