"""Writing texts, compiled: numbers as Python writes them, into one buffer.

What a text is made of is told by segments, rows of five integers (see `LITERAL`), so that one compiled
function serves every algorithm.
"""

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.text.rendering.digits import shortest_digits
from nar.traces.recorder.compiled_loops import compiled_with

LITERAL, INTEGERS, FLOATS = range(3)
"""First entry of a segment: where its values come from; `OF_STEP` is added where each step has its own.

The others: where they start, the depth (0: a value, 1: a list, 2: a list of lists), the number of lists, and
that of values in each. Of a literal only start and the last, its number of bytes, count.
"""

OF_STEP = 2

LONGEST_FLOAT = 24
"""Characters of -2.2250738585072014e-308."""

_0, _1, _2, _10, _63, _100 = (np.uint64(k) for k in (0, 1, 2, 10, 63, 100))
_SPACE, _COMMA, _OPEN, _CLOSE, _MINUS, _PLUS, _POINT, _ZERO, _E = (np.uint8(ord(c)) for c in " ,[]-+.0e")
_TENS = np.array([10**k for k in range(20)], np.uint64)
_PAIRS = np.frombuffer("".join(f"{k:02}" for k in range(100)).encode(), np.uint8)
"""The digits of 00, 01, ..., 99: two digits cost one division."""


def _write_texts(question, step, ending, literals, values, values_of_steps, lengths, buffer):
    """Writes questions and answers of B traces, one behind the other.

    Args:
      question: [S, 5] int64, the segments of a question.
      step: [S, 5], those of a step of an answer; steps are joined by ", ".
      ending: [S, 5], those of an answer behind its steps.
      literals: uint8, all literal text.
      values: int64 [B, K], and bits of floats, uint64 [B, L].
      values_of_steps: the same for each step, [T, B, ...]. A question has those of the first step, an ending
        those of the last; an answer has the steps between.
      lengths: [B] the number of steps of each trace.
      buffer: uint8, large enough.

    Returns:
      [B, 2] int64: where each question ends, and each answer.
    """
    ends = np.zeros((len(lengths), 2), np.int64)
    place = 0
    for i in range(len(lengths)):
        last = lengths[i] - 1
        place = _write_segments(question, literals, values, values_of_steps, i, 0, buffer, place)
        ends[i, 0] = place
        for t in range(1, last):
            if t > 1:
                buffer[place], buffer[place + 1] = _COMMA, _SPACE
                place += 2
            place = _write_segments(step, literals, values, values_of_steps, i, t, buffer, place)
        place = _write_segments(ending, literals, values, values_of_steps, i, last, buffer, place)
        ends[i, 1] = place
    return ends


@register_jitable
def _write_segments(segments, literals, values, values_of_steps, i, t, buffer, place):
    for k in range(len(segments)):
        source, start, depth, rows, columns = segments[k]
        if source == LITERAL:
            for j in range(columns):
                buffer[place + j] = literals[start + j]
            place += columns
        elif source == INTEGERS:
            place = _write_rows(values[0][i, start:], depth, rows, columns, buffer, place)
        elif source == FLOATS:
            place = _write_rows(values[1][i, start:], depth, rows, columns, buffer, place)
        elif source == INTEGERS + OF_STEP:
            place = _write_rows(values_of_steps[0][t, i, start:], depth, rows, columns, buffer, place)
        else:
            place = _write_rows(values_of_steps[1][t, i, start:], depth, rows, columns, buffer, place)
    return place


@register_jitable
def _write_rows(values, depth, rows, columns, buffer, place):
    """Values with spaces between them, lists in brackets, with commas between them."""
    if depth == 0:
        return _write_value(values[0], buffer, place)
    if depth == 2:
        buffer[place] = _OPEN
        place += 1
    for row in range(rows):
        if row:
            buffer[place], buffer[place + 1] = _COMMA, _SPACE
            place += 2
        buffer[place] = _OPEN
        place += 1
        for column in range(columns):
            if column:
                buffer[place] = _SPACE
                place += 1
            place = _write_value(values[row * columns + column], buffer, place)
        buffer[place] = _CLOSE
        place += 1
    if depth == 2:
        buffer[place] = _CLOSE
        place += 1
    return place


