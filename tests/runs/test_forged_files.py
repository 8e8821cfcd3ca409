"""Files of a run with valid JSON of wrong content and no checksum: an error in words, or the right answer."""

import collections
import json
import shutil

import numpy as np
import pytest
from examples import NUM_EXAMPLES
from forged import forged_text
from quick_runs import config_of, quick_runs

import nar
from nar.atomic_io import read_json
from nar.metrics_file import read_metrics
from nar.reports import draw_curves, result_summary
from nar.reports.run_report import make_report, make_settings, read_records, report_notes
from nar.reports.run_report import report as report_module
from nar.reports.run_report.panels import learning_curves, published_bars, size_curves
from nar.reports.run_report.tables import config_table, run_table, score_table, size_table
from nar.runs import files
from nar.runs.run import read_config
from nar.runs.warm_start import _loaded
from nar.runs.workdir import Workdir
from nar.training.loop.metrics import truncate_lines

CASES = NUM_EXAMPLES
"""Forged contents of each file."""

STATISTICS = {"count": 3, "mean": 0.5, "deviation": 0.1, "interval": 0.2}
EVALUATION = {
    "scores": {"bfs": {"16": {"pi": 1.0, "score": 1.0}}},
    "seeds": [3, 4, 5],
    "protocol": {"name": "custom", "tasks": {"bfs": {"problem": {"p": [0.5]}, "count": 0}}},
    "summary": [
        {
            "task": "bfs",
            "size": size,
            "family": family,
            "lengths": "true",
            "metrics": {"score": STATISTICS, "steps": STATISTICS, "exact": {**STATISTICS, "interval": None}},
        }
        for size, family in ((16, "clrs30"), (64, "grid"))
    ],
}
START = {
    "run": "runs/other",
    "step": 12,
    "loaded_parameters_sha256": "ab",
    "loaded": ["processor/mpnn/own/w"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run with an evaluation, a warm start, and scores of two seeds in its result."""
    with quick_runs():
        workdir = nar.train(config_of(), tmp_path_factory.mktemp("runs") / "finished").workdir
    (workdir.path / "evaluation.json").write_text(json.dumps(EVALUATION))
    workdir.start.write_text(json.dumps(START))
    result = read_json(workdir.result)
    one = {key: result[key] for key in ("scores", "averages")}
    seeds = [{"seed": seed, "best_step": 4, **one} for seed in (0, 1)]
    result |= {"seeds": seeds, "deviations": one, "best_step": [4, 8], "metrics": ["exact"]}
    workdir.result.write_text(json.dumps(result))
    return workdir


def read_for_training(workdir):
    """Reads a folder as `nar.train` does before its first step, and that of a finished run."""
    for attempt in (
        lambda: workdir.check(config_of()),
        lambda: read_config(workdir.path),
        lambda: workdir.is_finished(12) and result_summary(files.read_result(workdir.result)),
        lambda: _loaded(nar.Run(workdir, nar.RunConfig())),
        lambda: truncate_lines(workdir.metrics, 8),
        lambda: read_metrics(workdir.metrics),
    ):
        attempt_in_words(attempt)


def report(*folders):
    """Everything of a report but its plots."""
    records = read_records(list(folders))
    settings = make_settings(records.runs)
    for table in (score_table, size_table, run_table, config_table):
        made = table(settings)
        assert made.as_text() and made.as_markdown() and made.as_latex() and made.as_html()
    for panels in (learning_curves, size_curves, published_bars):
        panels(settings)
    return report_notes(records, settings)


def attempt_in_words(attempt, *arguments, **options):
    """Calls a function that may raise ValueError; returns its message, which is not endless."""
    message = None
    try:
        attempt(*arguments, **options)
    except ValueError as error:
        message = str(error)
    assert message is None or len(message) < 20_000
    return message


@pytest.mark.examples
@pytest.mark.parametrize(
    "name", ["config.json", "result.json", "start.json", "versions.json", "evaluation.json", "metrics.jsonl"]
)
def test_forged_files_are_read_or_refused_in_words(finished, tmp_path, name, caplog):
    random = np.random.default_rng([23, sum(name.encode())])
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    other = shutil.copytree(finished.path, tmp_path / "other")
    path = workdir.path / name
    text = path.read_bytes()
    content = read_metrics(path) if name == "metrics.jsonl" else read_json(path)
    outcomes = collections.Counter()
    for number in range(CASES):
        if name == "metrics.jsonl":
            line = forged_text(random, content[0], parts=2)
            path.write_bytes(text + line + b"\n" * int(random.integers(2)))
        else:
            path.write_bytes(forged_text(random, content, parts=1 + number % 2))
        if name == "config.json":
            shutil.copy(path, workdir.checkpoints / name)
        message = attempt_in_words(report, workdir.path, other)
        assert message is None or str(workdir.path) in message, message
        read_for_training(workdir)
        if name == "start.json":  # Reports do not read it.
            message = attempt_in_words(files.read_start, path)
        outcomes[message is None] += 1
    assert outcomes[True] and outcomes[False], outcomes


@pytest.mark.parametrize("label", ["64", "4,5,6", "64, grid", "64, module:family"])
def test_results_of_any_problem_set_are_read(finished, tmp_path, label):
    content = read_json(finished.result)
    path = tmp_path / "result.json"
    text = json.dumps(content).replace('"16"', f'"{label}"')
    path.write_text(text)
    assert files.read_result(path) == json.loads(text) != content
    assert label in result_summary(files.read_result(path))


@pytest.mark.examples
def test_forged_sweeps_are_read_or_refused_in_words(finished, tmp_path):
    random = np.random.default_rng(23)
    shutil.copytree(finished.path, tmp_path / "trials" / "one")
    outside = shutil.copytree(finished.path, tmp_path.parent / f"{tmp_path.name}-outside")
    sweep = {"config": config_of(), "trials": [{"name": "one", "overrides": {"training.seed": 1}}]}
    names = [
        "../../x",
        "/etc",
        f"../../{outside.name}",
        str(outside),
        "",
        ".",
        "..",
        "a\0b",
        1,
        None,
        ["one"],
        "x" * 256,
    ]
    for name in names:
        (tmp_path / "sweep.json").write_text(json.dumps({"trials": [{"name": name}]}))
        with pytest.raises(ValueError, match="no list of trials with names"):
            read_records([tmp_path])
    for _ in range(CASES):
        (tmp_path / "sweep.json").write_bytes(forged_text(random, sweep))
        attempt_in_words(read_records, [tmp_path])


@pytest.mark.slow
def test_whole_trainings_and_reports_of_forged_files(finished, tmp_path, monkeypatch):
    """Some of the same cases, through the functions that a user calls."""
    monkeypatch.setattr(report_module, "as_image", lambda figure, form: b"")
    random = np.random.default_rng(1)
    with quick_runs():
        for number in range(8):
            workdir = Workdir(shutil.copytree(finished.path, tmp_path / str(number)))
            path = (workdir.result, workdir.metrics, workdir.start, workdir.config)[number % 4]
            content = read_metrics(path)[0] if path == workdir.metrics else read_json(path)
            path.write_bytes(forged_text(random, content, parts=3) + b"\n")
            attempt_in_words(whole_report, workdir.path)
            attempt_in_words(nar.train, config_of(), workdir, draw_curves=draw_curves)


def whole_report(folder):
    return make_report(read_records([folder]))
