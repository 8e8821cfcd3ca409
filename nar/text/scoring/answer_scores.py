"""Scores of a language model's answers to CLRS-Text questions, for any model.

An answer is parsed as a *value*: a sequence of numbers, lists of numbers in brackets, and lists of lists.
Commas, white space and parentheses are separators. Its *form* is the value with every number replaced by n:
the form of `[0 1 2], 3` is `[nnn]n`. An answer is correct if it has the form of the reference and all numbers
are equal.

The reference value is the text after the last `|`, or the whole text if there is none. In a completion the
answer is searched for twice. First in the format of the references: the text before the first blank line,
after the last `|` in it. If that is not a value, as in prose: the last value in the completion with the same
nesting depth as the reference, or else the last value.
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Any

_TOKEN = re.compile(
    r"(?P<number>[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,4})?)(?![\w.])"
    r"|(?P<point>[+-]?[0-9]{1,40})(?=\.(?!\w))"
    r"|(?P<bracket>[\[\]])"
    r"|(?P<separator>[\s,()]+)"
    r"|(?P<other>[\w.]+|.)",
    re.ASCII | re.DOTALL,
)

_MAX_DEPTH = 2
"""Nesting depth of a list of lists."""

_MAX_LENGTH, _MAX_LENGTH_RATIO = 100_000, 4
"""A completion is not parsed if it is longer than this many characters plus this many times the reference."""


@dataclasses.dataclass(frozen=True)
class Value:
    """A parsed answer.

    Attributes:
      form: brackets, and an n for each number.
      numbers: the numbers, in order.
    """

    form: str
    numbers: tuple[float, ...]

    @property
    def depth(self) -> int:
        """Nesting depth of the deepest list; 0 if there is none."""
        return 0 if "[" not in self.form else 1 + ("[[" in self.form)


@dataclasses.dataclass(frozen=True)
class AnswerScore:
    """Score of one answer.

    Attributes:
      exact: 1 if it is correct, else 0.
      elements: share of its numbers that are correct; 0 if its form differs from that of the reference.
      parsed: 1 if it is a value of any form, else 0.
    """

    exact: float = 0.0
    elements: float = 0.0
    parsed: float = 0.0


def score_answer(completion: Any, answer: str) -> AnswerScore:
    """Scores one answer.

    Args:
      completion: output of a model; anything that is not a string or holds no answer scores 0.
      answer: the reference, as in a set of texts.

    Raises:
      ValueError: if the reference cannot be parsed.
    """
    expected = reference_value(answer)
    actual = find_answer(completion, expected, _MAX_LENGTH + _MAX_LENGTH_RATIO * len(answer))
    if actual is None:
        return AnswerScore()
    if actual.form != expected.form:
        return AnswerScore(parsed=1.0)
    pairs = zip(actual.numbers, expected.numbers, strict=True)
    elements = sum(number == reference for number, reference in pairs) / len(expected.numbers)
    return AnswerScore(float(elements == 1), elements, 1.0)


def reference_value(answer: str) -> Value:
    """Parses a reference.

    Raises:
      ValueError: if it is not an answer of CLRS-Text.
    """
    value = read_value(answer.rpartition("|")[2]) if isinstance(answer, str) else None
    if value is None:
        raise ValueError("the reference is not an answer of CLRS-Text")
    return value


def find_answer(completion: Any, expected: Value, longest: int) -> Value | None:
    """Finds the answer in a completion, or returns None; see the module's docstring."""
    if not isinstance(completion, str) or len(completion) > longest:
        return None
    paragraph = re.split(r"\n[ \t\r]*\n", completion.strip(), maxsplit=1)[0]
    value = read_value(paragraph.rpartition("|")[2])
    if value is not None:
        return value
    values = list(_values(completion))
    as_deep = [value for value in values if value.depth == expected.depth]
    return (as_deep or values or [None])[-1]


def read_value(text: str) -> Value | None:
    """Parses a text that is one value; None if it is anything else."""
    values = list(_values(text, whole=True))
    return values[0] if len(values) == 1 else None


def _values(text: str, whole: bool = False) -> Iterator[Value]:
    """Yields the values in a text; with `whole`, none unless the whole text is one value."""
    form: list[str] = []
    numbers: list[float] = []
    for token in _TOKEN.finditer(text):
        match token.lastgroup:
            case "number" | "point":
                form.append("n")
                numbers.append(float(token.group()))
            case "bracket":
                form.append(token.group())
            case "other":
                if whole:
                    return
                yield from _value(form, numbers)
                form, numbers = [], []
    yield from _value(form, numbers)


def _value(form: list[str], numbers: list[float]) -> Iterable[Value]:
    """Makes the value of this form, if its brackets match and it has numbers."""
    depth = 0
    for part in form:
        depth += (part == "[") - (part == "]")
        if not 0 <= depth <= _MAX_DEPTH:
            return ()
    return (Value("".join(form), tuple(numbers)),) if numbers and depth == 0 else ()
