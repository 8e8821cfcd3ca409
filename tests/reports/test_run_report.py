"""Run reports: reading of runs, grouping and statistics, published numbers, and the files of the report."""

import html.parser
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import ROOT, run

from configs import base
from nar import __version__
from nar.algorithms import CLRS30_FAMILIES
from nar.atomic_io import write_json
from nar.reports.escape import escape_latex
from nar.reports.run_report import (
    all_published,
    find_published,
    make_report,
    make_settings,
    read_records,
    report_notes,
    score_table,
)
from nar.reports.run_report import report as report_module
from nar.reports.run_report.palette import light, series
from nar.reports.run_report.panels import learning_curves, published_bars, size_curves
from nar.reports.run_report.quantities import clrs30_tasks
from nar.reports.run_report.tables import config_table, run_table, size_table
from nar.reports.tables import Table

CLRS30 = sorted(clrs30_tasks())


@pytest.fixture
def without_image_files(monkeypatch):
    """Replaces image files by empty ones, since drawing them takes most of the time."""
    monkeypatch.setattr(report_module, "as_image", lambda figure, form: b"")


def scores_of(test, split="test"):
    size = "64" if split == "test" else "16"
    return {task: {size: {"out": value, "score": value}} for task, value in test.items()}


def result_of(test, **fields):
    scores = {"validation": scores_of(test, "validation"), "test": scores_of(test)}
    return {
        "scores": scores,
        "steps": 20,
        "best_step": 20,
        "seconds": 3.0,
        "parameters": 1234,
        "stopped_early": False,
        **fields,
    }


def make_run(folder, test=None, *, seed=0, overrides=(), versions=None, lines=2, **result):
    """Makes a run directory as training does; `test` has scores by algorithm, None for an unfinished run."""
    config = base.get_config()
    config.training.steps, config.training.seed = 20, seed
    for key, value in dict(overrides).items():
        config.update_from_flattened_dict({key: value})
    folder.mkdir(parents=True)
    write_json(folder / "config.json", config.to_dict())
    (folder / "checkpoints").mkdir()
    write_json(folder / "checkpoints" / "config.json", config.to_dict())
    write_json(
        folder / "versions.json", versions or {"nar": __version__, "git": "0123456789", "jax": "0.10.2"}
    )
    metrics = [
        {"step": 10 * k, "loss": 1.0 / k, "validation/score": 0.4 * k}
        | {f"validation/{name}/score": 0.4 * k for name in config.algorithms}
        for k in range(1, lines + 1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in metrics))
    if test is not None:
        write_json(folder / "result.json", result_of(test, **result))
    return folder


def read(*folders):
    return read_records(list(folders))


def table_of(*folders):
    """{label: {column: cell}} of the scores, whichever axis has the labels."""
    table = score_table(make_settings(read(*folders).runs))
    rows = {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}
    if "seeds" in rows:
        return {name: {key: cells[name] for key, cells in rows.items()} for name in table.header[1:]}
    return rows


# ---------------------------------------------------------------------------------------------------
# Scores


def test_runs_that_differ_only_in_seed_are_one_row_with_mean_and_deviation(tmp_path):
    values = [0.9, 0.8, 0.85]
    runs = [make_run(tmp_path / f"s{k}", {"bfs": value}, seed=k) for k, value in enumerate(values)]
    other = make_run(tmp_path / "wide", {"bfs": 0.5}, overrides={"model.hidden_size": 192})
    cells = table_of(*runs, other)
    expected = f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1):.2f}"
    assert cells["hidden_size 128"] == {"bfs": expected, "validation": expected, "seeds": "3"}
    assert cells["hidden_size 192"] == {"bfs": "50.00", "validation": "50.00", "seeds": "1"}


