"""Commands that a finished run names are commands of the scripts."""

import shlex

from experiments.cli.next_commands import next_commands


def test_paths_and_names_are_quoted():
    lines = next_commands("my runs/a", ["mine:SORT"], False).splitlines()
    assert lines[0] == "Next:"
    words = [shlex.split(line) for line in lines[1:]]
    assert [word[2] for word in words] == [f"experiments.{name}" for name in ("evaluate", "show", "report")]
    assert words[0][3:] == ["--workdir=my runs/a", "--sizes=16,32,64"]
    assert words[1][3:] == ["--workdir=my runs/a", "--algorithm=mine:SORT", "--index=0"]
    assert words[2][3:] == ["my runs/a"]


def test_language_models_answer_questions():
    assert shlex.split(next_commands("a", ["bfs"], True))[4:] == ["--model=a", "--output=a/answers"]
