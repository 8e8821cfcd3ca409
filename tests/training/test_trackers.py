"""Trackers: what they receive, resumption of their runs, and fault tolerance."""

import importlib.util
import json
import math
import os
import pathlib
import signal
import struct
import subprocess
import sys
import types
from typing import ClassVar

import pytest
from commands import ROOT, run
from quick_runs import config_of, quick_runs
from running_script import RunningScript

import nar
from nar.atomic_io import read_json
from nar.runs.workdir import Workdir
from nar.training.trackers import Session, check_trackers, open_trackers

CONFIG = {"algorithms": ["bfs"], "training": {"steps": 4, "learning_rate": 0.5}, "data": {}}
VERSIONS = {"nar": "1.2.3", "jax": "4.5.6"}
RESULT = {"steps": 4, "scores": {"test": {"bfs": {"64": {"score": 0.5}}}}, "best_step": 2, "name": "x"}


def opened(workdir, name, start=0, **options):
    workdir.mkdir(exist_ok=True)
    (tracker,) = open_trackers(name, {name: options} if options else {}, workdir, start, CONFIG, VERSIONS)
    return tracker


def files_of(workdir):
    path = workdir / "result.json"
    path.write_text("{}")
    return [path]


# ---------------------------------------------------------------------------------------------------
# Checks of the config


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("tensorbord", {}, "unknown tracker 'tensorbord'; known: tensorboard, wandb, mlflow, or module:ATTR"),
        (("tensorboard", 3), {}, "unknown tracker 3; known: tensorboard"),
        (("tensorboard", "tensorboard"), {}, "must name each tracker once"),
        ("no_such_module:Tracker", {}, "tracker 'no_such_module:Tracker' cannot be imported"),
        ("nar.training.loop.timing:Clok", {}, "has no tracker 'Clok'; it has: .*Clock"),
        (
            "tensorboard",
            {"wandb": {}},
            "'wandb' is not a tracker of this run that takes options; those that do: none",
        ),
        ("tensorboard", {"tensorboard": {}}, "'tensorboard' is not a tracker of this run that takes options"),
        ("nar.training.loop.timing:Clock", {"Clock": 3}, r"tracker_options\.Clock must be a dict, got 3"),
    ],
)
def test_invalid_trackers_are_errors(names, options, message):
    with pytest.raises(ValueError, match=message):
        check_trackers(names, options)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_missing_package_error_names_the_extra(name, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, name, None)  # makes the import fail
    with pytest.raises(ValueError, match=f"tracker '{name}' needs the extra `{name}`: pip install"):
        check_trackers(("tensorboard", name), {})
    # A folder of that name, such as wandb makes for its runs, imports as a namespace package.
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    with pytest.raises(ValueError, match=f"needs the extra `{name}`"):
        open_trackers(name, {}, tmp_path, 0, CONFIG, VERSIONS)


def test_no_trackers_is_valid():
    check_trackers((), {})
    assert open_trackers((), {}, pathlib.Path("nowhere"), 0, CONFIG, VERSIONS) == []


# ---------------------------------------------------------------------------------------------------
# Fault tolerance


class Failing:
    """A tracker that records calls, and fails in the call that its options name."""

    made: ClassVar[list["Failing"]] = []

    def __init__(self, session):
        self.session, self.calls = session, []
        self.made.append(self)
        self._fail("open")

    def _fail(self, call):
        self.calls.append(call)
        if call == self.session.options.get("at"):
            raise self.session.options["error"]("the network\n is down")

    def add(self, step, values, seconds):
        self._fail("add")

    def finish(self, result, files):
        self._fail("finish")

    def close(self):
        self._fail("close")


@pytest.fixture
def failing(monkeypatch):
    module = types.ModuleType("failing_trackers")
    module.Failing = Failing
    monkeypatch.setitem(sys.modules, "failing_trackers", module)
    monkeypatch.setattr(Failing, "made", [])
    return "failing_trackers:Failing"