def test_trackers_do_not_split_a_setting(tmp_path):
    one = make_run(tmp_path / "one", {"bfs": 0.5}, seed=0)
    two = make_run(tmp_path / "two", {"bfs": 0.7}, seed=1)
    config = json.loads((two / "config.json").read_text())
    del config["sha256"]
    config["training"]["trackers"] = ["tensorboard", "wandb"]
    config["training"]["tracker_options"] = {"wandb": {"mode": "offline"}}
    write_json(two / "config.json", config)
    (setting,) = make_settings(read(one, two).runs)
    assert len(setting.records) == 2


def test_seeds_of_one_program_count_as_seeds(tmp_path):
    seeds = [{"seed": 4, **result_of({"bfs": 0.5})}, {"seed": 5, **result_of({"bfs": 0.7})}]
    run = make_run(tmp_path / "run", {"bfs": 0.6}, seed=4, overrides={"training.num_seeds": 2}, seeds=seeds)
    [record] = read(run).runs
    assert [seed for seed, _ in record.scores_by_seed] == [4, 5]
    assert table_of(run)["run"]["bfs"] == f"60.00 ± {100 * np.std([0.5, 0.7], ddof=1):.2f}"


def baselines(root, processors=("mpnn", "pgn"), seeds=2, tasks=("bfs", "dfs")):
    """A run for each processor, algorithm and seed; scores increase by 1 %."""
    return [
        make_run(
            root / f"{processor}-{task}-{seed}",
            {task: 0.01 * (10 * p + 5 * t + seed)},
            seed=seed,
            overrides={"model.processor": processor, "algorithms": (task,)},
        )
        for p, processor in enumerate(processors)
        for t, task in enumerate(tasks)
        for seed in range(seeds)
    ]


def test_single_algorithm_networks_of_one_config_are_one_column(tmp_path):
    runs = baselines(tmp_path)
    table = table_of(*runs)
    assert table["processor pgn"]["bfs"] == "10.50 ± 0.71" and table["processor mpnn"]["dfs"] == "5.50 ± 0.71"
    assert table["processor pgn"]["mean of these 2 tasks"] == "13.00 ± 0.71"
    settings = make_settings(read(*runs).runs)
    assert [panel.title for panel in size_curves(settings)] == ["bfs", "dfs"]
    assert [panel.title for panel in learning_curves(settings)] == ["bfs", "dfs"]
    assert table_of(*runs[:4])["mpnn"]["bfs"] == "0.50 ± 0.71"


def test_average_includes_only_seeds_with_all_algorithms(tmp_path):
    runs = baselines(tmp_path)
    (runs[1] / "result.json").unlink()
    table = table_of(*runs)
    assert table["processor mpnn"]["bfs"] == "0.00" and table["processor mpnn"]["dfs"] == "5.50 ± 0.71"
    assert table["processor mpnn"]["mean of these 2 tasks"] == "2.50"


def test_overlapping_algorithm_sets_are_separate_settings(tmp_path):
    single = make_run(tmp_path / "single", {"bfs": 0.5}, overrides={"algorithms": ("bfs",)})
    both = make_run(tmp_path / "both", {"bfs": 0.7, "dfs": 0.1}, overrides={"algorithms": ("bfs", "dfs")})
    assert [one.label for one in make_settings(read(single, both).runs)] == ["single", "both"]


def test_duplicate_seed_counts_once(tmp_path):
    runs = [make_run(tmp_path / name, {"bfs": value}) for name, value in (("a", 0.5), ("b", 0.9))]
    settings = make_settings(read(*runs).runs)
    assert str(settings[0].duplicate_seeds) == "[0]"
    assert table_of(*runs)["a and 1 more"] | {"bfs": "50.00", "seeds": "1"} == table_of(*runs)["a and 1 more"]
    [note] = report_notes(read(*runs), settings)
    assert note == "Finished in several runs, of which the first counts, seeds of a and 1 more: 0."


