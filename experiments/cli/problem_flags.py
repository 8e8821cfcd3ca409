"""Flags with the options and the number of the problems of an evaluation, for all tasks or per task."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import flags

from experiments.cli.by_task import parse_by_task, parse_dict, parse_number, parse_numbers
from nar.algorithms import find_algorithm
from nar.plugins import did_you_mean
from nar.runs.components import GraphComponents
from nar.runs.components.problem_options import check_options

_P = flags.DEFINE_string(
    "p",
    None,
    "Edge probability of graphs, or several to choose from for each graph; for all tasks that have it or, as "
    "the next three, per task, like --sizes: bfs:0.3;dfs:0.1,0.5.",
)
_K = flags.DEFINE_string("k", None, "Parameter k of graph families that have it.")
_REWIRING = flags.DEFINE_string("rewiring", None, "Rewiring probability of watts_strogatz.")
_COUNT = flags.DEFINE_string(
    "count",
    None,
    "Instances of each task, size, family and seed, by default as in the protocol; 0 is as many as in "
    "CLRS-30: 32, times 64 or 32 for tasks with few outputs.",
)
_PROBLEM = flags.DEFINE_string(
    "problem",
    None,
    "Further problem options, for all tasks that have them, such as {'length_needle': 4}, or per task: "
    "{'bfs': {'p': 0.3}}. The options that are given for a task replace all those of the protocol.",
)


@dataclasses.dataclass(frozen=True)
class TaskProblems:
    """The problems of a task.

    Attributes:
      options: problem options other than the family.
      count: number of instances of each size, family and seed; 0 for as many as in CLRS-30.
    """

    options: Mapping[str, Any]
    count: int

    def __str__(self) -> str:
        parts = [f"{name} = {value}" for name, value in self.options.items()]
        parts += [f"{self.count} instances of each size and seed"] if self.count else []
        return ", ".join(parts) or "as CLRS-30 draws them"


def problems_by_task(components: GraphComponents, tasks: Sequence[str]) -> dict[str, TaskProblems]:
    """The problems of each task: those of the flags or, where they give none, of the run's protocol.

    Raises:
      ValueError: if a flag is invalid, two give the same option, or a task is given an option that it lacks.
    """
    default, named = _given_options(tasks)
    counts = {} if _COUNT.value is None else _by_task("count", _COUNT.value, tasks, _whole_number)
    problems = {}
    for task in tasks:
        section = components.protocol.sections["test"][task]
        known = find_algorithm(task).problem.options
        options = {name: value for name, value in default.items() if name in known} | named.get(task, {})
        count = counts.get(task, counts.get("", section.count))
        problems[task] = TaskProblems(options or dict(section.problem), count)
    return problems


def describe_problems(problems: Mapping[str, TaskProblems], on_lists: Sequence[str] = ()) -> str:
    """A sentence on the options and the number of problems, by task if they differ.

    Args:
      problems: the problems by task.
      on_lists: families that are drawn as lists, which a further sentence names.
    """
    tasks_by_text: dict[str, list[str]] = {}
    for task, one in problems.items():
        tasks_by_text.setdefault(str(one), []).append(task)
    parts = [f" of {', '.join(tasks)}: {text}" for text, tasks in tasks_by_text.items()]
    if len(tasks_by_text) == 1:
        parts = [f": {next(iter(tasks_by_text))}"]
    lists = f" Families with the defaults of SALSA-CLRS: {', '.join(on_lists)}." if on_lists else ""
    return f"Problems{';'.join(parts)}.{lists}"


def _given_options(tasks: Sequence[str]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Options of the flags: those of all tasks that have them, and those of single tasks."""
    given = {} if _PROBLEM.value is None else parse_dict("problem", _PROBLEM.value)
    default = {name: value for name, value in given.items() if not _is_task(name, value, tasks)}
    named = {name: dict(value) for name, value in given.items() if name not in default}
    for flag, parse in ((_P, _numbers), (_K, _whole_number), (_REWIRING, _number)):
        if flag.value is None:
            continue
        for task, value in _by_task(flag.name, flag.value, tasks, parse).items():
            options = named.setdefault(task, {}) if task else default
            if flag.name in options:
                raise ValueError(f"--problem and --{flag.name} both give {flag.name}")
            options[flag.name] = value
    check_options("problem", default, [find_algorithm(task) for task in tasks])
    for task, options in named.items():
        known = find_algorithm(task).problem.options
        for name in options:
            if name not in known:
                hint = did_you_mean(name, known)
                raise ValueError(f"{task} has no problem option {name!r}; known: {', '.join(known)}{hint}")
    return default, named


def _is_task(name: str, value: Any, tasks: Sequence[str]) -> bool:
    return name in tasks and isinstance(value, dict)


def _by_task(
    flag: str, text: str, tasks: Sequence[str], parse: Callable[[str, Sequence[str]], Any]
) -> dict[str, Any]:
    """Parsed values by task; that of all other tasks has the key ""."""
    lists = parse_by_task(flag, text, tasks)
    words = {"": lists.default, **lists.named} if lists.default else lists.named
    return {task: parse(flag, one) for task, one in words.items()}


def _numbers(flag: str, words: Sequence[str]) -> tuple[float, ...]:
    return tuple(parse_number(flag, word) for word in words)


def _number(flag: str, words: Sequence[str]) -> float:
    number, *others = _numbers(flag, words)
    if others:
        raise ValueError(f"--{flag} must be a single number, got {','.join(words)}")
    return number


def _whole_number(flag: str, words: Sequence[str]) -> int:
    number, *others = parse_numbers(flag, words)
    if others:
        raise ValueError(f"--{flag} must be a single number, got {','.join(words)}")
    return number
