"""Files of answers (JSON lines), and their scores by algorithm and length.

A line is a JSON object with `completion`, the output of a model, and the reference: `answer`, `algorithm` and
`length`, as in a set of texts; other keys are ignored. Or it has `completion` and `index`, the index of the
reference (from 0) in a separate file of references; a reference without a completion scores 0.

A completion that is missing, not a string or not an answer scores 0. A line that is not such an object, or
has no reference, or does not match its `checksum`, if it has one, is counted as unreadable: it belongs to no
algorithm and scores 0 in the overall mean. Empty lines are skipped.

A file `answers.jsonl` in a folder of `experiments.evaluate_text` must have all answers to its `request.json`,
and a file of references that is in a set of texts must be as its manifest says.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from nar.atomic_io import read_json
from nar.reading import open_regular, parse_json
from nar.text.rendering.text_files import check_text_file
from nar.text.scoring.answer_scores import AnswerScore, reference_value, score_answer

ANSWERS, REQUEST = "answers.jsonl", "request.json"

MAX_LINE_BYTES = 2**28
"""Longest readable line."""

_LARGEST_LENGTH = 2**31
_LONGEST_NAME = 100


@dataclasses.dataclass
class ScoreTotals:
    """Number of answers, and sums of their scores."""

    count: int = 0
    exact: float = 0.0
    elements: float = 0.0
    parsed: float = 0.0

    def add(self, score: AnswerScore) -> None:
        """Adds the score of one answer."""
        self.count += 1
        self.exact += score.exact
        self.elements += score.elements
        self.parsed += score.parsed

    def means(self) -> dict[str, float]:
        """Number of answers, and mean scores."""
        shares = {key: getattr(self, key) / max(self.count, 1) for key in ("exact", "elements", "parsed")}
        return {"answers": self.count, **shares}


@dataclasses.dataclass
class AnswerScores:
    """Scores of a file of answers.

    Attributes:
      by_length: (algorithm, length) -> score totals.
      unreadable: (line number from 1, problem) of the first unreadable lines.
      num_unreadable: number of all unreadable lines.
    """

    by_length: dict[tuple[str, int], ScoreTotals] = dataclasses.field(default_factory=dict)
    unreadable: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    num_unreadable: int = 0

    def add(self, algorithm: str, length: int, score: AnswerScore) -> None:
        """Adds the score of one answer."""
        self.by_length.setdefault((algorithm, length), ScoreTotals()).add(score)

    def total(self, algorithm: str | None = None) -> ScoreTotals:
        """Totals over all answers for one algorithm, or over all lines."""
        total = ScoreTotals(count=self.num_unreadable if algorithm is None else 0)
        for (name, _), part in self.by_length.items():
            if algorithm in (None, name):
                total.count += part.count
                total.exact += part.exact
                total.elements += part.elements
                total.parsed += part.parsed
        return total

    def as_json(self) -> dict[str, Any]:
        """Mean scores by algorithm and length, sorted, as JSON values."""
        algorithms = {}
        for name, length in sorted(self.by_length):
            scores = algorithms.setdefault(name, {"all": self.total(name).means(), "lengths": {}})
            scores["lengths"][str(length)] = self.by_length[name, length].means()
        lines = [{"line": number, "problem": problem} for number, problem in self.unreadable]
        unreadable = {"count": self.num_unreadable, "first": lines}
        return {"all": self.total().means(), "algorithms": algorithms, "unreadable": unreadable}


def score_file(path: pathlib.Path, references: pathlib.Path | None = None) -> AnswerScores:
    """Scores a file of answers.

    Args:
      path: file of answers.
      references: file of a set of texts, if the answers refer to their references by index.

    Raises:
      OSError: if a file cannot be read.
      ValueError: if no line is an answer, or a reference is invalid; the message names a line. Or if the file
        has not all answers to the request in its folder.
    """
    if references is not None:
        check_text_file(references)
    rows = _read_references(references) if references is not None else {}
    expected = _expected_answers(path) if references is None and path.name == ANSWERS else None
    scores, answered = AnswerScores(), set()
    for number, line in _lines(path):
        try:
            row = _object(line)
            if "checksum" in row and with_checksum(row) != row:
                raise ValueError("it does not match its `checksum`: it was changed since it was written")
            reference = _reference_of(row, rows) if references is not None else row
            algorithm, length, answer = _reference(reference)
            if references is not None and row["index"] in answered:
                raise ValueError(f"reference {row['index']} is answered twice")
        except ValueError as error:
            scores.num_unreadable += 1
            if len(scores.unreadable) < 10:
                scores.unreadable.append((number, str(error)))
            continue
        if references is not None:
            answered.add(row["index"])
        scores.add(algorithm, length, score_answer(row.get("completion"), answer))
    if not scores.by_length:
        number, problem = scores.unreadable[0] if scores.unreadable else (1, "the file is empty")
        raise ValueError(f"{path} holds no answers; line {number}: {problem}")
    count = scores.total().count
    if expected is not None and count != expected:
        raise ValueError(
            f"{path} has {count} answers, but {path.parent / REQUEST} requests {expected}: answer the "
            "questions again, with the same command; or copy the file elsewhere to score it as it is"
        )
    for index in rows.keys() - answered:
        algorithm, length, _ = rows[index]
        scores.add(algorithm, length, AnswerScore())
    return scores


def with_checksum(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a checksum of its other entries."""
    content = {key: value for key, value in row.items() if key != "checksum"}
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return {**content, "checksum": digest[:16]}


