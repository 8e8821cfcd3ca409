"""A run as an object: `nar.train`, `nar.load_run`, its scores, predictions and errors."""

import signal
import threading

import numpy as np
import pytest
from quick_runs import EVERY, STEPS, config_of, metrics_of, outcome, quick_runs

import nar
from nar.atomic_io import read_json
from nar.runs import train as train_module
from nar.runs.run import read_config
from nar.runs.train import Interrupted
from nar.runs.workdir import Workdir
from nar.training.state import digest

CONFIG = nar.RunConfig.from_dict(config_of())


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return nar.train(CONFIG, tmp_path_factory.mktemp("runs") / "finished")


def test_train_returns_the_run(finished):
    assert finished.config == CONFIG == read_config(finished.workdir)
    assert finished.result == read_json(finished.workdir.result)
    assert finished.result["steps"] == STEPS and finished.result["best_step"] == finished.step
    assert finished.evaluate() == {
        split: {"bfs": {16: scores["bfs"]["16"]}} for split, scores in finished.result["scores"].items()
    }


def test_finished_run_is_returned_at_once(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished.workdir.path.rglob("*")}
    again = nar.train(CONFIG.to_dict(), str(finished.workdir.path))
    assert again.result == finished.result
    assert "This run is finished" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in finished.workdir.path.rglob("*")} == before


def test_keys_that_a_mapping_lacks_have_their_defaults(tmp_path, finished):
    with pytest.raises(ValueError, match=r"training\.steps: 12 saved, 10000 given"):
        nar.train({"model": config_of()["model"]}, finished.workdir)


def test_load_run(finished):
    run = nar.load_run(finished.workdir)
    assert run.config == CONFIG and run.step == finished.step and run.result == finished.result
    assert digest(run.params) == digest(finished.params)
    assert nar.load_run(finished.workdir, "last").step == STEPS


def test_invalid_arguments_are_errors(finished, tmp_path):
    with pytest.raises(ValueError, match="unknown checkpoint 'first'; known: best, last"):
        nar.load_run(finished.workdir, "first")
    with pytest.raises(ValueError, match="seed_index must lie between 0 and 0 for .*, got 1"):
        nar.load_run(finished.workdir, seed_index=1)
    with pytest.raises(ValueError, match="is not the workdir of a run"):
        nar.load_run(tmp_path)
    with pytest.raises(ValueError, match="unknown config key training.step; did you mean training.steps"):
        nar.train({"training": {"step": 3}}, tmp_path / "run")
    with pytest.raises(ValueError, match="unknown algorithm 'bsf'"):
        finished.predict("bsf")
    assert not (tmp_path / "run").exists()


def test_predictions_and_scores_of_sizes(finished):
    prediction = finished.predict("bfs", A=[(0, 1), (1, 2)], s=0, num_steps=2)
    assert prediction.outputs["pi"].shape == (3,) and prediction.steps == 2
    assert finished.predictor.names == ["bfs"]
    scores = finished.evaluate(sizes=(4,), seed=1)
    assert set(scores["bfs"]["4"]) == {"pi", "score"} and 0 <= scores["bfs"]["4"]["score"] <= 1


def interrupt_at(monkeypatch, step, number):
    monkeypatch.setattr(
        train_module.ShowProgress,
        "on_step",
        lambda self, report: signal.raise_signal(number) if report.step == step else None,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_interrupted_run_resumes(finished, tmp_path, monkeypatch, request, number):
    before = signal.signal(number, signal.SIG_DFL)  # Under nohup or in the background it may be ignored.
    request.addfinalizer(lambda: signal.signal(number, before))
    workdir = Workdir(tmp_path / "run")
    with monkeypatch.context() as patch:
        interrupt_at(patch, 7, number)
        with pytest.raises(Interrupted, match=rf"{workdir}: interrupted; the same call resumes") as caught:
            nar.train(CONFIG, workdir)
    assert isinstance(caught.value, KeyboardInterrupt)
    unfinished = nar.load_run(workdir, "last")
    assert (unfinished.step, unfinished.result) == (7, None)
    nar.train(CONFIG, workdir)
    assert outcome(workdir) == outcome(finished.workdir)
    assert metrics_of(workdir) == metrics_of(finished.workdir)


def test_time_budget_ends_a_run_at_a_validation(tmp_path, capsys):
    config, workdir = CONFIG.merged({"training": {"max_cpu_minutes": 1e-6}}), tmp_path / "run"
    result = nar.train(config, workdir).result
    assert (result["steps"], result["stopped_early"]) == (EVERY, True)
    assert result["stopped_by"] == "max_cpu_minutes" and result["training_cpu_seconds"] > 0
    assert nar.train(config, workdir).result == result
    assert "This run is finished" in capsys.readouterr().out
    unlimited = nar.train(CONFIG.merged({"training": {"max_cpu_minutes": 1e6}}), tmp_path / "unlimited")
    assert unlimited.result["steps"] == STEPS and "stopped_by" not in unlimited.result


def test_train_in_another_thread(finished, tmp_path):
    """Signals can be handled in the main thread only."""
    runs = []
    thread = threading.Thread(target=lambda: runs.append(nar.train(CONFIG, tmp_path / "run")))
    thread.start()
    thread.join()
    assert outcome(runs[0].workdir) == outcome(finished.workdir)


def test_curves_are_drawn_after_the_result_and_if_they_are_missing(tmp_path):
    drawn = []

    def draw(metrics, picture):
        drawn.append((metrics, picture, workdir.result.exists()))
        picture.write_bytes(b"")

    workdir = Workdir(tmp_path / "run")
    run = nar.train(CONFIG, workdir)
    assert not workdir.curves.exists()
    for _ in range(2):
        nar.train(CONFIG, workdir, draw_curves=draw)
    longer = CONFIG.merged({"training": {"steps": STEPS + 1}})
    nar.train(longer, workdir, draw_curves=draw)
    assert drawn == [(workdir.metrics, workdir.curves, True)] * 2
    assert run.result["steps"] == STEPS + 1


def test_failure_of_drawing_leaves_the_result(tmp_path, finished):
    def draw(metrics, picture):
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        nar.train(CONFIG, tmp_path / "run", draw_curves=draw)
    assert outcome(Workdir(tmp_path / "run")) == outcome(finished.workdir)


def test_parameters_are_those_of_the_best_checkpoint(finished):
    scores = [line.get("validation/score", -np.inf) for line in metrics_of(finished.workdir)]
    steps = [line["step"] for line in metrics_of(finished.workdir)]
    assert steps[int(np.argmax(scores))] == finished.step
