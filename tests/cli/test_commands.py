"""The scripts train, evaluate and predict, run from the command line."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from commands import ROOT, TINY, run
from running_script import RunningScript
from saved_checkpoints import saved_steps

import nar
from configs import tiny
from nar import ALGORITHMS
from nar.data import Transforms
from nar.runs.components import GraphComponents
from nar.runs.workdir import Workdir

TRAIN = ("--config=configs/tiny.py", *TINY, "--config.model.hidden_size=4")


def train(workdir, *overrides):
    return run("train", *TRAIN, f"--workdir={workdir}", *overrides)


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "finished"
    code, output, errors = train(workdir)
    assert code == 0, errors
    return workdir, output, errors


def test_finished_run_has_a_result_and_prints_its_scores(finished):
    workdir, output, errors = finished
    result = json.loads((workdir / "result.json").read_text())
    assert result["steps"] == 40
    assert "Compiled programs: 1 of gradients, 1 of updates, 2 of evaluation, " in output
    assert result["examples"] == 160
    assert result["seconds"] > 0
    assert result["parameters"] > 500
    assert re.fullmatch("[0-9a-f]{64}", result["parameters_sha256"])
    assert result["best_step"] in (10, 20, 30, 40)
    for split, size in (("validation", "16"), ("test", "64")):
        scores = result["scores"][split]["bfs"][size]
        assert set(scores) == {"pi", "score"}
        assert 0 <= scores["score"] <= 1
        assert f"{scores['score']:.2%}" in output
    assert str(workdir) in output
    assert re.search(r"40/40.*loss=.*validation=", errors)


def test_best_checkpoint_has_the_best_validation_score(finished):
    workdir, _, _ = finished
    lines = [line for line in read_lines(workdir / "metrics.jsonl") if "validation/score" in line]
    assert [line["step"] for line in lines] == [10, 20, 30, 40]
    best = max(lines, key=lambda line: (line["validation/score"], line["step"]))
    result = json.loads((workdir / "result.json").read_text())
    assert result["best_step"] == best["step"]
    assert result["scores"]["validation"]["bfs"]["16"]["score"] == pytest.approx(best["validation/score"])


def test_metrics_have_one_line_per_log_interval(finished):
    lines = read_lines(finished[0] / "metrics.jsonl")
    assert [line["step"] for line in lines] == list(range(5, 41, 5))
    expected = {"loss", "loss/bfs/pi", "loss/bfs/pi_h", "loss/bfs/reach_h", "gradient_norm"}
    expected |= {"steps_per_second", "examples_per_second", "seconds"}
    parts = ("waiting_for_data", "compiling", "validating", "saving", "in_steps")
    expected |= {f"seconds_{part}" for part in parts}
    assert all(expected <= set(line) for line in lines)
    for before, line in itertools.pairwise(lines):
        passed = sum(line[f"seconds_{part}"] for part in parts)
        assert passed == pytest.approx(line["seconds"] - before["seconds"], rel=0.05, abs=0.05)


def test_workdir_contains_all_files(finished):
    names = {path.name for path in finished[0].iterdir()}
    assert names == {
        ".lock",
        ".lock_holder",
        "checkpoints",
        "config.json",
        "curves.png",
        "metrics.jsonl",
        "result.json",
        "tensorboard",
        "versions.json",
    }
    assert (finished[0] / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_finished_run_is_not_trained_again(finished):
    before = (finished[0] / "result.json").read_bytes()
    code, output, _ = train(finished[0])
    assert code == 0
    assert "finished" in output
    assert (finished[0] / "result.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "ends",
    [((signal.SIGTERM, 15),), ((signal.SIGTERM, 15), (signal.SIGKILL, 30))],
    ids=["SIGTERM", "SIGTERM, SIGKILL"],
)
def test_interrupted_and_resumed_run_equals_an_uninterrupted_one(finished, tmp_path, ends):
    """The run is stopped by SIGTERM, resumed and killed, and resumed again."""
    workdir = tmp_path / "run"
    metrics = workdir / "metrics.jsonl"
    for number, step in ends:
        script = RunningScript("train", *TRAIN, f"--workdir={workdir}")
        script.wait_for(lambda: 10 in saved_steps(workdir) and metrics.exists())
        script.wait_for(lambda step=step: f'"step": {step}' in metrics.read_text())
        script.signal(number)
        code, output, errors = script.end()
        assert not (workdir / "result.json").exists()
        assert ("Resuming from step" in output) == (number == signal.SIGKILL)
        if number == signal.SIGTERM:
            assert code == 1
            assert "run the same command to resume" in errors
        else:
            assert code == -number
    code, output, errors = train(workdir)
    assert code == 0, errors
    assert "Resuming from step" in output
    straight, resumed = (
        json.loads((folder / "result.json").read_text()) for folder in (finished[0], workdir)
    )
    for key in ("parameters_sha256", "scores", "best_step", "steps", "examples"):
        assert resumed[key] == straight[key], key
    steps = [line["step"] for line in read_lines(metrics)]
    assert steps == sorted(set(steps))
    assert {10, 20, 30, 40} <= set(steps)


@pytest.mark.slow
def test_library_gives_the_same_run_as_the_commands(finished, tmp_path):
    """`nar.train`, interrupted and resumed, and `nar.load_run`, in a process that can only import `nar`."""
    done = subprocess.run(
        [sys.executable, "tests/support/library_run.py", finished[0] / "config.json", tmp_path / "run"],
        cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    expected = json.loads((finished[0] / "result.json").read_text())
    timing = {"seconds", "cpu_seconds", "sha256"}
    assert {key: value for key, value in found["result"].items() if key not in timing} == {
        key: value for key, value in expected.items() if key not in timing
    }
    assert found["interrupted"] and found["is_same_config"] and len(found["pi"]) == 3
    assert found["evaluated"] == expected["scores"]
    assert found["sizes"]["bfs"] == {"64": pytest.approx(expected["scores"]["test"]["bfs"]["64"])}


@pytest.mark.slow
def test_evaluate_at_other_sizes(finished):
    workdir, _, _ = finished
    code, output, errors = run("evaluate", f"--workdir={workdir}", "--sizes=5,64")
    assert code == 0, errors
    scores = json.loads((workdir / "evaluation.json").read_text())["scores"]["bfs"]
    assert list(scores) == ["5", "64"]
    result = json.loads((workdir / "result.json").read_text())
    assert scores["64"] == pytest.approx(result["scores"]["test"]["bfs"]["64"])
    assert f"{scores['5']['score']:.2%}"[:-1] in output
    first = (workdir / "evaluation.json").read_bytes()
    code, _, errors = run("evaluate", f"--workdir={workdir}", "--sizes=5")
    assert code != 0 and "evaluation.json exists: choose another --name, or pass --overwrite" in errors
    assert (workdir / "evaluation.json").read_bytes() == first
    code, _, errors = run("evaluate", f"--workdir={workdir}", "--sizes=5", "--overwrite")
    assert code == 0, errors
    assert list(json.loads((workdir / "evaluation.json").read_text())["scores"]["bfs"]) == ["5"]
    for name in ("evaluation.json", "evaluation.csv"):
        (workdir / name).unlink()


@pytest.mark.slow
def test_evaluate_with_families_seeds_and_hints(finished):
    workdir, _, _ = finished
    arguments = ["--sizes=5", "--families=clrs30,path", "--seeds=3,4", "--dump=states", "--name=mine"]
    code, output, errors = run("evaluate", f"--workdir={workdir}", *arguments)
    assert code == 0, errors
    content = json.loads((workdir / "mine.json").read_text())
    assert [(row["family"], row["metrics"]["score"]["count"]) for row in content["summary"]] == [
        ("clrs30", 2),
        ("path", 2),
    ]
    assert set(content["measurements"][0]["hints"]) == {"reach_h", "pi_h"}
    assert (workdir / "mine.csv").read_text().startswith("task,size,family,lengths,seed,instances,")
    assert sorted(content["arrays"]) == sorted(f"mine/{path.name}" for path in (workdir / "mine").iterdir())
    assert len(content["arrays"]) == 4 and f"Arrays: 4 files in {workdir / 'mine'}" in output
    assert "95 %" in output and "±" in output
    for path in (workdir / "mine.json", workdir / "mine.csv", *(workdir / "mine").iterdir()):
        path.unlink()
    (workdir / "mine").rmdir()


BAD_CONFIGS = {
    "--config.algorithms=('bsf',)": "unknown algorithm 'bsf'; known: activity_selector, ",
    "--config.algorithms=('bfs','bfs')": "algorithms must be at least one name, without duplicates",
    "--config.model.processor=mpn": "unknown processor 'mpn'; known: deepsets, ",
    "--config.model.processor=no_such:MPN": "processor 'no_such:MPN' cannot be imported: No module named",
    "--config.model.hiden_size=8": "did you mean model.hidden_size?",
    "--config.model.hidden_size=big": "hidden_size",
    "--config.model.hint_feedback=loud": "unknown hint_feedback 'loud'; known: soft, hard, hard_on_eval",
    "--config.model.teacher_forcing=1.5": "teacher_forcing must lie between 0 and 1",
    "--config.data.sizes=(4,0)": "bfs: size must be an integer from 1 to",
    "--config.model.hidden_sizes.x=1": "hidden_size",
    "--config.data.problem.p=(0.5,1.5)": "p must lie between 0 and 1, got 1.5",
    "--config.evaluation.metrics=('exatc',)": "unknown metric 'exatc'; known: exact, valid, hint_score",
    "--config.training.steps=0": "training.steps must be an integer of at least 1",
    "--config.training.learning_rate=-1.0": "learning_rate must be positive",
    "--config.training.batch_size=0": "training.batch_size must be an integer of at least 1",
    "--config.training.frozen_params=('nothing',)": "frozen_params pattern 'nothing' matches no parameter",
    "--nonsense=1": "nonsense",
}


QUICK = list(BAD_CONFIGS)[:5] + list(BAD_CONFIGS)[-2:]


@pytest.mark.parametrize(
    "override",
    [pytest.param(one, marks=[] if one in QUICK else [pytest.mark.slow]) for one in BAD_CONFIGS],
)
def test_invalid_config_is_rejected_before_training(tmp_path, override):
    code, output, errors = train(tmp_path / "run", override)
    assert code != 0
    assert BAD_CONFIGS[override] in output + errors
    assert "Traceback" not in errors
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_workdir_of_another_config_is_rejected(finished):
    code, _, errors = train(finished[0], "--config.training.seed=5")
    assert code != 0
    assert "training.seed: 0 saved, 5 given" in errors


def test_missing_flags_are_reported():
    code, output, errors = run("train", "--config=configs/bfs.py")
    assert code != 0
    assert "workdir" in output + errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes=16,x"], "--sizes must be whole numbers"),
        (["--sizes=0"], "bfs: size must be an integer from 1 to"),
        (["--sizes="], "--sizes needs at least one size"),
        (["--algorithms=dfs"], "--algorithms: unknown algorithm of the run 'dfs'; known: bfs"),
        (["--algorithms=bfs,bfs"], "--algorithms has bfs twice"),
        (["--families=gird"], "--sizes, --families and problem options: bfs: family must be one of clrs30, "),
        (["--families="], "--families needs at least one family"),
        (["--seeds=x"], "--seeds must be whole numbers"),
        (["--p=bfs:x"], "--p must be numbers separated by commas, got 'x'"),
        (["--count=3,4"], "--count must be a single number, got 3,4"),
        (["--problem={'bfs': {'low': 1}}"], "bfs has no problem option 'low'; known: p, "),
        (["--batch_size=1e1"], "--batch_size=1e1: it must be a whole number, got '1e1'"),
        (["--name=config", "--overwrite"], "--name must not be that of a file of the run"),
    ],
)
def test_evaluate_rejects_invalid_flags(finished, arguments, message):
    code, _, errors = run("evaluate", f"--workdir={finished[0]}", *arguments)
    assert code != 0
    assert message in errors
    assert "Traceback" not in errors
    assert not (finished[0] / "evaluation.json").exists()


def test_evaluate_rejects_a_directory_that_is_not_a_workdir(tmp_path):
    code, _, errors = run("evaluate", f"--workdir={tmp_path}")
    assert code != 0
    assert "is not the workdir of a run" in errors
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["insertion_sort", "bellman_ford", "minimum"])
def test_losses_of_other_algorithms_decrease(tmp_path, monkeypatch, name):
    monkeypatch.setattr(GraphComponents, "score_split", lambda *arguments: {name: {"16": {"score": 0.5}}})
    config, workdir = tiny.get_config(), Workdir(tmp_path / "run")
    config.algorithms, config.model.hidden_size = (name,), 16
    changes = {"steps": 60, "log_every": 20, "eval_every": 60, "batch_size": 8, "learning_rate": 1e-2}
    config.training.update(changes)
    nar.train(config.to_dict(), workdir)
    lines = read_lines(workdir.metrics)
    probes = {key for key in lines[0] if key.startswith(f"loss/{name}/")}
    spec = Transforms().spec(ALGORITHMS[name])
    assert probes == {f"loss/{name}/{probe.name}" for probe in (*spec.hints, *spec.outputs)}
    for probe in probes:
        assert lines[-1][probe] < lines[0][probe], probe


def test_predict_a_custom_problem(finished):
    problem = json.dumps({"edges": [[0, 1], [1, 2], [2, 3]], "s": 0})
    code, output, errors = run("predict", f"--workdir={finished[0]}", f"--input={problem}", "--steps=4")
    assert code == 0, errors
    prediction = json.loads(output)
    assert prediction["steps"] == 4
    assert len(prediction["hints"]["reach_h"]) == 5
    assert prediction["hints"]["reach_h"][0] == [1, 0, 0, 0]
    assert all(node in range(4) for node in prediction["outputs"]["pi"])


def test_predict_a_list_of_problems(finished):
    problems = [{"edges": [[0, 1], [1, 2]], "s": 0}, {"edges": [["a", "b"]], "s": "b"}]
    code, output, errors = run("predict", f"--workdir={finished[0]}", f"--input={json.dumps(problems)}")
    assert code == 0, errors
    predictions = json.loads(output)["predictions"]
    assert [len(one["outputs"]["pi"]) for one in predictions] == [3, 2]
    assert [one["nodes"] for one in predictions] == [None, ["a", "b"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input={"], "--input is not valid JSON"),
        (["--input=[1]"], "--input must be a JSON object"),
        (['--input=[{"edges": [[0, 1]], "s": 5}]'], "error: problem 0: bfs: s must"),
        (['--input={"edges": 5, "s": 0}'], "edges must be a list of lists of nodes, got 5"),
        (['--input={"A": [[0, 1], [1, 0]], "s": 5}'], "error: bfs: s must"),
        (['--input={"edges": [[0, 1]], "s": 0}', "--algorithm=dfs"], "does not support 'dfs'; known: bfs"),
    ],
)
def test_predict_rejects_invalid_input(finished, arguments, message):
    code, _, errors = run("predict", f"--workdir={finished[0]}", *arguments)
    assert code != 0
    assert message in errors
    assert "Traceback" not in errors
