"""Options and counts of the problems of an evaluation: for all tasks, per task, and by the protocol."""

from types import SimpleNamespace

import pytest

from experiments.cli import problem_flags
from experiments.cli.problem_flags import TaskProblems, describe_problems, problems_by_task

TASKS = ("bfs", "dfs", "insertion_sort")


def problems(monkeypatch, sections=(), **values):
    """The problems of `TASKS` with these values of the flags."""
    for name in ("p", "k", "rewiring", "count", "problem"):
        flag = SimpleNamespace(name=name, value=values.get(name))
        monkeypatch.setattr(problem_flags, f"_{name.upper()}", flag)
    plain = {task: TaskProblems({}, 0) for task in TASKS}
    protocol = {
        task: SimpleNamespace(problem=one.options, count=one.count)
        for task, one in (plain | dict(sections)).items()
    }
    components = SimpleNamespace(protocol=SimpleNamespace(sections={"test": protocol}))
    return {task: (one.options, one.count) for task, one in problems_by_task(components, TASKS).items()}


def test_options_for_all_tasks_go_to_those_that_have_them(monkeypatch):
    found = problems(monkeypatch, p="0.3,0.5", problem="{'low': 2.0}", count="7")
    graphs = ({"p": (0.3, 0.5)}, 7)
    assert found == {"bfs": graphs, "dfs": graphs, "insertion_sort": ({"low": 2.0}, 7)}


def test_tasks_without_a_flag_have_the_problems_of_the_protocol(monkeypatch):
    sections = {"dfs": TaskProblems({"p": 0.9}, 5), "bfs": TaskProblems({"p": 0.1}, 6)}
    found = problems(monkeypatch, sections, p="bfs:0.3", count="9;dfs:4")
    assert found == {
        "bfs": ({"p": (0.3,)}, 9),
        "dfs": ({"p": 0.9}, 4),
        "insertion_sort": ({}, 9),
    }


def test_options_of_a_task_replace_those_of_all(monkeypatch):
    found = problems(monkeypatch, problem="{'bfs': {'p': 0.2, 'k': 4}}", p="0.5", rewiring="dfs:0.1")
    assert found == {
        "bfs": ({"p": 0.2, "k": 4}, 0),
        "dfs": ({"p": (0.5,), "rewiring": 0.1}, 0),
        "insertion_sort": ({}, 0),
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"p": "insertion_sort:0.3"}, "^insertion_sort has no problem option 'p'; known: low, high"),
        ({"problem": "{'bfs': {'pp': 1}}"}, "^bfs has no problem option 'pp'; .*did you mean p"),
        ({"problem": "{'lwo': 1}"}, "problem.lwo: none of bfs, dfs, insertion_sort has .*did you mean low"),
        ({"problem": "{'bfs': {'p': 1}}", "p": "bfs:1"}, "--problem and --p both give p"),
        ({"problem": "{'p': 1}", "p": "1"}, "--problem and --p both give p"),
        ({"k": "3,4"}, "--k must be a single number, got 3,4"),
        ({"count": "bsf:3"}, "--count: unknown task 'bsf'; .*did you mean bfs"),
    ],
)
def test_what_no_task_has_is_refused(monkeypatch, values, message):
    with pytest.raises(ValueError, match=message):
        problems(monkeypatch, **values)


def test_the_description_names_the_tasks():
    plain, sparse = TaskProblems({}, 0), TaskProblems({"p": 0.1}, 3)
    assert describe_problems({"bfs": plain, "dfs": plain}) == "Problems: as CLRS-30 draws them."
    described = describe_problems({"bfs": sparse, "dfs": plain, "dijkstra": sparse})
    assert described == (
        "Problems of bfs, dijkstra: p = 0.1, 3 instances of each size and seed; "
        "of dfs: as CLRS-30 draws them."
    )
