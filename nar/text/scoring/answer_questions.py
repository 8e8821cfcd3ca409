"""A file of answers of any model, which is gone on with where it was stopped.

answers.jsonl        a line a question: that of a set of texts, and the model's `completion`
answers.jsonl.part   the same while the model is being asked: its lines are whole but for the last
request.json         which questions are asked, and of which model
"""

import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from nar.atomic_io import path_in_errors, read_json, write_json
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring.split_scores import rows_of

AnswerFunction = Callable[[Sequence[str]], Sequence[str]]
"""Questions -> what a model writes behind each."""


class AnsweringModel(Protocol):
    """A model that is asked questions.

    Attributes:
      identity: says which model it is, in values that JSON knows: it must be the same if its file is gone on
        with.
      make_answer: loads the model; called only if there is a question left.
      batch_size: how many questions it is asked at once.
      check: raises ValueError if it cannot be asked some questions.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...  # noqa: D102

    @property
    def load(self) -> Callable[[], AnswerFunction]: ...  # noqa: D102

    @property
    def batch_size(self) -> int: ...  # noqa: D102

    @property
    def check(self) -> Callable[[Sequence[str]], Any]: ...  # noqa: D102


ANSWERS, REQUEST = "answers.jsonl", "request.json"


def answer_questions(folder: pathlib.Path, request: TextRequest, model: AnsweringModel) -> Iterator[int]:
    """Asks a model all questions that it was not yet asked, and writes down what it says.

    Args:
      folder: of the files, made if missing; what else is in it stays.
      request: which questions.
      model: who is asked.

    Yields:
      How many questions are answered so far, at first and after each batch.

    Raises:
      ValueError: if the folder is of another request or model, or the model gives anything but a string for
        each question.
    """
    rows = list(rows_of(request))
    model.check([row["question"] for row in rows])
    claim(folder, {**request.as_json(), "model": dict(model.identity)})
    whole, part = folder / ANSWERS, folder / f"{ANSWERS}.part"
    if whole.exists():
        yield len(rows)
        return
    with path_in_errors(part), part.open("a+b") as file:
        done = _keep_whole_lines(file, rows)
        yield done
        answer = model.load() if done < len(rows) else None
        while answer is not None and done < len(rows):
            some = rows[done : done + model.batch_size]
            completions = check_completions(answer([row["question"] for row in some]), len(some))
            for row, completion in zip(some, completions, strict=True):
                file.write(json.dumps({**row, "completion": completion}).encode() + b"\n")
            file.flush()
            done += len(some)
            yield done
        os.fsync(file.fileno())
    with path_in_errors(whole):
        part.replace(whole)


def claim(folder: pathlib.Path, asked: Mapping[str, Any]) -> None:
    """Makes the folder, or checks that what it holds was asked for alike.

    Raises:
      ValueError: saying what differs.
    """
    with path_in_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path = folder / REQUEST
    if not path.exists():
        if (folder / ANSWERS).exists():
            raise ValueError(f"{folder} holds answers, but no {REQUEST}; choose another folder")
        write_json(path, asked)
        return
    found, asked = read_json(path), json.loads(json.dumps(asked))
    differ = [key for key in {**found, **asked} if json.dumps(found.get(key)) != json.dumps(asked.get(key))]
    if differ:
        lines = [
            f"  {key}: {json.dumps(found.get(key))} there, {json.dumps(asked.get(key))} asked for"
            for key in differ
        ]
        raise ValueError(
            "\n".join([f"{folder} holds answers to another request; choose another folder:", *lines])
        )


def check_completions(completions: Any, count: int) -> list[str]:
    """What a model gave, as a list.

    Raises:
      ValueError: unless it is a string for each question.
    """
    is_many = isinstance(completions, Iterable) and not isinstance(completions, str | bytes | Mapping)
    found = list(completions) if is_many else None
    if found is None or len(found) != count or not all(isinstance(one, str) for one in found):
        kinds = type(completions).__name__ if found is None else sorted({type(one).__name__ for one in found})
        raise ValueError(
            f"the model must give a string for each of {count} questions, got "
            + (f"one {kinds}" if found is None else f"{len(found)} of {', '.join(kinds)}")
        )
    return [str(one) for one in found]


def _keep_whole_lines(file: Any, rows: Sequence[Mapping[str, Any]]) -> int:
    """How many rows are answered; what does not belong to them, as half a line, is cut off."""
    file.seek(0)
    end, done = 0, 0
    for line in file:
        if done == len(rows) or not _is_of(line, rows[done]):
            break
        end, done = end + len(line), done + 1
    file.truncate(end)
    file.seek(end)
    return done


def _is_of(line: bytes, row: Mapping[str, Any]) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    is_whole = line.endswith(b"\n") and isinstance(found, dict) and isinstance(found.get("completion"), str)
    return is_whole and {**row, "completion": found["completion"]} == found
