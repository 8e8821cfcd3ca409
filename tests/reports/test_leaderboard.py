"""The leaderboard: rows from files, columns, means over complete classes, and the pages in the repository."""

import pathlib
import re

import pytest

import nar
from nar.algorithms import FAMILIES
from nar.atomic_io import write_json
from nar.reports.leaderboard import make_columns, make_leaderboard, read_rows
from nar.reports.leaderboard.leaderboard import progress
from nar.reports.leaderboard.tables import row_table, size_table
from nar.reports.run_report import page
from nar.reports.run_report.quantities import CLASSES, TASKS, Quantity, clrs30_tasks
from nar.runs.training_command import training_command

ROOT = pathlib.Path(__file__).parents[2]
FOLDERS = (ROOT / "nar" / "runs" / "weights", ROOT / "docs" / "submissions")
ALL = sorted(clrs30_tasks())


def measurement(task, size, score, instances):
    return {
        "task": task, "size": size, "family": "clrs30", "lengths": "true", "seed": 3, "instances": instances,
        "scores": {"pi": score, "score": score}, "metrics": {}, "steps": 4.0, "hints": {},
    }  # fmt: skip


def write_row(
    folder, names, score, *, seed=0, name=None, method="nar", steps=100, validation=None, instances=32
):
    """Writes the files of an export, except for its weights. `score` is that of each algorithm at n = 64."""
    path = folder / f"{name or names[0]}_seed{seed}"
    path.mkdir(parents=True)
    config = nar.RunConfig.from_dict({"algorithms": tuple(names), "training": {"steps": steps, "seed": seed}})

    def split(size, value):
        return {task: {size: {"pi": value, "score": value}} for task in names}

    result = {
        "steps": steps, "stopped_early": False, "best_step": steps // 2,
        "parameters": 1234, "seconds": 90.0, "cpu_seconds": 150.0,
        "hardware": {"platform": "cpu", "cpu_cores": 2}, "method": method, "remark": "",
        "precision": {"training": "float32", "scoring": "float32"},
        "selection": "best of 2", "command": training_command(config, "runs/it"),
        "scores": {"validation": split("16", validation or score), "test": split("64", score)},
    }  # fmt: skip
    measurements = [
        measurement(task, size, score - size / 1000, 32 if size < 128 else instances)
        for task in names
        for size in (16, 32, 64, 128)
    ]
    write_json(path / "config.json", config.to_dict())
    write_json(path / "versions.json", {"nar": "0.1.0", "git": "0123456789"})
    write_json(path / "result.json", result)
    write_json(path / "evaluation.json", {"measurements": measurements, "summary": []})
    return path


@pytest.fixture(autouse=True)
def _no_plots(request, monkeypatch):
    """Plots are slow to draw, so that only tests marked slow draw them."""
    if not request.node.get_closest_marker("slow"):
        monkeypatch.setattr(page, "figures", lambda name, panels, note="": "")


@pytest.mark.slow
def test_page_has_plots(tmp_path):
    write_row(tmp_path, ["bfs"], 0.9)
    text = make_leaderboard(read_rows([tmp_path]))["leaderboard.html"].decode()
    assert len(re.findall('<div class="bars">', text)) == 2 and '<div class="curves">' in text
    assert "<script" not in text and without_plots(text) != text and "<svg" not in without_plots(text)


def test_without_rows_published_results_are_shown(tmp_path):
    assert read_rows([tmp_path / "missing", tmp_path]) == []
    files = make_leaderboard([])
    text = files["results.md"].decode()
    assert "0 of 30 algorithms are in" in text and "| heapsort | 68.00† | 10.94†" in text
    assert "## By size" not in text


def test_seeds_are_averaged_and_incomplete_classes_have_no_mean(tmp_path):
    for seed, score in enumerate((0.5, 0.6, 0.7)):
        write_row(tmp_path, ["bfs"], score, seed=seed)
    write_row(tmp_path, ["naive_string_matcher"], 0.9)
    (column,) = make_columns(read_rows([tmp_path]))
    found = column.quantities()
    assert set(found) == {Quantity("algorithm", "bfs"), Quantity("algorithm", "naive_string_matcher")}
    assert str(found[Quantity("algorithm", "bfs")]) == "60.00 ± 10.00"
    write_row(tmp_path, ["kmp_matcher"], 0.1)
    (column,) = make_columns(read_rows([tmp_path]))
    assert str(column.quantities()[Quantity("class", "strings")]) == "50.00"
    assert Quantity("average", TASKS) not in column.quantities()


