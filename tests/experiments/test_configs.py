"""Configs and sweeps: each can be built, documents its cost and score, and rejects values of wrong types."""

import importlib
import pathlib

import jax
import pytest

from configs import base, clrs30_2022, transfer
from experiments.sweeps import hyper
from experiments.sweeps.trial import make_trials, read_sweep
from nar.runs.build import build_run
from nar.runs.components import build_graph_run
from nar.training import Devices
from nar.training.optim import frozen_names, parameter_names

ROOT = pathlib.Path(__file__).parents[2]
CONFIGS = sorted(path.stem for path in (ROOT / "configs").glob("*.py") if path.stem != "__init__")
SWEEPS = sorted(path for path in (ROOT / "configs" / "sweeps").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", CONFIGS)
def test_every_config_is_documented_and_can_be_built(name):
    module = importlib.import_module(f"configs.{name}")
    documentation = module.__doc__
    assert f"--config=configs/{name}.py" in documentation
    assert "\nCost: " in documentation and "\nExpected score: " in documentation
    build_run(module.get_config().to_dict(), Devices.one())


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.stem)
def test_every_sweep_is_documented_and_has_trials(path):
    text = path.read_text()
    assert f"--sweep=configs/sweeps/{path.name}" in text
    assert "\nCost: " in text and "\nExpected score: " in text
    trials = make_trials(base.get_config(), read_sweep(str(path)), pathlib.Path("nowhere"))
    assert len(trials) > 1


@pytest.mark.parametrize("processor", clrs30_2022.PROCESSORS)
def test_every_baseline_of_2022_can_be_built(processor):
    config = clrs30_2022.get_config(processor)
    config.algorithms = ("articulation_points", "insertion_sort", "kmp_matcher")
    components = build_graph_run(config.to_dict(), Devices.one())
    assert [task.sizes for task in components.tasks] == [(16,)] * 3
    # Problem options are those of CLRS-30, without those of the later recipe.
    assert [set(task.problem_options) - {"family"} for task in components.tasks] == [set()] * 3
    assert {probe.name for probe in components.model.specs["insertion_sort"].hints} >= {"pred_h"}


def test_unknown_baseline_is_rejected():
    with pytest.raises(ValueError, match="unknown baseline 'triplet_gmpnn'; known: deepsets, gat"):
        clrs30_2022.get_config("triplet_gmpnn")


@pytest.mark.parametrize("setting", transfer.SETTINGS)
def test_settings_of_transfer_train_what_they_say(setting):
    config = transfer.get_config(setting)
    components = build_graph_run(config.to_dict())
    params = jax.eval_shape(components.model.init, jax.random.key(0), components.stream.examples())
    frozen = frozen_names(params, config.training.frozen_params)
    trained = {name for name in parameter_names(params) if name not in frozen}
    if setting == "executor":
        assert trained and all("/encode/features_" in name for name in trained)
    else:
        assert any(name.startswith("processor/") for name in trained) == (setting == "scratch")
        assert any("/decode/" in name for name in trained)
    assert config.training.init_from == ("pretrained:bellman_ford" if setting[0] in "ep" else "")


def test_unknown_setting_of_transfer_is_rejected():
    with pytest.raises(
        ValueError, match="unknown setting 'best'; known: executor, processor, random, scratch"
    ):
        transfer.get_config("best")


def test_sweep_with_a_value_of_wrong_type_is_rejected():
    trials = hyper.sweep("training.steps", [10, "many"])
    with pytest.raises(ValueError, match=r"trial 1: config key training\.steps: .*int"):
        make_trials(base.get_config(), trials, pathlib.Path("nowhere"))
