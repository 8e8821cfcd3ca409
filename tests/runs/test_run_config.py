"""The config: defaults, documentation, parsing, and errors that name the key."""

import dataclasses
import json
import pathlib
import subprocess
import sys

import pytest

from configs import bfs
from experiments.cli.config_help import config_page, help_text
from nar.data import Transforms
from nar.runs.build import resolve_config
from nar.runs.components import build_graph_run
from nar.runs.components.tasks import make_tasks
from nar.runs.config import DataConfig, ModelConfig, RunConfig, TrainingConfig
from nar.runs.optimization_config import OptimizationConfig
from nar.runs.schema import check_type
from nar.runs.text_config import TextRunConfig, TextTrainingConfig
from nar.runs.workdir import MUTABLE_KEYS

ROOT = pathlib.Path(__file__).parents[2]
KINDS = (RunConfig, TextRunConfig)


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_documented_by_sentences(kind):
    keys = list(kind().describe())
    assert len({key.path for key in keys}) == len(keys) > 30
    for key in keys:
        assert key.description[0].isalpha() and key.description[-1] in '."', key.path
        assert f"{key.path} ({key.value!r}): {key.description}" in help_text(kind())


def test_page_of_keys_is_up_to_date():
    """`python -m experiments.cli.config_help > docs/config.md` writes it."""
    assert (ROOT / "docs" / "config.md").read_text() == config_page()


@pytest.mark.parametrize("kind", KINDS)
def test_config_equals_its_json(kind):
    config = kind().merged({"algorithms": ("bfs", "dfs"), "training": {"init_renames": (("a", "b"),)}})
    read = kind.from_dict(json.loads(json.dumps(config.to_dict())), complete=True)
    assert read == config != kind()
    assert resolve_config(read) == resolve_config(read.to_dict()) == read
    assert type(resolve_config(read)) is kind


def test_missing_keys_have_the_defaults_of_their_kind():
    assert RunConfig.from_dict({"model": {"budget": {"steps": 3}}}).model == dataclasses.replace(
        ModelConfig(), budget=dataclasses.replace(ModelConfig().budget, steps=3)
    )
    text = resolve_config({"kind": "text", "training": {"steps": 5}})
    assert isinstance(text, TextRunConfig) and text.training == TextTrainingConfig(steps=5)
    assert text.training.schedule == "warmup_cosine" and TrainingConfig().schedule == "constant"


def test_sections_without_fixed_keys_are_replaced():
    config = RunConfig().merged({"training": {"loss_weights": {"hint": 0.5}}})
    changed = config.merged({"training": {"loss_weights": {"bfs": 2.0}}})
    assert changed.training.loss_weights == {"bfs": 2.0}


def test_problem_options_and_exceptions_of_the_recipe_remain():
    recipe = DataConfig()
    data = {"problem": {"directed": True}, "exceptions": {"bridges": {"sizes": [4]}, "kmp_matcher": None}}
    config = RunConfig.from_dict({"data": data}).data
    assert config.problem == {**recipe.problem, "directed": True}
    assert config.exceptions == {
        **recipe.exceptions,
        "bridges": {**recipe.exceptions["bridges"], "sizes": (4,)},
        "kmp_matcher": None,
    }
    assert RunConfig.from_dict({"data": config.to_dict()}).data == config


def test_none_stands_for_the_default_of_the_problem():
    data = {"problem": {"p": None}, "exceptions": {"bridges": None}}
    config = RunConfig.from_dict({"algorithms": ("bfs", "bridges", "mst_kruskal"), "data": data})
    bfs, bridges, kruskal = make_tasks(config, Transforms())
    assert bfs.problem_options == bridges.problem_options == kruskal.problem_options == {"family": "clrs30"}


def test_sequences_become_tuples_and_a_string_a_tuple_of_one():
    config = RunConfig.from_dict({"algorithms": "bfs", "data": {"sizes": [4, 5]}})
    assert config.algorithms == ("bfs",) and config.data.sizes == (4, 5)


