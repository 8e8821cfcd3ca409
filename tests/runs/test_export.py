"""Exported runs: files, rounding, verification, and the command that trains them again."""

import dataclasses
import shlex
import shutil
import sys

import jax
import numpy as np
import pytest
from absl import flags
from ml_collections import config_flags
from quick_runs import config_of, quick_runs

import nar
from configs import base
from nar.atomic_io import read_json, write_json
from nar.evaluation.suite import Case, Measurement
from nar.runs import export
from nar.runs.export import ExportScores, draw_problems, export_run, recompute_scores
from nar.runs.training_command import training_command
from nar.runs.weights_file import arrays_by_name, params_by_name, read_weights, round_params, write_weights
from nar.runs.workdir import Workdir
from nar.training.state import digest


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return nar.train(config_of(), tmp_path_factory.mktemp("runs") / "finished")


def scores_of(components, params, sizes, show_progress=False):
    """Scores that are a function of the parameters, in place of `score_params`."""
    del components, show_progress
    value = sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(params)) % 1
    scores = {"pi": value, "score": value}
    measurements = [
        Measurement(Case("bfs", size, "clrs30", "true"), 3, 32, scores, {"exact": 0.5}, 4.0, {})
        for size in sizes
    ]
    return ExportScores({"bfs": {"16": scores}}, measurements, 1.0, 2.0)


@pytest.fixture(autouse=True)
def _fast_scores(monkeypatch):
    monkeypatch.setattr(export, "score_params", scores_of)


@pytest.fixture
def exported(finished, tmp_path):
    return export_run(finished.workdir.path, tmp_path / "exports", remark="under other load")


def test_export_has_the_best_parameters_in_float16(finished, exported):
    assert exported.is_exported and exported.workdir.path.name == "bfs_seed0"
    best = arrays_by_name(finished.params)
    for name, array in arrays_by_name(exported.params).items():
        np.testing.assert_array_equal(array, np.float32(np.float16(best[name])))
    assert exported.step == finished.step and exported.config == finished.config
    with np.load(exported.workdir.weights, allow_pickle=False) as archive:
        assert archive["params/processor/mpnn/own/w"].dtype == np.float16


def test_scores_are_those_after_rounding(finished, exported):
    after = scores_of(None, exported.params, (64,)).by_size()
    assert exported.result["scores"]["test"] == after
    assert exported.result["rounded_from"] == finished.result["scores"] != exported.result["scores"]
    assert list(read_json(exported.workdir.evaluation)["scores"]["bfs"]) == ["16", "32", "64", "128"]
    pairs = recompute_scores(exported.workdir.path)
    assert set(pairs) == {("bfs", size) for size in (16, 32, 64, 128)}
    assert all(recorded == found == after["bfs"]["64"]["score"] for recorded, found in pairs.values())


def test_only_the_scores_of_the_export_are_recomputed(exported):
    write_json(exported.workdir.evaluation, {"measurements": [], "summary": []})
    with pytest.raises(ValueError, match="is not the evaluation of the export: it has no scores"):
        recompute_scores(exported.workdir.path)


