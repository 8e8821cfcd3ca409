"""The study of recipes: rows of trials, their page, and the page in the repository."""

import json
import pathlib

import pytest

import nar
from nar.reports.recipes import make_recipes, merge_rows, rows_of
from nar.reports.run_report.records import Record

ROOT = pathlib.Path(__file__).parents[2]


def record(algorithm="bfs", test=0.5, seed=0, budget=20.0, steps=700, sizes=("64",), **changes):
    training = {"max_cpu_minutes": budget, "seed": seed, "steps": 1_000_000, "eval_every": 100}
    config = nar.RunConfig.from_dict({"algorithms": (algorithm,), "training": training})
    values = json.loads(json.dumps(config.merged(changes).to_dict()))
    scores = {
        "validation": {algorithm: {"16": {"score": 0.9}}},
        "test": {algorithm: {size: {"score": test} for size in sizes}},
    }
    result = {
        "steps": steps,
        "stopped_early": True,
        "scores": scores,
        "precision": {"training": "float32", "scoring": "float32"},
        "hardware": {"platform": "cpu", "cpu_cores": 2},
    }
    return Record("name", pathlib.Path("folder"), values, {"git": "abc"}, [], result, None)


def test_rows_have_the_changes_and_the_scores_of_trials():
    (row,) = rows_of(
        [record(test=0.25, model={"processor": "mpnn"}, evaluation={"selection_sizes": (24, 32)})]
    )
    assert row["changes"] == {"model.processor": "mpnn", "evaluation.selection_sizes": (24, 32)}
    assert (row["algorithm"], row["test"], row["validation"]) == ("bfs", 0.25, 0.9)
    assert (row["steps"], row["cpu_minutes"], row["nar"]) == (700, 20.0, "abc")
    assert row["selection"] == "selected at n = 24, 32"
    assert rows_of([record()])[0]["changes"] == {}


@pytest.mark.parametrize("options", [{"budget": 0.0}, {"sizes": ("32",)}])
def test_runs_that_are_no_trials_are_errors(options):
    with pytest.raises(ValueError, match="folder: a trial of the study trains one algorithm for"):
        rows_of([record(**options)])


def test_new_rows_replace_those_of_the_same_trial():
    old = rows_of([record(test=0.1), record(test=0.2, seed=1), record(test=0.3, budget=5.0)])
    new = rows_of([record(test=0.4), record(test=0.5, model={"hidden_size": 64})])
    rows = merge_rows(json.loads(json.dumps(old)), new)
    assert sorted(row["test"] for row in rows) == [0.2, 0.3, 0.4, 0.5]
    assert merge_rows(rows, []) == merge_rows(rows[::-1], []) == rows


def test_page_ranks_recipes_and_keeps_those_that_lost():
    windows = {"training": {"window_length": 4}}
    records = [
        record(test=0.5),
        record(test=0.7, seed=1),
        record(test=0.1, steps=900, **windows),
        record(test=0.3, seed=1, **windows),
        record("dfs", 0.25),
        record("insertion_sort", 0.75),
    ]
    text = make_recipes(rows_of(records))
    assert "| default | 60.00 ± 14.14 | 90.00 ± 0.00 | 2 | 700 | selected by score |" in text
    assert "| window\\_length 4 | 20.00 ± 14.14 | 90.00 ± 0.00 | 2 | 700 to 900 |" in text.replace(
        "window_length", "window\\_length"
    ).replace("\\\\", "\\")
    assert text.index("| default | 60") < text.index("| 20.00")
    assert text.index("### insertion_sort (sorting)") < text.index("### bfs") < text.index("### dfs (graphs)")
    assert "## 20 minutes of CPU time" in text and "float32 in training, float32 in scoring" in text


def test_page_in_the_repository_is_that_of_its_rows():
    """After a change of rows: python -m experiments.report --recipes."""
    rows = json.loads((ROOT / "docs" / "recipes.json").read_text())["rows"]
    assert (ROOT / "docs" / "recipes.md").read_text() == make_recipes(rows)