def test_means_over_all_thirty(tmp_path):
    """Task i scores i / 100 with seed 0 and 2 points more with seed 1."""
    for number, task in enumerate(ALL):
        write_row(tmp_path, [task], number / 100)
        write_row(tmp_path, [task], number / 100 + 0.02, seed=1)
    rows = read_rows([tmp_path])
    (column,) = make_columns(rows)
    found = column.quantities()
    assert str(found[Quantity("average", TASKS)]) == "15.50 ± 1.41"
    classes = [found[Quantity("class", name)].mean for name in FAMILIES if clrs30_tasks(name)]
    assert found[Quantity("average", CLASSES)].mean == pytest.approx(sum(classes) / 8)
    assert "nar: 30 of 30 algorithms are in" in progress([column])[0]
    gap = ALL.index("bubble_sort") + 1 - 67.68
    assert f"below it: bubble_sort ({gap:+.2f}), " in progress([column])[1]
    assert (
        len(make_leaderboard(rows)["results.md"].decode().split("## Commands")[1].strip().splitlines()) == 60
    )


def test_mean_has_a_deviation_over_complete_seeds_only(tmp_path):
    """One algorithm has one seed only: the mean is over the means of algorithms, without a deviation."""
    write_row(tmp_path, ["kmp_matcher"], 0.2)
    write_row(tmp_path, ["kmp_matcher"], 0.4, seed=1)
    write_row(tmp_path, ["naive_string_matcher"], 0.9)
    (column,) = make_columns(read_rows([tmp_path]))
    assert str(column.quantities()[Quantity("class", "strings")]) == "60.00"


def test_best_recipe_is_chosen_on_validation(tmp_path):
    write_row(tmp_path, ["bfs"], 0.9, validation=0.5)
    write_row(tmp_path / "more", ["bfs"], 0.8, validation=0.6, steps=200)
    write_row(tmp_path / "more", ["bfs"], 0.6, validation=0.7, steps=200, seed=1)
    rows = read_rows([tmp_path, tmp_path / "more"])
    (column,) = make_columns(rows)
    assert [row.test_scores["bfs"] for row in column.rows] == [0.8, 0.6]
    assert len(row_table(rows).rows) == 3


def test_methods_and_generalists_have_their_own_columns(tmp_path):
    write_row(tmp_path, ["bfs"], 0.9)
    write_row(tmp_path, ALL, 0.7, name="generalist")
    write_row(tmp_path / "others", ["bfs"], 0.8, method="their net | <b>")
    rows = read_rows([tmp_path, tmp_path / "others"])
    columns = make_columns(rows)
    assert [column.label for column in columns] == ["nar", "nar, generalist", "their net | <b>"]
    files = make_leaderboard(rows)
    assert "their net \\| <b>" not in files["results.md"].decode()
    assert b"<b>" not in files["leaderboard.html"]
    assert "nar, generalist: 30 of 30 algorithms are in" in files["results.md"].decode()


def test_sizes_and_facts(tmp_path):
    write_row(tmp_path, ["bfs"], 0.9, instances=3)
    rows = read_rows([tmp_path])
    assert size_table(make_columns(rows)).rows == [["nar", "bfs", "88.40", "86.80", "83.60", "77.20 (3)"]]
    facts = dict(zip(row_table(rows).header, row_table(rows).rows[0], strict=True))
    assert facts["minutes"] == "1.5" and facts["CPU minutes"] == "2.5" and facts["cores"] == "2 CPU"
    assert facts["products in training, scoring"] == "float32, float32" and facts["selection"] == "best of 2"
    text = make_leaderboard(rows)["results.md"].decode()
    assert "`python -m experiments.train --config=configs/base.py --workdir=runs/it" in text


def test_folder_that_is_no_export_is_an_error(tmp_path):
    path = write_row(tmp_path, ["bfs"], 0.9)
    (path / "evaluation.json").unlink()
    with pytest.raises(ValueError, match=r"bfs_seed0 is not an export of a run .* no evaluation\.json"):
        read_rows([tmp_path])
    (path / "result.json").unlink()
    with pytest.raises(ValueError, match="it has no method"):
        read_rows([tmp_path])


# ---------------------------------------------------------------------------------------------------
# The pages in the repository


def without_plots(text):
    """A page without its plots, which depend on the version of matplotlib."""
    return re.sub(r'<ul class="keys">.*?</ul>\n<div class="\w+">.*?</div>', "", text, flags=re.DOTALL)


def test_pages_are_those_of_the_rows_in_the_repository():
    """After a change of rows: python -m experiments.report --leaderboard."""
    files = make_leaderboard(read_rows(FOLDERS))
    assert (ROOT / "docs" / "results.md").read_text() == files["results.md"].decode()
    assert without_plots((ROOT / "docs" / "leaderboard.html").read_text()) == without_plots(
        files["leaderboard.html"].decode()
    )