def test_result_says_how_the_network_was_trained_and_selected(finished, exported):
    result = exported.result
    for key in ("steps", "seconds", "cpu_seconds", "hardware", "best_step"):
        assert result[key] == finished.result[key]
    assert result["precision"]["training"] == result["precision"]["scoring"] == "float32"
    assert result["hardware"]["cpu_cores"] >= 1 and result["hardware"]["platform"] == "cpu"
    assert result["selection"] == "best score on validation, every 4 steps"
    assert result["remark"] == "under other load" and result["method"] == "nar"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "CLRS-30"),
        ({"test": {"sizes": (8,), "seeds": (5,)}}, "CLRS-30"),
        ({"validation": {"sizes": (8,)}}, "custom"),
    ],
)
def test_protocol_is_that_of_the_scores(tmp_path, changes, name):
    """The test problems of an export are always those of CLRS-30, whatever those of the config are."""
    config = config_of()
    for split, values in changes.items():
        config["evaluation"][split] |= values
    tasks = {"bfs": {"test": {"count": 7}, "sizes": (4,)}} if changes else {}
    run = nar.train({**config, "tasks": tasks}, tmp_path / "run")
    exported = export_run(run.workdir.path, tmp_path / "exports")
    protocol = exported.result["protocol"]
    assert protocol["name"] == name and protocol["test"]["sizes"] == [64] and "tasks" not in protocol
    assert protocol["validation"]["sizes"] == ([8] if name == "custom" else [16])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda result: result.pop("steps"), "it has no steps"),
        (lambda result: result.pop("best_step"), "does not say which checkpoint of seed 0 is best"),
        (lambda result: result.update(best_step=[4]), "does not say which checkpoint of seed 0 is best"),
        (lambda result: result.update(scores={"test": []}), "scores"),
    ],
)
def test_wrong_result_is_not_exported(finished, tmp_path, change, message):
    workdir = Workdir(tmp_path / "run")
    shutil.copytree(finished.workdir.path, workdir.path)
    result = read_json(workdir.result)
    change(result)
    write_json(workdir.result, result)
    with pytest.raises(ValueError, match=f"{message}|is not finished"):
        export_run(workdir.path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()


@pytest.mark.parametrize("scores", [3, {"bfs": {"big": {"score": 1.0}}}, {"dfs": {"16": {"score": 1.0}}}, {}])
def test_wrong_scores_are_not_recomputed(exported, scores):
    evaluation = read_json(exported.workdir.evaluation)
    write_json(exported.workdir.evaluation, {**evaluation, "scores": scores})
    with pytest.raises(ValueError, match=r"evaluation.json is damaged"):
        recompute_scores(exported.workdir.path)


@pytest.mark.slow
def test_run_that_names_code_is_exported_and_recomputed_if_it_is_trusted(tmp_path):
    config = config_of()
    config["model"]["processor"] = "experiments.examples.pna:PNA"
    run = nar.train(config, tmp_path / "run")
    with pytest.raises(ValueError, match="names code outside nar.*\n.*pna:PNA"):
        export_run(run.workdir.path, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()
    exported = export_run(run.workdir.path, tmp_path / "exports", trust=True)
    with pytest.raises(ValueError, match="names code outside nar"):
        recompute_scores(exported.workdir.path)
    pairs = recompute_scores(exported.workdir.path, trust=True)
    assert all(recorded == found for recorded, found in pairs.values())


def test_export_is_written_whole_or_not_at_all(finished, exported, tmp_path, monkeypatch):
    folder = tmp_path / "exports"
    with pytest.raises(ValueError, match="bfs_seed0 exists already"):
        export_run(finished.workdir.path, folder)

    def fail(*arguments, **options):
        raise OSError("full disk")

    monkeypatch.setattr(export, "write_weights", fail)
    with pytest.raises(OSError, match="full disk"):
        export_run(finished.workdir.path, folder, name="other")
    assert [path.name for path in folder.iterdir()] == ["bfs_seed0"]


def test_invalid_exports_are_errors(finished, exported, tmp_path):
    path = finished.workdir.path
    for options, message in (
        ({"seed_index": 1}, "seed_index must lie between 0 and 0"),
        ({"name": "dfs"}, "'dfs' must be one word .* no other algorithm's"),
        ({"name": "a/b"}, "'a/b' must be one word"),
        ({"cores": 2}, "records its hardware"),
    ):
        with pytest.raises(ValueError, match=message):
            export_run(path, tmp_path / "others", **options)
    assert not (tmp_path / "others").exists()
    with pytest.raises(ValueError, match="is an exported run already"):
        export_run(exported.workdir.path, tmp_path / "others")
    with pytest.raises(ValueError, match="is not the workdir of a run"):
        export_run(tmp_path / "missing", tmp_path / "others")
    with pytest.raises(ValueError, match=r"it has no weights\.npz"):
        recompute_scores(path)


def test_device_in_place_of_versions_is_not_copied(finished, tmp_path):
    workdir = Workdir(shutil.copytree(finished.workdir.path, tmp_path / "run"))
    workdir.versions.unlink()
    workdir.versions.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"versions.json is a device, not a regular file"):
        export_run(workdir.path, tmp_path / "exports")
    assert not list((tmp_path / "exports").iterdir())


def test_unfinished_run_is_not_exported(tmp_path):
    config = nar.RunConfig.from_dict(config_of(steps=1000))
    (tmp_path / "run").mkdir()
    Workdir(tmp_path / "run").claim(config.to_dict())
    with pytest.raises(ValueError, match="is not finished: it has no result of 1000 steps"):
        export_run(tmp_path / "run", tmp_path / "exports")


def test_export_has_no_train_state(exported):
    with pytest.raises(ValueError, match="has parameters but no train state"):
        _ = exported.state
    with pytest.raises(ValueError, match="it has one seed and its best checkpoint"):
        nar.load_run(exported.workdir, "last")
    with pytest.raises(ValueError, match=r"cannot be trained further; .* training\.init_from"):
        nar.train(exported.config, exported.workdir)


def test_damaged_or_exchanged_weights_are_errors(exported):
    path, params = exported.workdir.weights, exported.params
    whole = path.read_bytes()
    for place in (40, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"weights\.npz is damaged"):
            nar.load_run(exported.workdir)
    write_weights(path, jax.tree.map(lambda leaf: leaf * 2, params), 1)
    with pytest.raises(ValueError, match="has other parameters than the result in its folder"):
        nar.load_run(exported.workdir)
    path.write_bytes(whole)
    assert digest(nar.load_run(exported.workdir).params) == digest(params)


def test_weights_round_trip(tmp_path):
    arrays = {"processor/mpnn/own/w": np.float32([[0.1, 1e-9]]), "bfs/halt/b": np.float32([-3.0])}
    params = round_params(params_by_name(arrays))
    assert params["processor"]["mpnn/own"]["w"].tolist() == [[float(np.float16(0.1)), 0.0]]
    write_weights(tmp_path / "weights.npz", params, 7)
    again, step = read_weights(tmp_path / "weights.npz", digest(params))
    assert step == 7 and digest(again) == digest(params) == digest(round_params(params))
    for value in (1e6, np.nan):
        with pytest.raises(ValueError, match="parameter bfs/halt/b is not finite in float16"):
            round_params(params_by_name({"bfs/halt/b": np.float32([value])}))


def test_missing_keys_of_an_export_have_their_defaults(exported):
    """An export may be older than a key of the config, but not newer."""
    content = exported.config.to_dict()
    del content["training"]["nonfinite_limit"]
    write_json(exported.workdir.config, content)
    assert nar.load_run(exported.workdir).config == exported.config
    write_json(exported.workdir.config, {**content, "unknown": 1})
    with pytest.raises(ValueError, match="unknown config key unknown"):
        nar.load_run(exported.workdir)


# ---------------------------------------------------------------------------------------------------
# Problems


def test_test_split_is_whole_and_larger_problems_are_fewer(monkeypatch):
    monkeypatch.setattr(export, "MAX_WORK", 3 * 8**2 * 7)
    few = draw_problems(Case("insertion_sort", 8, "clrs30", "true"))
    assert few.batch_size == 3
    whole = nar.traces.clrs30_sample("insertion_sort", 8, 32, 3)
    for name, value in few.inputs.items():
        np.testing.assert_array_equal(value, whole.inputs[name][:3])
    monkeypatch.setattr(export, "MAX_WORK", 1)
    assert draw_problems(Case("insertion_sort", 8, "clrs30", "true")).batch_size == 1
    split = draw_problems(Case("bfs", 64, "clrs30", "true"))
    np.testing.assert_array_equal(split.outputs["pi"], nar.clrs30_split("bfs", "test").outputs["pi"])


# ---------------------------------------------------------------------------------------------------
# The command that trains a config


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"algorithms": ("heapsort",), "training": {"steps": 1000, "eval_every": 250, "seed": 2}},
        {
            "algorithms": ("bfs", "dfs"),
            "tasks": {"bfs": {"sizes": (8, 16)}},
            "data": {"random_positions": False},
        },
        {"model": {"processor": "my_module:Mine", "processor_options": {"a": 1, "b": "x y"}}},
        {"training": {"init_from": "pretrained:bfs", "init_params": ("^processor/", "^bfs/.*$")}},
        {"data": {"problem": {"p": (0.5,), "family": "grid"}}, "training": {"loss_weights": {"hint": 0.5}}},
    ],
)
def test_command_trains_the_config(changes, monkeypatch):
    config = nar.RunConfig.from_dict(changes)
    command = training_command(config, "runs/it")
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "experiments.train", "--config=configs/base.py"]
    assert words[4] == "--workdir=runs/it"
    arguments = ["train", *words[5:]]
    monkeypatch.setattr(sys, "argv", arguments)
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_dict("config", base.get_config(), flag_values=values)
    values(arguments)
    assert nar.RunConfig.from_dict(holder.value.to_dict()) == config


def test_command_leaves_out_keys_that_do_not_affect_training():
    training = dataclasses.replace(nar.RunConfig().training, trackers=("wandb",))
    command = training_command(dataclasses.replace(nar.RunConfig(), training=training), "runs/it")
    assert "trackers" not in command