@pytest.mark.parametrize("at", ["open", "add", "finish", "close"])
@pytest.mark.parametrize("error", [ConnectionError, RuntimeError])
def test_failing_tracker_is_disabled_with_one_warning(failing, tmp_path, caplog, at, error):
    options = {"Failing": {"at": at, "error": error}}
    check_trackers((failing, "tensorboard"), options)
    trackers = open_trackers((failing, "tensorboard"), options, tmp_path, 3, CONFIG, VERSIONS)
    for tracker in trackers:
        tracker.add(4, {"loss": 0.5}, 100.0)
        tracker.add(5, {"loss": 0.5}, 100.0)
        tracker.finish(RESULT, [])
        tracker.close()
    (record,) = caplog.records
    assert record.getMessage() == (
        f"tracker '{failing}' failed, and training continues without it: "
        f"{error.__name__}: the network is down"
    )
    calls = ["open", "add", "add", "finish", "close"]
    until_failure = calls[: calls.index(at) + 1]
    assert Failing.made[0].calls == (until_failure if at == "open" else [*until_failure, "close"])
    assert Failing.made[0].session == Session(tmp_path, 3, CONFIG, VERSIONS, options["Failing"])
    assert list((tmp_path / "tensorboard").iterdir())


@pytest.mark.parametrize("error", [TypeError, ValueError])
def test_user_errors_are_raised(failing, tmp_path, error):
    options = {"Failing": {"at": "open", "error": error}}
    with pytest.raises(ValueError, match="cannot be opened: the network"):
        open_trackers((failing, "tensorboard"), options, tmp_path, 0, CONFIG, VERSIONS)


def test_methods_of_custom_trackers_are_checked(failing, tmp_path, monkeypatch):
    monkeypatch.delattr(Failing, "finish")
    with pytest.raises(
        ValueError, match="Failing' cannot be opened: a tracker must have .* no method finish"
    ):
        open_trackers((failing,), {}, tmp_path, 0, CONFIG, VERSIONS)


def test_tensorboard_raises_write_errors(tmp_path):
    (tmp_path / "tensorboard").write_text("no folder")
    with pytest.raises(OSError, match="tensorboard"):
        opened(tmp_path, "tensorboard")


USES_TENSORBOARD = """
import pathlib, sys
import nar.runs.train
from nar.training.trackers import open_trackers
assert "tensorboardX" not in sys.modules
(tracker,) = open_trackers("tensorboard", {}, pathlib.Path(sys.argv[1]), 0, {}, {})
tracker.add(1, {"loss": 0.5}, 100.0)
tracker.close()
assert "tensorboardX" in sys.modules
print("the run")
import torch
"""


