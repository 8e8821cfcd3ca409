"""Answers of any model to a set of questions, written to a folder that can be resumed.

answers.jsonl        one line per question: its row in the set of texts, the `completion`, and a `checksum`
answers.jsonl.part   the same while answers are being generated; only its last line may be truncated
request.json         the questions, and the identity of the model

Both files of answers are checked line by line when they are read again, and continued before the first line
that is damaged or missing. A damaged file is kept under another name, such as answers.jsonl.damaged.
"""

import json
import logging
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from nar.atomic_io import (
    atomic_write,
    check_writable,
    open_to_append,
    path_in_errors,
    read_json,
    set_aside,
    unused_path,
    write_json,
)
from nar.ownership import check_owned
from nar.reading import open_regular, parse_json
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring.answer_files import ANSWERS, REQUEST, with_checksum
from nar.text.scoring.split_scores import rows_of

AnswerFunction = Callable[[Sequence[str]], Sequence[str]]
"""Questions -> the model's completion of each."""


class AnsweringModel(Protocol):
    """Interface of a model that answers questions.

    Attributes:
      identity: JSON-serializable description of the model; answers are resumed only if it is unchanged.
      load: loads the model and returns its answer function; called only if questions are left.
      batch_size: questions per call of the answer function.
      check: raises ValueError if the model cannot take some of the questions.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...  # noqa: D102

    @property
    def load(self) -> Callable[[], AnswerFunction]: ...  # noqa: D102

    @property
    def batch_size(self) -> int: ...  # noqa: D102

    @property
    def check(self) -> Callable[[Sequence[str]], Any]: ...  # noqa: D102


_logger = logging.getLogger(__name__)


def answer_questions(folder: pathlib.Path, request: TextRequest, model: AnsweringModel) -> Iterator[int]:
    """Has a model answer all questions that are not answered yet, and saves its completions.

    Args:
      folder: output directory, created if missing; other files in it are left alone.
      request: the set of questions.
      model: the model.

    Yields:
      Number of questions answered so far, initially and after each batch.

    Raises:
      ValueError: if the folder holds answers to another request or of another model, or if the model does
        not return one string per question.
    """
    rows = list(rows_of(request))
    model.check([row["question"] for row in rows])
    claim(folder, {**request.as_json(), "model": dict(model.identity)})
    whole, part = folder / ANSWERS, folder / f"{ANSWERS}.part"
    if whole.exists():
        intact, is_whole = _count_whole_lines(whole, rows)
        if is_whole:
            yield intact
            return
        _copy(whole, part)  # First, so that a killed process loses no answers.
        _warn_of_damage(whole, intact, len(rows), set_aside(whole, f"{whole.name}.damaged"))
    elif part.exists() and (intact := _count_before_damage(part, rows)) is not None:
        kept = unused_path(part.with_name(f"{part.name}.damaged"))
        _copy(part, kept)
        _warn_of_damage(part, intact, len(rows), kept)
    with open_to_append(part, "a+b") as file:
        done = _keep_whole_lines(file, rows)
        yield done
        answer = model.load() if done < len(rows) else None
        while answer is not None and done < len(rows):
            batch = rows[done : done + model.batch_size]
            completions = check_completions(answer([row["question"] for row in batch]), len(batch))
            check_owned(part)
            for row, completion in zip(batch, completions, strict=True):
                file.write(json.dumps(with_checksum({**row, "completion": completion})).encode() + b"\n")
            file.flush()
            done += len(batch)
            yield done
        os.fsync(file.fileno())
    check_owned(whole)
    check_writable(whole)
    with path_in_errors(whole):
        part.replace(whole)


def claim(folder: pathlib.Path, request: Mapping[str, Any]) -> None:
    """Creates the folder, or checks that it was created for the same request.

    Raises:
      ValueError: if the request differs; the message lists the differences.
    """
    with path_in_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / REQUEST
    if not path.exists():
        if (folder / ANSWERS).exists():
            raise ValueError(f"{folder} holds answers, but no {REQUEST}; choose another folder")
        write_json(path, request)
        return
    saved, request = read_json(path), json.loads(json.dumps(request))
    differ = [
        key for key in {**saved, **request} if json.dumps(saved.get(key)) != json.dumps(request.get(key))
    ]
    if differ:
        lines = [
            f"  {key}: {json.dumps(saved.get(key))} saved, {json.dumps(request.get(key))} requested"
            for key in differ
        ]
        raise ValueError(
            "\n".join([f"{folder} holds answers to another request; choose another folder:", *lines])
        )


def check_completions(completions: Any, count: int) -> list[str]:
    """Validates the output of a model, and returns it as a list.

    Raises:
      ValueError: unless it is one string per question.
    """
    is_many = isinstance(completions, Iterable) and not isinstance(completions, str | bytes | Mapping)
    values = list(completions) if is_many else None
    if values is None or len(values) != count or not all(isinstance(value, str) for value in values):
        if values is None:
            actual = f"a {type(completions).__name__}"
        else:
            actual = f"{len(values)} of type {', '.join(sorted({type(value).__name__ for value in values}))}"
        raise ValueError(f"the model must return a string for each of {count} questions, got {actual}")
    return [str(value) for value in values]


def _count_whole_lines(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> tuple[int, bool]:
    """Number of intact answers at the start of a file, and whether these are all, and all of the file."""
    with path_in_errors(path), open_regular(path) as file:
        end, done = _whole_lines(file, rows)
        return done, done == len(rows) and end == path.stat().st_size


def _count_before_damage(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Number of intact answers before the first damaged one; None if at most the last line is truncated."""
    with path_in_errors(path), open_regular(path) as file:
        end, done = _whole_lines(file, rows)
        file.seek(end)
        return done if b"\n" in file.read() else None


def _copy(path: pathlib.Path, copy: pathlib.Path) -> None:
    with path_in_errors(path), open_regular(path) as source, atomic_write(copy) as file:
        shutil.copyfileobj(source, file)


def _warn_of_damage(path: pathlib.Path, intact: int, count: int, kept: pathlib.Path) -> None:
    message = (
        "%s is damaged: %d of its %d answers are as they were written; the rest is answered again, and the "
        "damaged file is kept as %s"
    )
    _logger.warning(message, path, intact, count, kept.name)


def _keep_whole_lines(file: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """Counts the rows that are answered, and truncates the file after them (as after a partial line)."""
    file.seek(0)
    end, done = _whole_lines(file, rows)
    file.truncate(end)
    file.seek(end)
    return done


def _whole_lines(file: Any, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Size in bytes, and number, of the lines at the start of a file that answer the first rows."""
    end, done = 0, 0
    for line in file:
        if done == len(rows) or not _is_answer_to(line, rows[done]):
            break
        end, done = end + len(line), done + 1
    return end, done


def _is_answer_to(line: bytes, row: Mapping[str, Any]) -> bool:
    try:
        answer = parse_json(line)
    except ValueError:
        return False
    is_whole = line.endswith(b"\n") and isinstance(answer, dict) and isinstance(answer.get("completion"), str)
    return is_whole and with_checksum({**row, "completion": answer["completion"]}) == answer
