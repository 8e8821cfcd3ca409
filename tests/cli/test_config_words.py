"""Config files and config keys on the command line: what is rewritten, and messages of errors."""

import pytest

from experiments.cli.config_words import check_config_words

BFS = "--config=configs/bfs.py"


def check(*words):
    return check_config_words(["train", BFS, *words])[2:]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--config.training.steps=1e3", "--config.training.steps=1000"),
        ("--config.training.steps=20", "--config.training.steps=20"),
        ("--config.training.learning_rate=1e-3", "--config.training.learning_rate=1e-3"),
        ("--config.data.sizes=(4,)", "--config.data.sizes=(4,)"),
        ("--config.algorithms=('bfs','dfs')", "--config.algorithms=('bfs','dfs')"),
        ("--config.model.lstm=True", "--config.model.lstm=True"),
        ("--workdir=runs/a", "--workdir=runs/a"),
        ("--config.data.problem={'p': 0.2}", "--config.data.problem={'p': 0.2}"),
        ("--config.model.processor_options.num_heads=4", "--config.model.processor_options={'num_heads': 4}"),
        (
            "--config.training.loss_weights.auxiliary/gate=0.1",
            "--config.training.loss_weights={'auxiliary/gate': 0.1}",
        ),
        ("--config.tasks.bfs.batch_size=8", "--config.tasks={'bfs': {'batch_size': 8}}"),
    ],
)
def test_words_are_rewritten(word, expected):
    assert check(word) == [expected]


def test_new_keys_are_added_to_those_of_the_recipe(tmp_path):
    (tmp_path / "recipe.py").write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config(p='0.5'):\n"
        "    return ConfigDict({'data': {'problem': {'p': float(p)}}, 'training': {'steps': 1}})\n"
    )
    words = ["--config.data.problem.directed=True", "--config.data.problem.family=grid"]
    recipe = f"--config={tmp_path}/recipe.py"
    problem = {"p": 0.5, "directed": True, "family": "grid"}
    assert check_config_words([recipe, *words]) == [recipe, f"--config.data.problem={problem}"]
    (last,) = check_config_words([f"{recipe}:0.2", "--config.data.problem.k", "3"])[1:]
    assert last == "--config.data.problem={'p': 0.2, 'k': 3}"
    words = ["--config.data.problem={'low': 0.1}", "--config.data.problem.high=1e1"]
    assert check_config_words([recipe, *words])[1:] == ["--config.data.problem={'low': 0.1, 'high': 10}"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--config.steps=10", r"unknown config key 'steps'; did you mean training.steps or "),
        ("--config.training.stepz=10", "did you mean training.steps?"),
        ("--config.trainig.steps=10", "did you mean training.steps or"),
        ("--config.hiden_size=8", "did you mean model.hidden_size?"),
        ("--config.xyz=8", "docs/config.md has all keys"),
        ("--config.training.steps=1.5", "steps must be an integer, such as 1000; got '1.5'"),
        ("--config.training.steps=many", "steps must be an integer, such as 1000; got 'many'"),
        ("--config.training.steps=True", "steps must be an integer, such as 1000; got 'True'"),
        ("--config.data.problem=3", "data.problem must be a dictionary"),
    ],
)
def test_errors_name_the_nearest_key(word, message):
    with pytest.raises(ValueError, match="config") as caught:
        check(word)
    assert message in str(caught.value) and word.partition("=")[0] in str(caught.value)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("configs/bsf.py", "there is no such file; did you mean configs/bfs.py?"),
        ("config/bfs.py", "did you mean configs/bfs.py?"),
        ("nowhere/qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq.txt", "configs has: configs/__init__.py, configs/base.py, "),
        ("README.md", "a config is a Python file with a function get_config"),
        ("configs/__init__.py", "has no function get_config"),
    ],
)
def test_errors_name_the_nearest_file(file, message, tmp_path):
    with pytest.raises(ValueError, match="--config=") as caught:
        check_config_words(["train", "--config", file])
    assert message in str(caught.value)