@pytest.mark.slow
def test_tensorboard_is_imported_when_used_and_does_not_import_torch(tmp_path):
    for name in ("torch", "tensorflow"):
        (tmp_path / f"{name}.py").write_text(f"print('{name}')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    arguments = [sys.executable, "-c", USES_TENSORBOARD, str(tmp_path)]
    process = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    # torch can be imported later, and is not imported before.
    assert process.stdout.split("\n") == ["the run", "torch", ""], process.stderr


# ---------------------------------------------------------------------------------------------------
# Weights & Biases and MLflow, with fakes of their packages


class FakeWandb(types.ModuleType):
    """A fake of wandb with a fake server: runs by id, with the logged steps."""

    def __init__(self):
        super().__init__("wandb")
        self.runs, self.inits = {}, []
        self.errors = types.SimpleNamespace(UsageError=type("UsageError", (Exception,), {}))

    def init(self, *, settings, **arguments):
        if arguments.get("mode") == "nobody":
            raise self.errors.UsageError("not logged in")
        self.inits.append({**arguments, "settings": settings})
        run = self.runs.setdefault(
            arguments["id"], types.SimpleNamespace(step=0, history=[], files=[], summary={})
        )
        run.id, run.log_artifact = arguments["id"], lambda artifact: run.files.extend(artifact.files)

        def log(values, step):
            run.history.append((step, values))
            run.step = step + 1

        def finish(exit_code):
            run.code = exit_code

        run.log, run.finish = log, finish
        return run

    class Artifact:
        """A list of file names."""

        def __init__(self, name, type):
            self.files = []

        def add_file(self, path):
            self.files.append(pathlib.Path(path).name)


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_run_is_resumed(wandb, tmp_path):
    workdir = tmp_path / "here"
    first = opened(workdir, "wandb", project="mine", settings={"silent": True})
    first.add(2, {"loss": 1.0}, 100.0)
    first.add(3, {"loss": 0.9}, 101.0)  # after the checkpoint of step 2
    first.close()
    (run,) = wandb.runs.values()
    assert run.code == 255
    second = opened(workdir, "wandb", start=2)
    second.add(3, {"loss": 0.9}, 102.0)
    second.add(4, {"loss": 0.8}, 103.0)
    second.finish(RESULT, files_of(workdir))
    second.close()
    (run,) = wandb.runs.values()
    assert [(step, values["loss"]) for step, values in run.history] == [(2, 1.0), (3, 0.9), (4, 0.8)]
    assert run.summary["result/scores/test/bfs/64/score"] == 0.5
    assert (run.files, run.code) == (["result.json"], 0)
    init, resumption = wandb.inits
    assert init["id"] == resumption["id"] == read_json(workdir / "trackers" / "wandb.json")["id"]
    assert (init["project"], resumption["project"], init["name"]) == ("mine", "nar", "here")
    assert init["config"] == {**CONFIG, "versions": VERSIONS}
    assert init["settings"]["silent"] and init["settings"]["console"] == "off"
    opened(tmp_path / "there", "wandb")
    assert len(wandb.runs) == 2


def test_wandb_without_login_is_an_error(wandb, tmp_path):
    with pytest.raises(ValueError, match="tracker 'wandb' cannot be opened: not logged in"):
        opened(tmp_path, "wandb", mode="nobody")


def test_damaged_id_file_starts_a_new_run_with_a_warning(wandb, tmp_path, caplog):
    opened(tmp_path, "wandb").close()
    path = tmp_path / "trackers" / "wandb.json"
    path.write_text(path.read_text()[:-8])
    opened(tmp_path, "wandb").close()
    assert len(wandb.runs) == 2
    assert "wandb.json is damaged" in caplog.text and "a new wandb run is started" in caplog.text
    assert read_json(path)["id"] == wandb.inits[1]["id"]


class FakeMLflow(types.ModuleType):
    """A fake of mlflow with a store of runs; as in MLflow, parameters are immutable."""

    def __init__(self):
        super().__init__("mlflow")

        class MlflowException(Exception):
            def __init__(self, message, error_code="INTERNAL_ERROR"):
                super().__init__(message)
                self.error_code = error_code

        self.exceptions = types.SimpleNamespace(MlflowException=MlflowException)
        self.entities = types.SimpleNamespace(
            Param=lambda key, value: (key, value),
            Metric=lambda key, value, timestamp, step: types.SimpleNamespace(
                key=key, value=value, timestamp=timestamp, step=step
            ),
        )
        self.runs, self.experiments = {}, {}

    def MlflowClient(self, uri):
        if uri == "nonsense://":
            raise self.exceptions.MlflowException("unsupported", "INVALID_PARAMETER_VALUE")
        if uri == "http://down":
            raise self.exceptions.MlflowException("unreachable")
        return self

    def get_experiment_by_name(self, name):
        number = self.experiments.get(name)
        return number and types.SimpleNamespace(experiment_id=number)

    def create_experiment(self, name):
        return self.experiments.setdefault(name, f"e{len(self.experiments)}")

    def create_run(self, experiment, run_name, tags):
        number = f"r{len(self.runs)}"
        self.runs[number] = types.SimpleNamespace(
            experiment=experiment, name=run_name, tags=tags, params={}, metrics=[], files=[], status="RUNNING"
        )
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=number))

    def get_run(self, run):
        return types.SimpleNamespace(data=types.SimpleNamespace(params=self.runs[run].params))

    def update_run(self, run, status):
        self.runs[run].status = status

    set_terminated = update_run

    def log_batch(self, run, metrics=(), params=()):
        assert len(params) <= 100
        for key, value in params:
            assert self.runs[run].params.setdefault(key, value) == value
        self.runs[run].metrics.extend(metrics)

    def get_metric_history(self, run, key):
        return [metric for metric in self.runs[run].metrics if metric.key == key]

    def set_tag(self, run, key, value):
        self.runs[run].tags[key] = value

    def log_dict(self, run, content, name):
        json.dumps(content)
        self.runs[run].files.append(name)

    def log_artifact(self, run, path):
        self.runs[run].files.append(pathlib.Path(path).name)


@pytest.fixture
def mlflow(monkeypatch):
    fake = FakeMLflow()
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    return fake