@pytest.mark.usefixtures("without_image_files")
def test_unfinished_run_is_noted_and_has_no_scores(tmp_path):
    done = make_run(tmp_path / "done", {"bfs": 0.5})
    half = make_run(tmp_path / "half", None, lines=1, overrides={"model.hidden_size": 64})
    records = read(done, half)
    settings = make_settings(records.runs)
    assert records.runs[1].status == "unfinished, 10 of 20 steps"
    [note] = report_notes(records, settings)
    assert note == "Unfinished, so not in the table of scores: half (unfinished, 10 of 20 steps)."
    assert table_of(done, half)["half"] == {"bfs": "–", "validation": "–", "seeds": "–"}
    [line] = [line for line in learning_curves(settings)[0].lines if line.label == "half"]
    assert line.is_unfinished
    page = make_report(records)["report.html"].decode()
    assert 'class="open">unfinished, 10 of 20 steps' in page
    assert "unfinished run" in page


def test_extended_run_is_unfinished_until_it_has_the_new_result(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.5}, overrides={"training.steps": 40})
    assert read(run).runs[0].status == "unfinished, 20 of 40 steps"
    early = make_run(tmp_path / "early", {"bfs": 0.5}, overrides={"training.steps": 40}, stopped_early=True)
    assert read(early).runs[0].status == "stopped early"


@pytest.mark.usefixtures("without_image_files")
def test_report_of_unfinished_runs_has_no_scores(tmp_path):
    files = make_report(read(make_run(tmp_path / "half")))
    assert "No run is finished" in files["table.md"].decode()
    assert "learning_curves.svg" in files and "test_scores.svg" not in files


# ---------------------------------------------------------------------------------------------------
# Published numbers


def test_published_numbers_have_a_source_and_provenance():
    assert len(all_published()) == 233
    assert sum(one.is_sourced for one in all_published()) == 90
    for one in all_published():
        assert one.level in ("algorithm", "class", "average") and one.source
        assert 0 <= one.score <= 100
    assert {one.name for one in all_published() if one.level == "algorithm"} == set(CLRS30)


@pytest.mark.parametrize("method", ["MemNet", "MPNN", "PGN", "Triplet-GMPNN", "G-ForgetNet"])
def test_published_class_means_equal_the_means_of_algorithms(method):
    for family in CLRS30_FAMILIES:
        mean = np.mean([find_published("algorithm", name)[method].score for name in clrs30_tasks(family)])
        assert find_published("class", family)[method].score == pytest.approx(mean, abs=0.0101)


@pytest.mark.usefixtures("without_image_files")
def test_reconstructed_numbers_are_marked_everywhere(tmp_path):
    run = make_run(tmp_path / "run", {"minimum": 0.5})
    cells = table_of(run)
    assert cells["PGN"]["minimum"] == "87.71" and cells["MPNN"]["minimum"] == "85.34†"
    assert cells["Triplet-GMPNN"]["minimum"] == "97.78 ± 0.55"
    for name, text in make_report(read(run)).items():
        if name in ("report.html", "table.md", "table.tex"):
            assert "reconstructed" in text.decode(), name
            assert not re.search(r"85\.34(?!†|\\textsuperscript)", text.decode()), name
    [bars] = published_bars(make_settings(read(run).runs))
    marks = {one.label: one for one in bars.published}
    assert marks["PGN, published"].cells == [(87.71, None)] and not marks["PGN, published"].is_hollow
    assert marks["MPNN, reconstructed †"].is_hollow and "MPNN, published" not in marks


def test_averages_are_compared_only_over_the_same_algorithms(tmp_path):
    some = make_run(tmp_path / "some", dict.fromkeys(("bfs", "dfs", "minimum"), 0.5))
    assert table_of(some)["some"]["mean of these 3 tasks"] == "50.00"
    assert "–" in table_of(some)["Triplet-GMPNN"]["mean of these 3 tasks"]
    whole = make_run(
        tmp_path / "whole", {name: k / 30 for k, name in enumerate(CLRS30)}, overrides={"algorithms": CLRS30}
    )
    table = table_of(whole)
    assert table["Triplet-GMPNN"]["mean of 30 tasks"] == "75.98"
    assert table["FloydNet"]["mean of 30 tasks"] == "96.64"
    assert table["Triplet-GMPNN"]["mean of 8 classes"] == "74.14"
    assert table["ReNAR"]["class graphs"] == "93.75" and table["Triplet-GMPNN"]["class searching"] == "58.61"
    scores = dict(zip(CLRS30, np.arange(30) / 30, strict=True))
    assert table["whole"]["mean of 30 tasks"] == f"{100 * np.mean(list(scores.values())):.2f}"
    graphs = [scores[name] for name in clrs30_tasks("graphs")]
    assert table["whole"]["class graphs"] == f"{100 * np.mean(graphs):.2f}"