def _write_value(value, buffer, place):
    """An integer, or a float by its bits (uint64)."""
    is_float = getattr(value, "dtype", None) == np.uint64
    text = repr(float(value.view(np.float64)) if is_float else int(value)).encode()
    buffer[place : place + len(text)] = list(text)
    return place + len(text)


@overload(_write_value, inline="always")
def _compiled_write_value(value, buffer, place):
    if value == numba.types.uint64:
        return lambda value, buffer, place: _write_float(value, buffer, place)
    return lambda value, buffer, place: _write_integer(value, buffer, place)


@register_jitable(inline="always")
def _write_integer(value, buffer, place):
    if value < 0:
        buffer[place] = _MINUS
        return _write_digits(np.uint64(-value), buffer, place + 1)
    return _write_digits(np.uint64(value), buffer, place)


@register_jitable
def _write_digits(digits, buffer, place):
    end = k = place + _num_digits(digits)
    while digits >= _100:
        pair = _2 * (digits % _100)
        digits //= _100
        k -= 2
        buffer[k], buffer[k + 1] = _PAIRS[pair], _PAIRS[pair + _1]
    if digits >= _10:
        buffer[k - 2] = _PAIRS[_2 * digits]
    buffer[k - 1] = _PAIRS[_2 * digits + _1]
    return end


@register_jitable
def _num_digits(digits):
    count = 1
    while count < len(_TENS) and digits >= _TENS[count]:
        count += 1
    return count


# ---------------------------------------------------------------------------------------------------
# Floats


@register_jitable(inline="always")
def _write_float(bits, buffer, place):
    """As Python's `repr`: with a power of ten below 1e-4 and from 1e16 on."""
    if bits >> _63:
        buffer[place] = _MINUS
        place += 1
        bits ^= _1 << _63
    if bits == _0:
        buffer[place], buffer[place + 1], buffer[place + 2] = _ZERO, _POINT, _ZERO
        return place + 3
    digits, power = shortest_digits(bits)
    count = _num_digits(digits)
    before = count + power  # digits before the point
    if before < -3 or before > 16:
        return _write_scientific(digits, count, before - 1, buffer, place)
    if before <= 0:
        buffer[place], buffer[place + 1] = _ZERO, _POINT
        place = _write_zeros(-before, buffer, place + 2)
        return _write_digits(digits, buffer, place)
    if power >= 0:
        place = _write_zeros(power, buffer, _write_digits(digits, buffer, place))
        buffer[place], buffer[place + 1] = _POINT, _ZERO
        return place + 2
    end = _write_digits(digits, buffer, place)
    return _insert_point(place + before, end, buffer)


@register_jitable
def _write_scientific(digits, count, exponent, buffer, place):
    end = _write_digits(digits, buffer, place)
    if count > 1:
        end = _insert_point(place + 1, end, buffer)
    buffer[end], buffer[end + 1] = _E, _MINUS if exponent < 0 else _PLUS
    exponent = abs(exponent)
    if exponent < 10:
        end = _write_zeros(1, buffer, end + 2) - 2
    return _write_digits(np.uint64(exponent), buffer, end + 2)


@register_jitable
def _insert_point(place, end, buffer):
    for k in range(end, place, -1):
        buffer[k] = buffer[k - 1]
    buffer[place] = _POINT
    return end + 1


@register_jitable
def _write_zeros(count, buffer, place):
    for k in range(place, place + count):
        buffer[k] = _ZERO
    return place + count


write_texts = compiled_with(_write_texts, shortest_digits)
