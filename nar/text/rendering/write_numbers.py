"""Compiled writer of texts into one buffer, with numbers formatted as by Python's `repr`.

A text is described by segments, rows of five integers (see `LITERAL`), so that one compiled function serves
every algorithm.
"""

import numba
import numpy as np
from numba.extending import overload, register_jitable

from nar.text.rendering.digits import shortest_digits
from nar.traces.recorder.compiled_loops import cached_njit

LITERAL, INTEGERS, FLOATS = range(3)
"""First entry of a segment: the source of its values; plus `OF_STEP` if the values vary by step.

The other entries: start index, depth (0: a scalar, 1: a list, 2: a list of lists), number of lists, number of
values per list. A literal uses only the start and the last entry, its number of bytes.
"""

OF_STEP = 2

LONGEST_FLOAT = 24
"""Number of characters of -2.2250738585072014e-308."""

_0, _1, _2, _10, _63, _100 = (np.uint64(k) for k in (0, 1, 2, 10, 63, 100))
_SPACE, _COMMA, _OPEN, _CLOSE, _MINUS, _PLUS, _POINT, _ZERO, _E = (np.uint8(ord(c)) for c in " ,[]-+.0e")
_TENS = np.array([10**k for k in range(20)], np.uint64)
_PAIRS = np.frombuffer("".join(f"{k:02}" for k in range(100)).encode(), np.uint8)
"""Digits of 00, 01, ..., 99, so that two digits take one division."""


def _write_texts(question, step, ending, literals, values, values_of_steps, lengths, buffer):
    """Writes the questions and answers of B traces consecutively into a buffer.

    Args:
      question: int64 [S, 5], segments of a question.
      step: int64 [S, 5], segments of one step of an answer; steps are joined by ", ".
      ending: int64 [S, 5], segments of an answer after its steps.
      literals: uint8, all literal text.
      values: integers, int64 [B, K], and floats as bits, uint64 [B, L].
      values_of_steps: the same by step, [T, B, ...]. The question uses the values of the first step, the
        ending those of the last, and the steps of the answer those in between.
      lengths: [B], the number of steps of each trace.
      buffer: uint8 output, large enough.

    Returns:
      End offsets of each question and each answer, int64 [B, 2].
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
    """Writes values separated by spaces, and lists in brackets separated by commas."""
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
    """Writes an integer, or a float given by its bits (uint64)."""
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
    """Writes a float like Python's `repr`: in scientific notation below 1e-4 and from 1e16."""
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