def test_other_test_sizes_are_not_compared_with_published_numbers(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    result = json.loads((run / "result.json").read_text())
    result["scores"]["test"] = {"bfs": {"32": {"score": 0.5}}}
    write_json(run / "result.json", {key: value for key, value in result.items() if key != "sha256"})
    assert table_of(run) == {"run": {"bfs, n = 32": "50.00", "validation": "50.00", "seeds": "1"}}


# ---------------------------------------------------------------------------------------------------
# Sizes and configs


def evaluated(run, **cases):
    """Adds an evaluation with a score for each `nSIZE_FAMILY`."""
    summary = []
    for name, mean in cases.items():
        size, family = name[1:].split("_")
        statistics = {"count": 2, "mean": mean, "deviation": 0.01, "interval": 0.1}
        case = {"task": "bfs", "size": int(size), "family": family, "lengths": "true"}
        summary.append({**case, "metrics": {"score": statistics, "exact": statistics, "loops": statistics}})
    write_json(run / "evaluation.json", {"scores": {}, "measurements": [], "summary": summary})


def test_scores_by_size_prefer_the_evaluation_over_the_result(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.6})
    evaluated(run, n32_clrs30=0.7, n64_clrs30=0.5, n32_grid=0.8)
    panels = {panel.title: panel.lines[0].points for panel in size_curves(make_settings(read(run).runs))}
    assert panels == {
        "bfs": [(16, pytest.approx(60), None), (32, pytest.approx(70), 1.0), (64, pytest.approx(50), 1.0)],
        "bfs, grid": [(32, pytest.approx(80), 1.0)],
    }
    rows = size_table(make_settings(read(run).runs)).rows
    assert ["run", "bfs", "32", "70.00 ± 1.00", "70.00 ± 1.00", "0.7 ± 0.01", "2 seeds of problems"] in rows
    assert ["run", "bfs", "16", "60.00", "–", "–", "–"] in rows


def test_deviation_of_several_evaluated_runs_is_over_the_runs(tmp_path):
    runs = [make_run(tmp_path / f"s{k}", {"bfs": 0.6}, seed=k) for k in range(2)]
    for folder, value in zip(runs, (0.5, 0.7), strict=True):
        evaluated(folder, n32_clrs30=value)
    rows = size_table(make_settings(read(*runs).runs)).rows
    assert rows[1][2:] == ["32", "60.00 ± 14.14", "60.00 ± 14.14", "0.6 ± 0.14", "2 runs"]


def test_config_table_lists_differing_keys_except_seeds(tmp_path):
    one = make_run(tmp_path / "one", {"bfs": 0.6}, seed=0)
    other = make_run(
        tmp_path / "two",
        {"bfs": 0.6},
        seed=3,
        overrides={"model.hidden_size": 192, "training.schedule_options": {"decay_steps": 5}},
    )
    table = config_table(make_settings(read(one, other).runs))
    assert table.header == ["", "one", "two"]
    assert table.rows == [
        ["hidden_size", "128", "192"],
        ["schedule_options", "{}", "–"],
        ["decay_steps", "–", "5"],
    ]


# ---------------------------------------------------------------------------------------------------
# Reading


def make_sweep(folder):
    trials = [
        "processor=mpnn,seed=0",
        "processor=mpnn,seed=1",
        "processor=gat,seed=0",
        "processor=gat,seed=1",
    ]
    folder.mkdir()
    write_json(
        folder / "sweep.json", {"config": {}, "trials": [{"name": n, "overrides": {}} for n in trials]}
    )
    for k, name in enumerate(trials[:3]):
        overrides = {"model.processor": name[10:].split(",")[0]}
        make_run(folder / "trials" / name, {"bfs": 0.1 * (k + 1)}, seed=int(name[-1]), overrides=overrides)
    return folder


