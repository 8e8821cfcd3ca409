"""Commands that a finished run names are commands of the scripts."""

import pathlib
import shlex
import sys

import pytest

from experiments.cli.next_commands import after_conversion, after_evaluation, after_training
from experiments.cli.own_command import own_command


@pytest.fixture(autouse=True)
def not_installed(tmp_path, monkeypatch):
    """An environment without the command `nar`, which the shell finds."""
    environment(tmp_path / "env", "python")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "env"))


def environment(folder, *programs):
    folder.mkdir()
    for name in programs:
        (folder / name).touch(0o755)


def test_commands_can_be_pasted_into_the_shell(tmp_path, monkeypatch):
    assert own_command("show") == "python -m experiments.show"
    environment(tmp_path / ".venv", "python3", "nar")
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "python3"))
    assert own_command("show") == f"{tmp_path}/.venv/nar show"  # the shell would not find `nar`
    monkeypatch.chdir(tmp_path)
    assert own_command("show") == ".venv/nar show"
    monkeypatch.setenv("PATH", str(tmp_path / ".venv"))
    assert own_command("show") == "nar show"
    (tmp_path / ".venv" / "nar").unlink()
    monkeypatch.setenv("PATH", "")
    assert own_command("show") == ".venv/python3 -m experiments.show"


def test_paths_and_names_are_quoted():
    lines = after_training("my runs/a", ["mine:SORT"]).splitlines()
    assert lines[0] == "Next:"
    words = [shlex.split(line) for line in lines[1:]]
    assert [word[2] for word in words] == [f"experiments.{name}" for name in ("evaluate", "show", "report")]
    assert words[0][3:] == ["--workdir=my runs/a", "--sizes=16,32,64"]
    assert words[1][3:] == ["--workdir=my runs/a", "--algorithm=mine:SORT", "--index=0"]
    assert words[2][3:] == ["my runs/a"]


def test_language_models_answer_questions():
    assert shlex.split(after_training("a", ["bfs"], is_text=True))[4:] == ["--model=a", "--output=a/answers"]


def test_evaluations_are_reported_where_a_report_reads_them():
    inside = after_evaluation("runs/a b", ["bfs", "dfs"], pathlib.Path("runs/a b"), "large")
    assert [shlex.split(line)[2:] for line in inside.splitlines()[1:]] == [
        ["experiments.show", "--workdir=runs/a b", "--algorithm=bfs", "--index=0"],
        ["experiments.report", "runs/a b", "--evaluation=large"],
    ]
    elsewhere = after_evaluation("runs/a", ["bfs"], pathlib.Path("tables"), "evaluation", needs_trust=True)
    (line,) = elsewhere.splitlines()[1:]
    assert shlex.split(line)[2:] == [
        *("experiments.show", "--workdir=runs/a", "--algorithm=bfs", "--index=0", "--trust")
    ]


def test_converted_runs_are_evaluated_first():
    lines = after_conversion(pathlib.Path("theirs"), ["dfs"]).splitlines()
    assert [shlex.split(line)[2] for line in lines[1:]] == ["experiments.evaluate", "experiments.show"]