def test_mlflow_run_is_resumed(mlflow, tmp_path, monkeypatch):
    workdir = tmp_path / "here"
    first = opened(workdir, "mlflow", experiment="mine", tags={"a": "b"})
    for step in (2, 3):
        first.add(step, {"loss": 1 / step, "steps_per_second": 7.0}, 100.0)
    first.close()
    (run,) = mlflow.runs.values()
    assert (run.status, run.name, run.params["training.learning_rate"]) == ("KILLED", "here", "0.5")
    # The number of steps may have grown; parameters that MLflow already has are not logged again.
    monkeypatch.setitem(CONFIG["training"], "steps", 5)
    second = opened(workdir, "mlflow", start=2)
    assert run.status == "RUNNING"
    for step in (3, 4):
        second.add(step, {"loss": 1 / step, "steps_per_second": 7.0}, 100.5)
    second.finish(RESULT, files_of(workdir))
    second.close()
    (run,) = mlflow.runs.values()
    losses = [(metric.step, metric.value, metric.timestamp) for metric in run.metrics if metric.key == "loss"]
    assert losses == [(2, 1 / 2, 100_000), (3, 1 / 3, 100_000), (4, 1 / 4, 100_500)]
    results = {metric.key: metric.value for metric in run.metrics if metric.key.startswith("result/")}
    assert results == {"result/scores/test/bfs/64/score": 0.5, "result/best_step": 2.0, "result/steps": 4.0}
    assert run.status == "FINISHED"
    assert run.tags == {"a": "b", "version.nar": "1.2.3", "version.jax": "4.5.6"}
    assert run.files == ["config.json", "config.json", "result.json"]
    assert mlflow.experiments == {"mine": run.experiment}


def test_steps_repeated_after_a_kill_are_logged_once(mlflow, tmp_path):
    for last in (3, 5):
        tracker = opened(tmp_path, "mlflow")
        for step in range(1, last + 1):
            tracker.add(step, {"loss": 1.0, "steps_per_second": 7.0}, 100.0)
    (run,) = mlflow.runs.values()
    assert [metric.step for metric in run.metrics if metric.key == "loss"] == [1, 2, 3, 4, 5]


def test_unreachable_mlflow_is_a_warning_and_an_invalid_uri_an_error(mlflow, tmp_path, caplog):
    tracker = opened(tmp_path, "mlflow", tracking_uri="http://down")
    tracker.add(1, {"loss": 1.0}, 100.0)
    assert "MlflowException: unreachable" in caplog.text
    assert not mlflow.runs
    # The next session, in which it is reachable, creates the run.
    opened(tmp_path, "mlflow").close()
    assert list(mlflow.runs) == ["r0"]
    for wrong in ({"tracking_uri": "nonsense://"}, {"tracking_url": "http://up"}):
        with pytest.raises(
            ValueError, match="tracker 'mlflow' cannot be opened: .*(unsupported|tracking_url)"
        ):
            opened(tmp_path, "mlflow", **wrong)


# ---------------------------------------------------------------------------------------------------
# Whole runs

CUSTOM = '''
import json, pathlib

class Custom:
    """Writes all calls to a file, and fails after step 12 in the first session."""

    def __init__(self, session):
        self._path = session.workdir / "calls.jsonl"
        self._is_first = session.start == 0
        self._write("open", session.start, session.config["model"]["hidden_size"], sorted(session.versions))

    def _write(self, *call):
        with self._path.open("a") as file:
            file.write(json.dumps(call) + "\\n")

    def add(self, step, values, seconds):
        if self._is_first and step > 12:
            raise ConnectionError("the network is down")
        self._write("add", step, values)

    def finish(self, result, files):
        self._write("finish", result["steps"], [path.name for path in files])

    def close(self):
        self._write("close")
'''


@pytest.mark.slow
def test_custom_tracker_receives_a_run_and_may_fail(tmp_path, monkeypatch, caplog):
    (tmp_path / "custom_tracker.py").write_text(CUSTOM)
    monkeypatch.syspath_prepend(tmp_path)
    workdir = tmp_path / "run"
    options = {"trackers": ("custom_tracker:Custom",), "log_every": 4, "eval_every": 8}
    with quick_runs():
        for steps in (16, 24):
            caplog.clear()
            nar.train(config_of(steps=steps, **options), Workdir(workdir))
            failures = caplog.text.count("training continues without it: ConnectionError")
            assert failures == (steps == 16), caplog.text
    calls = [json.loads(line) for line in (workdir / "calls.jsonl").read_text().splitlines()]
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    logged = [{"step": call[1], **call[2]} for call in calls if call[0] == "add"]
    assert logged == [line for line in lines if line["step"] != 16]
    assert [call[0] for call in calls] == [
        "open",
        *["add"] * 3,
        "close",
        "open",
        *["add"] * 2,
        "finish",
        "close",
    ]
    assert calls[0][:3] == ["open", 0, 4] and "nar" in calls[0][3]
    assert calls[5][1] == 16
    files = ["config.json", "versions.json", "metrics.jsonl", "result.json"]
    assert [name for name in files if (workdir / name).exists()] == calls[-2][2]
    assert not (workdir / "tensorboard").exists()


