"""Flags with lists for all tasks or per task ("16,64" or "bfs:16,64;dfs:8"), numbers or dictionaries."""

import ast
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from nar.plugins import unknown_name


@dataclasses.dataclass(frozen=True)
class ByTask:
    """The parsed value of a per-task flag.

    Attributes:
      default: values for tasks that are not named; may be empty.
      named: task -> its values.
    """

    default: tuple[str, ...]
    named: Mapping[str, tuple[str, ...]]

    def get(self, task: str) -> tuple[str, ...]:
        """The values for a task."""
        return self.named.get(task, self.default)

    def tasks_with_values(self, tasks: Sequence[str]) -> list[str]:
        """The given tasks that have values."""
        return [task for task in tasks if self.get(task)]


def parse_by_task(flag: str, text: str, tasks: Sequence[str]) -> ByTask:
    """Parses comma-separated lists, separated by semicolons, each with an optional `task:` prefix.

    Args:
      flag: the name of the flag, for messages.
      text: the value of the flag.
      tasks: the known tasks.

    Raises:
      ValueError: if a list is empty or given twice, or its task is unknown.
    """
    lists: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        task, _, words = part.rpartition(":")
        task = task.strip()
        if task and task not in tasks:
            raise ValueError(f"--{flag}: {unknown_name('task', task, tasks)}")
        if task in lists:
            raise ValueError(f"--{flag}: two lists for {task or 'the other tasks'}: {text!r}")
        lists[task] = tuple(word.strip() for word in words.split(",") if word.strip())
        if not lists[task]:
            for_task = f" for {task}" if task else ""
            raise ValueError(f"--{flag} needs at least one {singular(flag)}{for_task}, got {text!r}")
    return ByTask(lists.pop("", ()), lists)


def parse_numbers(flag: str, words: Sequence[str]) -> list[int]:
    """Parses non-negative integers from the command line.

    Raises:
      ValueError: if there are none, one is not an integer, or one is repeated.
    """
    if not words:
        raise ValueError(f"--{flag} needs at least one {singular(flag)}")
    for word in words:
        if not (word.strip().isascii() and word.strip().isdigit()):
            raise ValueError(f"--{flag} must be whole numbers separated by commas, got {word!r}")
    numbers = [int(word) for word in words]
    for number in numbers:
        if numbers.count(number) > 1:
            raise ValueError(f"--{flag} has {number} twice")
    return numbers


def parse_number(flag: str, word: str) -> float:
    """Parses a number from the command line; raises ValueError if it is none."""
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"--{flag} must be numbers separated by commas, got {word!r}") from None


def parse_dict(flag: str, text: str) -> dict[str, Any]:
    """Parses a dictionary, as a Python literal, from the command line.

    Raises:
      ValueError: if it is not a dictionary with strings as keys.
    """
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"--{flag} must be a dictionary such as {{'p': 0.3}}, got {text}")
    return value


def singular(flag: str) -> str:
    """The singular of a flag's name."""
    return {"families": "family"}.get(flag, flag.removesuffix("s"))