def test_sweep_is_read_as_its_trials_and_notes_those_not_started(tmp_path):
    sweep = make_sweep(tmp_path / "sweep")
    records = read(sweep, sweep / "trials" / "processor=mpnn,seed=0")
    assert [record.name for record in records.runs] == [
        "processor=mpnn,seed=0",
        "processor=mpnn,seed=1",
        "processor=gat,seed=0",
    ]
    assert table_of(sweep)["processor mpnn"]["bfs"] == "15.00 ± 7.07"
    assert "Not started: processor=gat,seed=1." in report_notes(records, make_settings(records.runs))


def test_sweep_without_started_trials_raises_value_error(tmp_path):
    sweep = make_sweep(tmp_path / "sweep")
    shutil.rmtree(sweep / "trials")
    with pytest.raises(ValueError, match=r"no trial has started yet: .*processor=gat,seed=1"):
        make_report(read(sweep))


def test_run_names_omit_common_parents(tmp_path):
    runs = [make_run(tmp_path / path, {"bfs": 0.5}) for path in ("x/a/run", "x/b/run")]
    assert [record.name for record in read(*runs).runs] == ["a/run", "b/run"]
    assert [record.name for record in read(runs[0]).runs] == ["run"]


def test_incomplete_last_metrics_line_is_ignored(tmp_path):
    run = make_run(tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "lo')
    assert [line["step"] for line in read(run).runs[0].metrics] == [10, 20]


def test_damaged_config_is_replaced_by_its_copy(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    (run / "config.json").write_text("{")
    records = read(run)
    [note] = report_notes(records, make_settings(records.runs))
    assert note == "With a damaged config.json, so its copy was read: run."


DAMAGE = {
    "config.json": lambda run: [
        (place / "config.json").write_text("{") for place in (run, run / "checkpoints")
    ],
    "result.json": lambda run: (run / "result.json").write_text('{"steps": 20}'),
    "evaluation.json": lambda run: (run / "evaluation.json").write_text('{"summary": [{"task": "bfs"}]}'),
    "evaluation.json ": lambda run: (run / "evaluation.json").write_text(
        '{"summary": [{"task": "bfs", "size": 4, "family": "", "lengths": "own", "metrics": {"score": 1}}]}'
    ),
    "versions.json": lambda run: (run / "versions.json").write_text("[]"),
    "metrics.jsonl": lambda run: (run / "metrics.jsonl").write_text('{"step": 1}\n{"st\n{"step": 3}\n'),
}


@pytest.mark.parametrize("file", DAMAGE)
def test_error_names_the_damaged_file(tmp_path, file):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    DAMAGE[file](run)
    with pytest.raises(ValueError, match=re.escape(str(run / file.strip()))):
        read(run)


def test_manually_edited_result_is_rejected(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    text = (run / "result.json").read_text()
    (run / "result.json").write_text(text.replace("0.5", "0.9"))
    with pytest.raises(ValueError, match=r"result.json is damaged"):
        read(run)


def test_all_problems_are_reported_at_once(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    damaged = make_run(tmp_path / "damaged", {"bfs": 0.5})
    (damaged / "result.json").write_text("{")
    with pytest.raises(ValueError, match="does not exist") as caught:
        read(tmp_path / "missing", tmp_path / "empty", tmp_path / "file", damaged, tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path / 'missing'} does not exist"
    assert lines[1].startswith(f"{tmp_path / 'empty'} is neither a run (no config.json) nor a sweep")
    assert lines[2] == f"{tmp_path / 'file'} is not a folder"
    assert lines[3].startswith(f"{tmp_path} is neither") and f"{tmp_path / 'damaged'}" in lines[3]
    assert lines[4].startswith(f"{damaged / 'result.json'} is damaged")


@pytest.mark.usefixtures("without_image_files")
def test_run_of_another_version_is_a_separate_setting_and_noted(tmp_path):
    new = make_run(tmp_path / "new", {"bfs": 0.5}, seed=0)
    old = make_run(tmp_path / "old", {"bfs": 0.7}, seed=1, versions={"nar": "0.0.9", "git": "fedcba987"})
    records = read(new, old)
    settings = make_settings(records.runs)
    assert [one.label for one in settings] == ["new", "old"]
    notes = report_notes(records, settings)
    assert notes[0] == f"From nar 0.0.9, not {__version__}, so in separate settings: old."
    assert run_table(settings).rows[1][7] == "0.0.9 (fedcba9)"


# ---------------------------------------------------------------------------------------------------
# Files


class Page(html.parser.HTMLParser):
    """Parser that collects tags, ids, links and labels, and asserts that tags are properly nested."""

    VOID = ("meta", "path", "use", "br", "rect")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.labels = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [
            values[key] for key in ("href", "src", "xlink:href", "srcset", "data") if key in values
        ]
        self.labels += [values.get("aria-label", "")] if values.get("role") == "img" else []
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    runs = [make_run(root / f"s{k}", {"bfs": 0.5 + k / 10, "dfs": 0.3}, seed=k) for k in range(2)]
    runs.append(
        make_run(root / "half", lines=1, overrides={"model.processor": "a & <b>_mpnn", "model.lstm": True})
    )
    records = read(*runs)
    return records, make_report(records)


def test_page_is_well_formed_and_self_contained(report):
    text = report[1]["report.html"].decode()
    page = Page(text)
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert "a &amp; &lt;b&gt;_mpnn" in text and "<b>_mpnn" not in text
    assert page.tags.count("figure") == len(page.labels) >= 4 and all(page.labels)


def test_inline_plots_use_the_color_variables_of_the_page(report):
    text = report[1]["report.html"].decode()
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}\b", drawn)
    assert {"var(--ink)", "var(--rule)", f"var(--{series_name(0)})"} <= set(
        re.findall(r"var\(--\w+\)", drawn)
    )


def series_name(number):
    return next(name for name, value in light().items() if value == series(number))


def test_series_has_eight_distinct_colors():
    assert len({series(number) for number in range(8)}) == 8 and series(8) == series(0)


@pytest.mark.slow
def test_report_has_png_and_svg_plots_and_is_deterministic(report):
    records, files = report
    names = {
        f"{name}.{form}"
        for name in ("learning_curves", "score_by_size", "test_scores")
        for form in ("png", "svg")
    }
    assert set(files) == {"report.html", "table.md", "table.tex", *names}
    for name in names:
        assert files[name].startswith(b"\x89PNG" if name.endswith("png") else b"<?xml"), name
    assert make_report(records) == files


def test_latex_rows_have_equal_length_and_text_is_escaped():
    notes = ['100 % of {all}: Veličković † ~ ^ \\ < > | " é']
    table = Table(["", "x_y", "z"], [["p&q", "1.00 ± 0.50†", "–"]], "A_b & c # $ 50 %", notes, "odd")
    text = table.as_latex()
    body = text.split(r"\toprule")[1].split(r"\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2]
    for command in ("table", "tabular"):
        assert text.count(rf"\begin{{{command}}}") == text.count(rf"\end{{{command}}}") == 1
    plain = re.sub(
        r"\\[&%$#_{}]|\$\\pm\$", "", escape_latex("".join([table.caption, *notes, "1 ± 2 x_y p&q"]))
    )
    assert not re.search(r"[&%$#_~^]", plain)


@pytest.mark.skipif(
    not (shutil.which("tectonic") or shutil.which("pdflatex")), reason="no LaTeX is installed"
)
def test_latex_compiles(report, tmp_path):
    odd = Table(["", "x"], [['~^\\{}<>|"†…×', "–"]], "A_b & c # $ 50 %", ["Veličković é"], "odd")
    text = "\n".join(
        [
            r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}",
            report[1]["table.tex"].decode(),
            odd.as_latex(),
            r"\end{document}",
        ]
    )
    (tmp_path / "a.tex").write_text(text)
    command = (
        ["tectonic"]
        if shutil.which("tectonic")
        else ["pdflatex", "-interaction=nonstopmode", "-halt-on-error"]
    )
    done = subprocess.run([*command, "a.tex"], cwd=tmp_path, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]


def test_markdown_table_format():
    text = Table(["", "a|b"], [["x", "1"], ["y", "2"]], "Caption.", ["Note."]).as_markdown()
    assert text == "Caption.\n\n|  | a\\|b |\n| --- | --- |\n| x | 1 |\n| y | 2 |\n\nNote.\n"


def test_report_command_writes_all_files_and_prints_the_table(tmp_path):
    runs = [make_run(tmp_path / "runs" / f"s{k}", {"bfs": 0.5}, seed=k) for k in range(2)]
    code, output, errors = run("report", *runs, f"--output={tmp_path / 'deep' / 'mine.html'}")
    assert code == 0, errors
    assert "50.00 ± 0.00" in output and f"Written: {tmp_path / 'deep' / 'mine.html'}" in output
    names = {path.name for path in (tmp_path / "deep").iterdir()}
    assert {"mine.html", "table.md", "table.tex", "learning_curves.png"} < names
    assert not [name for name in names if name.startswith(".")]
    code, _, errors = run("report", *runs, f"--output={tmp_path / 'deep' / 'mine.html'}")
    assert code == 0, errors  # its own files are replaced


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table.md", "report.html", "learning_curves.png"])
def test_files_of_others_are_kept(tmp_path, name):
    good = make_run(tmp_path / "good", {"bfs": 0.5})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    code, _, errors = run("report", good, f"--output={tmp_path / 'mine'}")
    assert code == 1 and "Traceback" not in errors
    assert f"{name} exists, and " in errors and "is not an earlier report: choose another --output" in errors
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]
    assert (tmp_path / "mine" / name).read_text() == "mine"


@pytest.mark.slow
def test_report_command_with_errors_writes_nothing(tmp_path):
    good = make_run(tmp_path / "good", {"bfs": 0.5})
    code, _, errors = run("report", good, tmp_path / "missing", f"--output={tmp_path / 'report'}")
    assert code == 1 and errors.strip() == f"error: {tmp_path / 'missing'} does not exist"
    assert not (tmp_path / "report").exists()
    (tmp_path / "file").touch()
    code, _, errors = run("report", good, f"--output={tmp_path / 'file'}")
    assert code == 1 and str(tmp_path / "file") in errors and "Traceback" not in errors
    code, _, errors = run("report")
    assert code == 1 and "name at least one directory" in errors


def test_missing_matplotlib_error_names_the_extra(tmp_path, monkeypatch):
    records = read(make_run(tmp_path / "run", {"bfs": 0.5}))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ValueError, match=re.escape("pip install 'nar-jax[plots]'")):
        make_report(records)


@pytest.mark.parametrize(
    ("file", "section", "missing"),
    [
        ("config.json", "model", "termination"),
        ("config.json", "training", "num_seeds"),
        ("result.json", None, "stopped_early"),
    ],
)
def test_keys_of_another_version_are_not_given_defaults(tmp_path, file, section, missing):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    for path in (run / file, run / "checkpoints" / file):
        if path.exists():
            content = json.loads(path.read_text())
            del content["sha256"]
            del (content[section] if section else content)[missing]
            write_json(path, content)
    with pytest.raises(ValueError, match=missing):
        read(run)


def test_evaluation_that_no_run_has_is_an_error(tmp_path):
    run = make_run(tmp_path / "run", {"bfs": 0.5})
    with pytest.raises(ValueError, match="none of the runs has an evaluation 'mine'"):
        read_records([run], "mine")


@pytest.mark.slow
def test_reports_do_not_import_jax():
    check = "import sys, nar.reports, nar.reports.run_report; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=ROOT, check=False).returncode == 0