def test_defaults_are_not_shared():
    one = RunConfig()
    assert isinstance(one.tasks, dict) and isinstance(one.data.exceptions["bridges"], dict)
    one.tasks["bfs"] = {}
    one.data.exceptions["bridges"]["sizes"] = (1,)
    one.to_dict()["data"]["problem"]["p"] = 0
    assert RunConfig().tasks == {} and DataConfig() == RunConfig().data
    assert one.data.problem == RunConfig().data.problem


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": {"hiden_size": 1}}, "unknown config key model.hiden_size; did you mean model.hidden_size"),
        ({"trainings": {}}, r"unknown config key trainings; did you mean training\?"),
        ({"data": {"xyz": 1}}, "unknown config key data.xyz; known: sizes, num_traces, problem, "),
        ({"model": 3}, "config key model must be a dictionary; got 3"),
        ({"tasks": ("bfs",)}, r"config key tasks must be a dictionary; got \('bfs',\)"),
        ({"tasks": {"bfs": 4}}, "config key tasks.bfs must be a dictionary, got 4"),
        ({"tasks": {"bfs": None}}, "config key tasks.bfs must be a dictionary, got None"),
        ({"data": {"exceptions": {"bridges": 1}}}, "data.exceptions.bridges must be a dictionary, got 1"),
        ({"data": {"kinds": {"mask": 1}}}, "config key data.kinds.mask must be a string, got 1"),
        ({"training": {"loss_weights": {"pi": "1"}}}, "training.loss_weights.pi must be a number, got '1'"),
        ({"training": {"loss_weights": {"pi": True}}}, "training.loss_weights.pi must be a number, got True"),
        ({"training": {"steps": {}}}, "config key training.steps must be an integer, such as 10000; got {}"),
        ({"training": {"steps": 1.5}}, "training.steps must be an integer, such as 10000; got 1.5"),
        ({"training": {"steps": True}}, "config key training.steps must be an integer"),
        ({"training": {"learning_rate": "fast"}}, "must be a number, such as 0.001; got 'fast'"),
        ({"training": {"learning_rate": True}}, "config key training.learning_rate must be a number"),
        ({"model": {"lstm": 1}}, "config key model.lstm must be True or False"),
        ({"model": {"processor": 3}}, "config key model.processor must be a string"),
        ({"data": {"sizes": 16}}, "config key data.sizes must be a tuple"),
        ({"model": {"budget": {"steps": "few"}}}, "config key model.budget.steps must be an integer"),
        ({"training": {"num_seeds": 0}}, "training.num_seeds must be an integer of at least 1, got 0"),
        (
            {"training": {"seed": 99999999999999999999}},
            "training.seed must be an integer of at most 4294967295",
        ),
        ({"training": {"seed": -1}}, "training.seed must be an integer of at least 0, got -1"),
        ({"kind": "image"}, "unknown kind 'image'; known: graph, text"),
        ({"kind": "text", "tasks": {}}, "unknown config key tasks"),
    ],
)
def test_invalid_values_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        resolve_config(values)


def test_configs_of_scripts_are_configs():
    """They are a `ConfigDict`, which is no mapping."""
    config = bfs.get_config()
    assert resolve_config(config) == resolve_config(config.to_dict())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("value", [None, 3, "configs/bfs.py", [("algorithms", ("bfs",))]])
def test_other_types_are_errors(value):
    with pytest.raises(ValueError, match="a config must be a dictionary, got"):
        resolve_config(value)


def test_values_given_to_a_constructor_are_checked_when_the_config_is_resolved():
    config = RunConfig(training=TrainingConfig(steps="many"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="config key training.steps must be an integer"):
        resolve_config(config)


def test_missing_keys_of_a_complete_config_are_errors():
    values = RunConfig().to_dict()
    RunConfig.from_dict(values, complete=True)
    del values["model"]["budget"]["steps"]
    with pytest.raises(ValueError, match=r"config key model\.budget\.steps is missing"):
        RunConfig.from_dict(values, complete=True)


def test_values_read_from_json_have_valid_types():
    for value, default in ((1, 0.5), ([4, 5], (4,)), ("bfs", ("bfs",)), (0.5, 0.5), (None, None), ({}, {})):
        check_type("key", value, default)


def test_mutable_keys():
    names = {"checkpoint_fallback", "on_nonfinite", "nonfinite_limit", "trackers", "tracker_options"}
    assert set(MUTABLE_KEYS) == {f"training.{name}" for name in names}
    assert {field.name for field in dataclasses.fields(OptimizationConfig)} >= names


def test_configs_need_neither_jax_nor_flags():
    code = (
        "import nar, sys; nar.TextRunConfig(); assert nar.RunConfig() == nar.RunConfig.from_dict({});"
        "assert not {'jax', 'absl', 'ml_collections', 'experiments', 'configs'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_seeds_after_the_first_are_bounded_too():
    with pytest.raises(ValueError, match="training.seed 4294967295 and the seeds after it, 2 in all"):
        build_graph_run({"training": {"seed": 2**32 - 1, "num_seeds": 2}})
