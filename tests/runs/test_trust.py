"""A run from elsewhere: nothing that its config names outside nar is imported without trust."""

import json
import shutil
import sys

import pytest
from commands import run as run_script
from quick_runs import config_of, quick_runs

import nar
from nar.atomic_io import read_json, write_json
from nar.runs.run import read_config
from nar.runs.trust import foreign_names
from nar.runs.warm_start import open_init_run
from nar.runs.workdir import Workdir
from nar.training import Checkpoints

EVIL = """
import pathlib
pathlib.Path("imported").write_text("")
def CODE(*arguments, **options):
    pathlib.Path("called").write_text("")
"""

PLACES = {
    "algorithms": lambda config, name: config.update(algorithms=["bfs", name]),
    "processor": lambda config, name: config["model"].update(processor=name),
    "aggregation": lambda config, name: config["model"].update(processor_options={"reduction": name}),
    "deep": lambda config, name: config["model"].update(processor_options={"a": [{"b": [name]}]}),
    "key": lambda config, name: config["model"].update(processor_options={name: 1}),
    "hint_feedback": lambda config, name: config["model"].update(hint_feedback=name),
    "optimizer": lambda config, name: config["training"].update(optimizer=name),
    "schedule": lambda config, name: config["training"].update(schedule=name),
    "objective": lambda config, name: config["training"].update(objective=name),
    "task_sampling": lambda config, name: config["training"].update(task_sampling=name),
    "metrics": lambda config, name: config["evaluation"].update(metrics=[name]),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run whose checkpoints say nothing of its config, so that it can be forged."""
    with quick_runs(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Workdir, "open_checkpoints", lambda self, **options: Checkpoints(self.checkpoints, **options)
        )
        yield nar.train(config_of(), tmp_path_factory.mktemp("runs") / "finished").workdir


@pytest.fixture
def foreign(finished, tmp_path, monkeypatch):
    """A function that makes a run folder whose config names code; a module lies in the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text(EVIL)

    def make(place, name="evil:CODE"):
        workdir = Workdir(tmp_path / "foreign")
        shutil.rmtree(workdir.path, ignore_errors=True)
        shutil.copytree(finished.path, workdir.path)
        config = read_json(finished.config)
        PLACES[place](config, name)
        for path in (workdir.config, workdir.checkpoints / "config.json"):
            write_json(path, config)
        return workdir

    yield make
    sys.modules.pop("evil", None)


def assert_nothing_imported(tmp_path):
    assert "evil" not in sys.modules
    assert not (tmp_path / "imported").exists() and not (tmp_path / "called").exists()


@pytest.mark.parametrize("place", PLACES)
def test_run_that_names_code_is_not_loaded_and_the_message_says_what(foreign, tmp_path, place):
    workdir = foreign(place)
    for load in (nar.load_run, read_config):
        with pytest.raises(ValueError, match=r"foreign/config.json names code outside nar") as caught:
            load(workdir.path)
        assert f"evil:CODE ({tmp_path}/evil.py)" in str(caught.value)
        assert "--trust (in Python: trust=True)" in str(caught.value)
    assert_nothing_imported(tmp_path)


def test_trusted_run_is_loaded(foreign, tmp_path):
    workdir = foreign("optimizer")
    assert read_config(workdir.path, trust=True).training.optimizer == "evil:CODE"
    with pytest.raises(ValueError, match="evil:CODE"):  # It is called, and returns no optimizer.
        nar.runs.build.build_run(read_config(workdir.path, trust=True))
    assert (tmp_path / "imported").exists()


ESCAPES = [
    "os:system",
    "nar.plugins:load_attribute",
    "nar.processors.registry:Registry",
    "nar.processors.registry:PROCESSORS",
    "nar.runs.train:train",
    "nar.runs.run:load_run",
    "nar:load_run",
    "nar.atomic_io:write_text",
    "nar.evaluation.suite_files:write_text",
    "nar.evaluation.suite_files:write_csv",
    "nar.evaluation.suite_files:dump",
    "nar.traces:save_traces",
    "nar.text.scoring:HuggingFaceModel",
    "nar_evil:CODE",
    "experiments.examples.pna:PNA",
]


@pytest.mark.parametrize("name", ESCAPES)
def test_functions_of_nar_that_write_or_import_are_no_components(foreign, name):
    with pytest.raises(ValueError, match="names code outside nar"):
        nar.load_run(foreign("schedule", name).path)


@pytest.mark.parametrize(
    "name", ["nar.processors.pgn:PGN", "nar.algorithms.graphs.bfs:BFS", "nar.losses:supervised"]
)
def test_components_of_nar_need_no_trust(foreign, name):
    read_config(foreign("processor", name).path)


def test_keys_that_loading_does_not_read_need_no_trust():
    config = config_of(
        trackers=("evil:CODE",), callbacks=("evil:CODE",), tracker_options={"a": {"uri": "localhost:PORT"}}
    )
    assert foreign_names(config) == {}


def test_every_name_is_listed(foreign):
    config = config_of()
    for place in PLACES:
        PLACES[place](config, f"evil:{place}")
    replaced = {"aggregation", "deep"}  # by the later options of the processor
    assert set(foreign_names(config)) == {f"evil:{place}" for place in PLACES.keys() - replaced}


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("predict", ['--input={"edges": [[0, 1]], "s": 0}']),
        ("evaluate", ["--sizes=4"]),
        ("show", []),
        ("evaluate_text", ["--output=answers"]),
    ],
)
def test_commands_refuse_and_import_nothing(foreign, tmp_path, script, arguments):
    workdir = foreign("hint_feedback")
    flag = "--model" if script == "evaluate_text" else "--workdir"
    code, _, errors = run_script(script, f"{flag}={workdir}", *arguments, cwd=tmp_path)
    assert code == 1 and "Traceback" not in errors
    assert "model.hint_feedback: evil:CODE" in errors and "--trust" in errors
    assert_nothing_imported(tmp_path)


def test_report_reads_and_imports_nothing(foreign, tmp_path):
    code, _, errors = run_script("report", str(foreign("processor").path), cwd=tmp_path)
    assert code == 0, errors
    assert_nothing_imported(tmp_path)


def test_warm_start_trusts_only_what_its_own_config_names(foreign, finished, tmp_path):
    source = foreign("hint_feedback")
    run = nar.Run(Workdir(tmp_path / "new"), nar.RunConfig.from_dict(config_of(init_from=str(source))))
    with pytest.raises(ValueError, match=r"training.init_from: .*names code outside nar"):
        open_init_run(run, run.components)
    assert_nothing_imported(tmp_path)
    config = config_of(init_from=str(source))
    config["model"]["hint_feedback"] = "evil:CODE"
    same = nar.Run(run.workdir, nar.RunConfig.from_dict(config))
    for trusting, trust in ((same, False), (run, True)):
        assert open_init_run(trusting, run.components, trust) is not None


def test_resuming_imports_what_the_given_config_names_and_not_the_folder(foreign, tmp_path):
    workdir = foreign("hint_feedback")
    with pytest.raises(ValueError, match=r"model.hint_feedback: 'evil:CODE' saved, 'soft' given"):
        nar.train(config_of(), workdir)
    assert_nothing_imported(tmp_path)


def test_message_survives_a_config_with_odd_names(foreign):
    config = read_json(foreign("processor").config)
    config["model"]["processor_options"] = {"x": "ä:b", "y": ":a", "z": "a:b:c", "w": "a b:c", "v": "🙂:c"}
    assert "ä:b" in foreign_names(config) and len(foreign_names(config)) == 2
    assert json.dumps(foreign_names(config))
