"""Training, resuming and evaluating language models with the same commands as graph networks."""

import json
import re
import signal
import subprocess
import time

import pytest
from commands import ROOT, command, run
from saved_checkpoints import saved_steps

import nar
from configs import text_small
from experiments.cli.language_models import open_model
from nar.runs.build import build_run, graph_components, text_components
from nar.training import Devices

TINY = (
    "--config.model.hidden_size=8",
    "--config.model.num_layers=1",
    "--config.model.num_heads=1",
    "--config.model.position_range=128",
    "--config.model.position_min_length=40",
    "--config.data.lengths=(2,)",
    "--config.training.steps=400",
    "--config.training.batch_size=4",
    "--config.training.log_every=20",
    "--config.training.eval_every=40",
    "--config.training.ema_decay=0.9",
    "--config.training.schedule_options={'warmup_steps': 5}",
    "--config.evaluation.batch_size=8",
    "--config.evaluation.max_length=16",
    "--config.evaluation.samples=4",
    "--config.evaluation.test_lengths=(2,3)",
    "--config.evaluation.test_samples=4",
)


def train(workdir):
    return run("train", "--config=configs/text_small.py", f"--workdir={workdir}", *TINY)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "finished"
    code, output, errors = train(workdir)
    assert code == 0, errors
    return workdir, output


@pytest.mark.slow
def test_finished_run_has_scores_of_each_length(finished):
    workdir, output = finished
    result = json.loads((workdir / "result.json").read_text())
    assert list(result["scores"]["validation"]["minimum"]) == ["2"]
    assert list(result["scores"]["test"]["insertion_sort"]) == ["2", "3"]
    values = result["scores"]["test"]["minimum"]["3"]
    assert values["score"] == values["exact"] <= values["elements"] <= values["parsed"] <= 1
    assert re.search(r"minimum +test +3 +\d", output)
    lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(20, 401, 20))
    for task in ("minimum", "insertion_sort"):
        assert lines[-1][f"loss/{task}"] < lines[0][f"loss/{task}"] / 2
        assert f"exact_match/{task}" in lines[0] and f"validation/{task}/score" in lines[1]
    assert {"checkpoints", "curves.png", "config.json"} <= {path.name for path in workdir.iterdir()}


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one(finished, tmp_path):
    workdir = tmp_path / "run"
    arguments = command("train", "--config=configs/text_small.py", f"--workdir={workdir}", *TINY)
    process = subprocess.Popen(
        arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 300
    while max(saved_steps(workdir), default=0) == 0:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 1 and "run the same command to resume" in errors
    code, output, errors = train(workdir)
    assert code == 0, errors
    assert "Resuming from step" in output
    uninterrupted, resumed = (
        json.loads((folder / "result.json").read_text()) for folder in (finished[0], workdir)
    )
    for key in ("parameters_sha256", "scores", "best_step", "steps"):
        assert resumed[key] == uninterrupted[key], key


@pytest.mark.slow
def test_evaluate_text_compares_a_run_with_a_function(finished, tmp_path, monkeypatch):
    model = open_model(str(finished[0]))
    assert model.default_request.lengths == {"minimum": (2, 3), "insertion_sort": (2, 3)}
    assert model.trained_lengths == {"minimum": (2,), "insertion_sort": (2,)}
    with pytest.raises(ValueError, match="need a larger range of positions than 128"):
        model.check(["a" * 120])
    (tmp_path / "constant.py").write_text("def answer(question):\n    return '0'\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    models = f"--model={finished[0]},constant:answer"
    arguments = [models, f"--output={tmp_path / 'answers'}", "--lengths=2,4", "--samples=3"]
    code, _, errors = run("evaluate_text", *arguments)
    assert code != 0 and "--algorithms must be given for a model that is not a run" in errors
    assert not (tmp_path / "answers").exists()
    code, output, errors = run("evaluate_text", *arguments, "--algorithms=minimum")
    assert code == 0, errors
    assert re.search(r"constant\.answer\n\nalgorithm.*\n.*\nminimum +2 +3", output)
    for label in ("finished", "constant.answer"):
        folder = tmp_path / "answers" / label
        assert {"answers.jsonl", "scores.json", "accuracy.png"} <= {path.name for path in folder.iterdir()}
        scores = json.loads((folder / "scores.json").read_text())
        assert scores["precision"]["scoring"] in ("float32", "unknown")
        assert list(scores["algorithms"]["minimum"]["lengths"]) == ["2", "4"]
    assert scores["all"]["parsed"] == 1
    assert (tmp_path / "answers" / "accuracy.png").exists()


@pytest.mark.slow
def test_commands_for_graph_networks_reject_a_language_model(finished):
    with pytest.raises(ValueError, match="is a run of a language model: see experiments.evaluate_text"):
        nar.load_run(finished[0]).predict("minimum", [3, 1, 2])
    with pytest.raises(ValueError, match="is a run of a language model: see experiments.evaluate_text"):
        nar.load_run(finished[0]).evaluate(sizes=(4,))
    code, _, errors = run("evaluate", f"--workdir={finished[0]}", "--sizes=4")
    assert code != 0 and "is a run of a language model: see experiments.evaluate_text" in errors


# ---------------------------------------------------------------------------------------------------
# Configs


def with_change(path, value):
    config = text_small.get_config().to_dict()
    *parts, key = path.split(".")
    inner = config
    for part in parts:
        inner = inner[part]
    inner[key] = value
    return config


def test_config_is_built_into_a_run():
    parts = text_components(build_run(text_small.get_config().to_dict(), Devices.one()), "run")
    assert [task.name for task in parts.tasks] == ["minimum", "insertion_sort"]
    with pytest.raises(ValueError, match="run is a run of a language model"):
        graph_components(parts, "run")


BAD = {
    "kind": ("texts", "unknown kind 'texts'; known: graph, text"),
    "model.layers": (3, "unknown config key model.layers; did you mean model.num_layers?"),
    "model.hidden_size": (12, "model: hidden_size 12 must be a multiple"),
    "model.position_range": (150, "model.position_range 150 is too small for "),
    "algorithms": (("minimum", "minimum"), "algorithms must be at least one name, without duplicates"),
    "data.lengths": ((), "minimum: at least one length is needed"),
    "data.decimals": (-2, "data.decimals"),
    "training.batch_size": (0, "training.batch_size must be an integer of at least 1"),
    "training.schedule": ("slow", "training: unknown schedule 'slow'"),
    "training.frozen_params": (("nothing",), "frozen_params pattern 'nothing' matches no parameter"),
    "evaluation.max_length": (0, "evaluation.max_length must be an integer of at least 1"),
    "evaluation.test_lengths": ((4, 4), "questions of test: lengths of minimum must differ"),
}


@pytest.mark.parametrize("path", BAD)
def test_invalid_config_is_rejected(path):
    value, message = BAD[path]
    with pytest.raises(ValueError, match=re.escape(message)):
        build_run(with_change(path, value), Devices.one())
