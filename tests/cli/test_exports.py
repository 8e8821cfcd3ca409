"""Flags of pretrained networks and exports, and the way from a run to a row of the leaderboard."""

import json

import pytest
from commands import run

PROBLEM = '--input={"edges": [[0, 1], [1, 2]], "s": 0}'


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("predict", [PROBLEM], "give --workdir, the directory of a run, or --pretrained"),
        (
            "predict",
            [PROBLEM, "--workdir=x", "--pretrained=bfs"],
            "either --workdir or --pretrained, not both",
        ),
        ("predict", [PROBLEM, "--pretrained=bfs:x"], "'bfs:x' is not of the form NAME or NAME:SEED"),
        ("evaluate", ["--pretrained=no_such_network"], "unknown pretrained network 'no_such_network'"),
        ("show", ["--pretrained=no_such_network"], "unknown pretrained network 'no_such_network'"),
        ("convert", ["--workdir=x"], "exactly one of --checkpoint, --export and --recompute"),
        ("convert", ["--recompute=x", "--name=y"], "--name needs --export"),
        ("convert", ["--export=x"], "--export needs --workdir"),
        ("convert", ["--export=x", "--workdir=y", "--sizes=a"], "--sizes must be positive integers, got a"),
        ("convert", ["--checkpoint=x", "--workdir=y"], "--checkpoint needs --config"),
        ("report", ["--leaderboard", "no_such_folder"], "no_such_folder is not a folder"),
        ("report", ["--leaderboard", "docs/submissions", "no_such"], "no_such is not a folder"),
    ],
)
def test_flags_that_do_not_fit_are_errors(script, arguments, message):
    code, _, errors = run(script, *arguments)
    assert code != 0 and message in errors, errors


@pytest.mark.slow
def test_from_a_run_to_a_row(tmp_path):
    """Trains, exports, recomputes, predicts and warm-starts, and makes the leaderboard, by commands."""
    config = ["--config=configs/tiny.py", "--config.training.steps=20"]
    workdir, exports = f"--workdir={tmp_path / 'run'}", tmp_path / "exports"
    for script, *arguments in (
        ("train", *config, workdir),
        ("convert", workdir, f"--export={exports}", "--sizes=16", "--method=mine"),
        ("convert", f"--recompute={exports / 'bfs_seed0'}"),
        ("predict", f"--workdir={exports / 'bfs_seed0'}", PROBLEM),
        (
            "train",
            *config,
            f"--workdir={tmp_path / 'next'}",
            f"--config.training.init_from={exports / 'bfs_seed0'}",
        ),
        ("report", "--leaderboard", str(exports), f"--output={tmp_path / 'pages'}"),
    ):
        code, output, errors = run(script, *arguments)
        assert code == 0, (script, output, errors)
    recorded = json.loads((exports / "bfs_seed0" / "evaluation.json").read_text())
    score = recorded["scores"]["bfs"]["64"]["score"]
    row = next(
        line for line in (tmp_path / "pages" / "results.md").read_text().splitlines() if "| bfs |" in line
    )
    assert row.startswith(f"| bfs | {100 * score:.2f} |")
    start = json.loads((tmp_path / "next" / "start.json").read_text())
    assert start["run"] == str(exports / "bfs_seed0")
