"""Scores by another protocol than CLRS-30's: not compared with publications, and on curves of their own."""

import dataclasses
import pathlib

import pytest

import nar
from nar.reports.run_report import report_notes
from nar.reports.run_report.quantities import test_scores as quantities_of
from nar.reports.run_report.records import Record, Records
from nar.reports.run_report.settings import Setting
from nar.reports.run_report.sizes import scores_by_size
from nar.runs.config import RunConfig

SCORES = {"validation": {"bfs": {"16": {"score": 0.5}}}, "test": {"bfs": {"64": {"score": 0.25}}}}


def setting(evaluation, scores=SCORES):
    config = RunConfig.from_dict({"evaluation": evaluation}).to_dict()
    result = {"steps": config["training"]["steps"], "stopped_early": False, "scores": scores}
    record = Record("one", pathlib.Path("one"), config, {}, [], result, None)
    return Setting("one", (record,))


@pytest.mark.parametrize(
    ("evaluation", "level"),
    [({}, "algorithm"), ({"test": {"problem": {"p": 0.9}}}, "other"), ({"selection": "exact"}, "other")],
)
def test_only_the_protocol_of_clrs30_is_compared_with_publications(evaluation, level):
    ((quantity, _),) = quantities_of(setting(evaluation)).items()
    assert quantity.level == level and bool(quantity.published()) == (level == "algorithm")


def test_notes_say_where_checkpoints_were_selected():
    for evaluation, notes in (
        ({}, []),
        ({"selection_sizes": (32,)}, ["Selected at n = 32, not on the validation split: one."]),
    ):
        one = setting(evaluation)
        record = dataclasses.replace(one.records[0], versions={"nar": nar.__version__})
        assert report_notes(Records([record], []), [one]) == notes


def test_curves_are_by_family_and_options():
    scores = {**SCORES, "test": {"bfs": {"64": {"score": 0.25}, "64, grid": {"score": 0.75}}}}
    points = scores_by_size(setting({"test": {"problem": {"p": 0.9}}}, scores))
    assert {(point.panel, point.size): one.score.mean for point, one in points.items()} == {
        ("bfs", 16): 0.5,
        ("bfs, p = 0.9", 64): 0.25,
        ("bfs, grid, p = 0.9", 64): 0.75,
    }


def test_titles_name_only_the_options_of_the_algorithm_and_family():
    problem = {"p": 0.9, "k": 4, "low": 0.5}
    scores = {
        **SCORES,
        "test": {
            "bfs": {"64": {"score": 0.25}, "64, watts_strogatz": {"score": 0.5}},
            "minimum": {"64": {"score": 1}},
        },
    }
    panels = {point.panel for point in scores_by_size(setting({"test": {"problem": problem}}, scores))}
    assert panels == {"bfs", "bfs, p = 0.9", "bfs, watts_strogatz, p = 0.9, k = 4", "minimum, low = 0.5"}


def test_titles_of_an_evaluation_have_the_options_of_its_task():
    statistics = {"count": 1, "mean": 0.5, "deviation": None, "interval": None}
    case = {"size": 64, "family": "clrs30", "lengths": "true", "metrics": {"score": statistics}}
    evaluation = {
        "protocol": {"name": "custom", "tasks": {"bfs": {"problem": {"p": 0.3}, "count": 0}}},
        "summary": [{**case, "task": "bfs"}, {**case, "task": "minimum"}],
    }
    plain = setting({})
    (record,) = plain.records
    one = dataclasses.replace(plain, records=(dataclasses.replace(record, evaluation=evaluation),))
    assert {point.panel for point in scores_by_size(one)} == {"bfs", "bfs, p = 0.3", "minimum"}
