"""Flags with values for all tasks or per task."""

import pytest

from experiments.cli.by_task import parse_by_task, parse_numbers


def test_parse_by_task_accepts_shared_and_per_task_lists():
    tasks = ["bfs", "dfs", "minimum"]
    same = parse_by_task("sizes", "16, 32", tasks)
    assert [same.get(task) for task in tasks] == [("16", "32")] * 3 and same.tasks_with_values(tasks) == tasks
    alone = parse_by_task("sizes", "bfs:16,64;dfs:8", tasks)
    assert (alone.get("bfs"), alone.get("dfs"), alone.get("minimum")) == (("16", "64"), ("8",), ())
    assert alone.tasks_with_values(tasks) == ["bfs", "dfs"]
    rest = parse_by_task("sizes", "4; dfs:8", tasks)
    assert [rest.get(task) for task in tasks] == [("4",), ("8",), ("4",)]
    assert rest.tasks_with_values(tasks) == tasks
    assert parse_numbers("sizes", ["16", " 4 "]) == [16, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bsf:16", "--sizes: unknown task 'bsf'; known: bfs, dfs"),
        ("bfs:16;bfs:8", "two lists for bfs"),
        ("16;8", "two lists for the other tasks"),
        ("bfs:", "needs at least one size for bfs"),
        ("bfs:16;", "needs at least one size, got"),
        ("", "--sizes needs at least one size"),
    ],
)
def test_parse_by_task_rejects_malformed_lists(text, message):
    with pytest.raises(ValueError, match=message):
        parse_by_task("sizes", text, ["bfs", "dfs"])


@pytest.mark.parametrize(
    ("numbers", "message"),
    [(["x"], "whole numbers"), (["-4"], "whole"), (["4", "4"], "4 twice"), ([], "at least one")],
)
def test_parse_numbers_rejects_malformed_numbers(numbers, message):
    with pytest.raises(ValueError, match=message):
        parse_numbers("sizes", numbers)