SHORT = (
    "--config=configs/tiny.py",
    "--config.model.hidden_size=4",
    "--config.training.log_every=4",
    "--config.training.eval_every=8",
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the packages
@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_real_packages_offline(tmp_path, name):
    """A run is interrupted and resumed; the tracker has one run, with every step once and all files."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    workdir, store = tmp_path / "run", f"sqlite:///{tmp_path}/mlflow.db"
    options = {"wandb": {"mode": "offline"}, "mlflow": {"tracking_uri": store}}
    arguments = (
        f"--config.training.trackers={name}",
        f"--config.training.tracker_options={ {name: options[name]} }",
        "--config.training.steps=600",
    )
    metrics = workdir / "metrics.jsonl"
    script = RunningScript("train", *SHORT, f"--workdir={workdir}", *arguments)
    script.wait_for(lambda: metrics.exists() and len(metrics.read_text()) > 9000)
    script.signal(signal.SIGTERM)
    code, _, errors = script.end()
    assert code == 1, errors
    run_id = read_json(workdir / "trackers" / f"{name}.json")["id"]
    code, _, errors = run("train", *SHORT, f"--workdir={workdir}", *arguments)
    assert code == 0, errors
    assert "training continues without it" not in errors
    assert read_json(workdir / "trackers" / f"{name}.json")["id"] == run_id
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    CHECKS[name](workdir, run_id, lines, store)


def records_of(path):
    """Records of a wandb file: blocks of 32 KiB, with pieces after 7 bytes of checksum, length and type."""
    content, position, record = path.read_bytes(), 7, b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        length, kind = struct.unpack("<HB", content[position + 4 : position + 7])
        record += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield record
            record = b""


def check_wandb(workdir, run_id, lines, store):
    from wandb.proto.wandb_internal_pb2 import Record

    steps, files, config = [], set(), set()
    folders = sorted((workdir / "wandb").glob(f"offline-run-*-{run_id}*"))
    assert len(folders) == 2
    for folder in folders:
        (path,) = folder.glob("*.wandb")
        for content in records_of(path):
            record = Record()
            record.ParseFromString(content)
            if record.run.run_id:
                assert record.run.run_id == run_id
                config |= {item.key for item in record.run.config.update}
            if record.HasField("history"):
                steps.append(record.history.step.num)
            files |= {entry.path for entry in record.artifact.manifest.contents}
            files |= {entry.path for entry in record.request.log_artifact.artifact.manifest.contents}
    assert steps == [line["step"] for line in lines]
    assert {"training", "versions"} <= config
    assert {"result.json", "metrics.jsonl"} <= files


def check_mlflow(workdir, run_id, lines, store):
    import mlflow

    client = mlflow.MlflowClient(store)
    (experiment,) = [one for one in client.search_experiments() if one.name == "nar"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert run.data.params["training.steps"] == "600"
    assert run.data.tags["version.nar"]
    losses = [(metric.step, metric.value) for metric in client.get_metric_history(run_id, "loss")]
    assert losses == [(line["step"], pytest.approx(line["loss"])) for line in lines]
    result = json.loads((workdir / "result.json").read_text())
    score = result["scores"]["test"]["bfs"]["64"]["score"]
    assert math.isclose(run.data.metrics["result/scores/test/bfs/64/score"], score)
    files = {one.path for one in client.list_artifacts(run_id)}
    assert {"config.json", "result.json", "metrics.jsonl", "versions.json"} <= files


CHECKS = {"wandb": check_wandb, "mlflow": check_mlflow}


def test_unknown_tracker_ends_the_command_before_any_work(tmp_path):
    flag = "--config.training.trackers=tensorbord"
    code, _, errors = run("train", *SHORT, f"--workdir={tmp_path / 'run'}", flag)
    assert code == 1
    assert "unknown tracker 'tensorbord'; known: tensorboard, wandb, mlflow" in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "run").exists()