def _expected_answers(path: pathlib.Path) -> int | None:
    """Number of questions of the request in the folder of a file of answers; None if there is none.

    Raises:
      ValueError: if the request is damaged, so that missing answers cannot be detected.
    """
    file = path.parent / REQUEST
    if not os.path.lexists(file):
        return None
    try:
        request = read_json(file)
        lengths, samples, seeds = (request[key] for key in ("lengths", "samples", "seeds"))
        return samples * len(seeds) * sum(map(len, lengths.values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{file} does not say how many answers {path.name} must have ({type(error).__name__}: {error}); "
            f"copy {path.name} elsewhere to score it as it is"
        ) from None


def _read_references(path: pathlib.Path) -> dict[int, tuple[str, int, str]]:
    rows = {}
    for number, line in _lines(path):
        try:
            rows[len(rows)] = _reference(_object(line))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not rows:
        raise ValueError(f"{path} holds no references")
    return rows


def _reference_of(row: Mapping[str, Any], rows: Mapping[int, tuple[str, int, str]]) -> dict[str, Any]:
    index = row.get("index")
    if not isinstance(index, int) or isinstance(index, bool) or index not in rows:
        raise ValueError(f"`index` must be the index of a reference, from 0 to {len(rows) - 1}")
    return dict(zip(("algorithm", "length", "answer"), rows[index], strict=True))


def _reference(row: Mapping[str, Any]) -> tuple[str, int, str]:
    """Returns algorithm, length and answer of a row; ValueError if one is missing or invalid."""
    algorithm, length, answer = row.get("algorithm"), row.get("length"), row.get("answer")
    if (
        not isinstance(algorithm, str)
        or not 0 < len(algorithm) <= _LONGEST_NAME
        or not algorithm.isprintable()
    ):
        raise ValueError("`algorithm` must be a name")
    if not isinstance(length, int) or isinstance(length, bool) or not 0 <= length < _LARGEST_LENGTH:
        raise ValueError("`length` must be an integer of at least 0")
    if not isinstance(answer, str):
        raise ValueError("`answer` must be a string, the reference")
    reference_value(answer)
    return algorithm, length, answer


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES} bytes")
    try:
        row = parse_json(line)
    except ValueError:
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def _lines(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Yields non-empty lines with their numbers from 1; lines that are too long are truncated."""
    number = 0
    with open_regular(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            rest = line
            while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES + 1)
            if line.strip():
                yield number, line
