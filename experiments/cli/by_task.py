"""Lists on the command line, of all tasks or of each its own: "16,64" or "bfs:16,64;dfs:8"."""

import dataclasses
from collections.abc import Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class ByTask:
    """What a flag says.

    Attributes:
      usual: of the tasks that are not named; empty if there is no such list.
      named: task -> its own.
    """

    usual: tuple[str, ...]
    named: Mapping[str, tuple[str, ...]]

    def of(self, task: str) -> tuple[str, ...]:
        """The list of a task."""
        return self.named.get(task, self.usual)

    def chosen(self, tasks: Sequence[str]) -> list[str]:
        """Of some tasks those that have a list."""
        return [task for task in tasks if self.of(task)]


def parse_by_task(flag: str, text: str, tasks: Sequence[str]) -> ByTask:
    """Reads lists: commas between words, a task and a colon before its own, semicolons between lists.

    Args:
      flag: its name, for messages.
      text: of it.
      tasks: that may be named.

    Raises:
      ValueError: if a list is empty, given twice, or of no such task.
    """
    lists: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        task, _, words = part.rpartition(":")
        task = task.strip()
        if task and task not in tasks:
            raise ValueError(f"--{flag}: no task {task!r} here; there are: {', '.join(tasks)}")
        if task in lists:
            raise ValueError(f"--{flag}: two lists of {task or 'tasks that are not named'}: {text!r}")
        lists[task] = tuple(word.strip() for word in words.split(",") if word.strip())
        if not lists[task]:
            of_task = f" of {task}" if task else ""
            raise ValueError(f"--{flag} needs at least one {singular(flag)}{of_task}, got {text!r}")
    return ByTask(lists.pop("", ()), lists)


def parse_numbers(flag: str, words: Sequence[str]) -> list[int]:
    """Numbers from the command line.

    Raises:
      ValueError: if there are none, one is no whole number, or is there twice.
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


def singular(flag: str) -> str:
    """What a flag lists, one of it."""
    return {"families": "family"}.get(flag, flag.removesuffix("s"))
