"""Scores of a language model's answers to questions of CLRS-Text, whoever the model is.

An answer is read as a *value*: numbers, lists of numbers in brackets, lists of lists; several side by side.
Commas, white space and parentheses only separate. Its *form* is what is left when every number is an n: that
of `[0 1 2], 3` is `[nnn]n`. An answer is right if it has the form of the reference and all numbers are equal.

A reference is what stands behind its last `|`, and all of it where there is none. In a completion the answer
is looked for twice. First as the references are written: what stands before the first blank line and behind
the last `|` there. If that is not a value, as in prose: the last value in the completion whose brackets are
as deep as those of the reference, or else the last value.
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

_DEEPEST = 2
"""A list of lists."""

_LONGEST, _LONGEST_TIMES = 100_000, 4
"""A completion is not read if it is longer than both together: so many characters, and so many references."""


@dataclasses.dataclass(frozen=True)
class Value:
    """What an answer says.

    Attributes:
      form: brackets, and an n for each number.
      numbers: in order.
    """

    form: str
    numbers: tuple[float, ...]

    @property
    def depth(self) -> int:
        """Of the deepest list; 0 if there is none."""
        return 0 if "[" not in self.form else 1 + ("[[" in self.form)


@dataclasses.dataclass(frozen=True)
class AnswerScore:
    """How good an answer is.

    Attributes:
      exact: 1 if it is right, else 0.
      elements: share of its numbers that are right; 0 if it has another form than the reference.
      parsed: 1 if it is a value of any form, else 0.
    """

    exact: float = 0.0
    elements: float = 0.0
    parsed: float = 0.0


def score_answer(completion: Any, answer: str) -> AnswerScore:
    """The score of one answer.

    Args:
      completion: what a model wrote; whatever is not a string, or is no answer, scores 0.
      answer: the reference, as a set of texts holds it.

    Raises:
      ValueError: if the reference is not an answer.
    """
    expected = reference_value(answer)
    found = find_answer(completion, expected, _LONGEST + _LONGEST_TIMES * len(answer))
    if found is None:
        return AnswerScore()
    if found.form != expected.form:
        return AnswerScore(parsed=1.0)
    pairs = zip(found.numbers, expected.numbers, strict=True)
    elements = sum(one == other for one, other in pairs) / len(expected.numbers)
    return AnswerScore(float(elements == 1), elements, 1.0)


def reference_value(answer: str) -> Value:
    """What a reference says; ValueError if it says nothing."""
    value = read_value(answer.rpartition("|")[2]) if isinstance(answer, str) else None
    if value is None:
        raise ValueError("the reference is not an answer of CLRS-Text")
    return value


def find_answer(completion: Any, expected: Value, longest: int) -> Value | None:
    """The answer in a completion, or None; see the top of this file."""
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
    """The value that a text is, or None if it is anything else."""
    values = list(_values(text, whole=True))
    return values[0] if len(values) == 1 else None


def _values(text: str, whole: bool = False) -> Iterator[Value]:
    """The values in a text; with `whole`, none unless the text is one."""
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
    """The value of this form, if its brackets match and it has numbers."""
    depth = 0
    for part in form:
        depth += (part == "[") - (part == "]")
        if not 0 <= depth <= _DEEPEST:
            return ()
    return (Value("".join(form), tuple(numbers)),) if numbers and depth == 0 else ()
