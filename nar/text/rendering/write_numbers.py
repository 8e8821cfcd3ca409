"""Writing texts, compiled: numbers as Python writes them, into one buffer.

What a text is made of is told by segments, rows of five integers (see `LITERAL`), so that one compiled
function serves every algorithm.
"""

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.text.rendering.digits import shortest_digits
from nar.traces.recorder.compiled_loops import cached_njit

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
    offset = 0
    for i in range(len(lengths)):
        last = lengths[i] - 1
        offset = _write_segments(question, literals, values, values_of_steps, i, 0, buffer, offset)
        ends[i, 0] = offset
        for t in range(1, last):
            if t > 1:
                buffer[offset], buffer[offset + 1] = _COMMA, _SPACE
                offset += 2
            offset = _write_segments(step, literals, values, values_of_steps, i, t, buffer, offset)
        offset = _write_segments(ending, literals, values, values_of_steps, i, last, buffer, offset)
        ends[i, 1] = offset
    return ends


@register_jitable
def _write_segments(segments, literals, values, values_of_steps, i, t, buffer, offset):
    for k in range(len(segments)):
        source, start, depth, rows, columns = segments[k]
        if source == LITERAL:
            for j in range(columns):
                buffer[offset + j] = literals[start + j]
            offset += columns
        elif source == INTEGERS:
            offset = _write_rows(values[0][i, start:], depth, rows, columns, buffer, offset)
        elif source == FLOATS:
            offset = _write_rows(values[1][i, start:], depth, rows, columns, buffer, offset)
        elif source == INTEGERS + OF_STEP:
            offset = _write_rows(values_of_steps[0][t, i, start:], depth, rows, columns, buffer, offset)
        else:
            offset = _write_rows(values_of_steps[1][t, i, start:], depth, rows, columns, buffer, offset)
    return offset


@register_jitable
def _write_rows(values, depth, rows, columns, buffer, offset):
    """Values with spaces between them, lists in brackets, with commas between them."""
    if depth == 0:
        return _write_value(values[0], buffer, offset)
    if depth == 2:
        buffer[offset] = _OPEN
        offset += 1
    for row in range(rows):
        if row:
            buffer[offset], buffer[offset + 1] = _COMMA, _SPACE
            offset += 2
        buffer[offset] = _OPEN
        offset += 1
        for column in range(columns):
            if column:
                buffer[offset] = _SPACE
                offset += 1
            offset = _write_value(values[row * columns + column], buffer, offset)
        buffer[offset] = _CLOSE
        offset += 1
    if depth == 2:
        buffer[offset] = _CLOSE
        offset += 1
    return offset


def _write_value(value, buffer, offset):
    """An integer, or a float by its bits (uint64)."""
    is_float = getattr(value, "dtype", None) == np.uint64
    text = repr(float(value.view(np.float64)) if is_float else int(value)).encode()
    buffer[offset : offset + len(text)] = list(text)
    return offset + len(text)


@overload(_write_value, inline="always")
def _compiled_write_value(value, buffer, offset):
    if value == numba.types.uint64:
        return lambda value, buffer, offset: _write_float(value, buffer, offset)
    return lambda value, buffer, offset: _write_integer(value, buffer, offset)


@register_jitable(inline="always")
def _write_integer(value, buffer, offset):
    if value < 0:
        buffer[offset] = _MINUS
        return _write_digits(np.uint64(-value), buffer, offset + 1)
    return _write_digits(np.uint64(value), buffer, offset)


@register_jitable
def _write_digits(digits, buffer, offset):
    end = k = offset + _num_digits(digits)
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
def _write_float(bits, buffer, offset):
    """As Python's `repr`: with a power of ten below 1e-4 and from 1e16 on."""
    if bits >> _63:
        buffer[offset] = _MINUS
        offset += 1
        bits ^= _1 << _63
    if bits == _0:
        buffer[offset], buffer[offset + 1], buffer[offset + 2] = _ZERO, _POINT, _ZERO
        return offset + 3
    digits, power = shortest_digits(bits)
    count = _num_digits(digits)
    before = count + power  # digits before the point
    if before < -3 or before > 16:
        return _write_scientific(digits, count, before - 1, buffer, offset)
    if before <= 0:
        buffer[offset], buffer[offset + 1] = _ZERO, _POINT
        offset = _write_zeros(-before, buffer, offset + 2)
        return _write_digits(digits, buffer, offset)
    if power >= 0:
        offset = _write_zeros(power, buffer, _write_digits(digits, buffer, offset))
        buffer[offset], buffer[offset + 1] = _POINT, _ZERO
        return offset + 2
    end = _write_digits(digits, buffer, offset)
    return _insert_point(offset + before, end, buffer)


@register_jitable
def _write_scientific(digits, count, exponent, buffer, offset):
    end = _write_digits(digits, buffer, offset)
    if count > 1:
        end = _insert_point(offset + 1, end, buffer)
    buffer[end], buffer[end + 1] = _E, _MINUS if exponent < 0 else _PLUS
    exponent = abs(exponent)
    if exponent < 10:
        end = _write_zeros(1, buffer, end + 2) - 2
    return _write_digits(np.uint64(exponent), buffer, end + 2)


@register_jitable
def _insert_point(offset, end, buffer):
    for k in range(end, offset, -1):
        buffer[k] = buffer[k - 1]
    buffer[offset] = _POINT
    return end + 1


@register_jitable
def _write_zeros(count, buffer, offset):
    for k in range(offset, offset + count):
        buffer[k] = _ZERO
    return offset + count


write_texts = cached_njit(_write_texts, shortest_digits)
