"""Warm starts from another run: loaded, new and frozen parameters, and rejected configs."""

import json
import shutil

import jax
import numpy as np
import pytest
from commands import TINY, run

import nar
from configs import base
from experiments.examples.noisy_paths import NOISY_PATHS, NUM_FEATURES
from nar.algorithms import find_algorithm
from nar.data import Task, TrainingStream
from nar.model import NetConfig, make_model
from nar.model.params_by_task import flatten_tasks
from nar.processors import PROCESSORS
from nar.runs.build import new_state
from nar.runs.components import build_graph_run
from nar.runs.workdir import Workdir
from nar.traces import check_algorithm
from nar.training import Checkpoints, load_matching_params
from nar.training.checkpointing import describe_params
from nar.training.optim import parameter_names


def make_params(*names, seed=0, hidden_size=4, processor="mpnn"):
    tasks = tuple(Task(find_algorithm(name), (4,)) for name in names)
    stream = TrainingStream(tasks, batch_size=2, seed=0)
    config = NetConfig(PROCESSORS[processor], hidden_size=hidden_size)
    model = make_model(config, {task.name: task.spec for task in tasks})
    batches = {task.name: stream.batch(index) for index, task in enumerate(tasks)}
    random, shapes = np.random.default_rng(seed), jax.eval_shape(model.init, jax.random.key(0), batches)
    return jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype(leaf.dtype), shapes)


@pytest.fixture(scope="module")
def source():
    return make_params("bfs", "minimum", seed=1)


@pytest.fixture(scope="module")
def swapped():
    return make_params("minimum", "bfs")


def test_parameters_load_by_name_whatever_the_task_order(source, swapped):
    transfer = load_matching_params(swapped, source, ("",))
    assert set(transfer.loaded) == set(parameter_names(source))
    jax.tree.map(np.testing.assert_array_equal, transfer.params, source)


@pytest.mark.parametrize("pattern", ["^processor/", "^minimum/", "/decode/", "bfs/encode/pos_0/w"])
def test_only_parameters_that_match_a_pattern_are_loaded(source, swapped, pattern):
    transfer = load_matching_params(swapped, source, (pattern,))
    part = pattern.removeprefix("^")
    assert transfer.loaded
    source_params, params = flatten_tasks(source), flatten_tasks(transfer.params)
    for module, leaves in flatten_tasks(swapped).items():
        for name, value in leaves.items():
            full = f"{module}/{name}"
            matches = full.startswith(part) if pattern.startswith("^") else part in full
            assert (full in transfer.loaded) == matches
            expected = source_params[module][name] if matches else value
            assert np.array_equal(params[module][name], expected), full


def test_tasks_missing_from_the_source_stay_new(source):
    other = make_params("bfs", "insertion_sort")
    transfer = load_matching_params(other, source, ("",))
    assert {name.split("/")[0] for name in transfer.loaded} == {"processor", "bfs"}
    pair = other["insertion_sort"], transfer.params["insertion_sort"]
    jax.tree.map(np.testing.assert_array_equal, *pair)


def test_renames_map_names_of_the_source(source):
    other = make_params("minimum")
    transfer = load_matching_params(other, make_params("minimum", "bfs", seed=2), ("^minimum/",))
    renamed = {
        module.replace("minimum/", "bfs/") if module.startswith("minimum/") else module: leaves
        for module, leaves in flatten_tasks(transfer.params).items()
    }
    mapped = load_matching_params(other, renamed, ("^minimum/",), (("^bfs/", "minimum/"),))
    assert mapped.loaded == transfer.loaded
    jax.tree.map(np.testing.assert_array_equal, mapped.params, transfer.params)
    with pytest.raises(ValueError, match="init_renames pattern '.nothing' matches no parameter"):
        load_matching_params(other, source, ("",), (("^nothing", ""),))
    with pytest.raises(ValueError, match="gives two parameters the same name"):
        load_matching_params(other, source, ("",), ((".*", "one"),))
    with pytest.raises(ValueError, match="must be pairs"):
        load_matching_params(other, source, ("",), ("bfs",))


def test_mismatched_parameters_are_rejected(source, swapped):
    with pytest.raises(
        ValueError, match="(?s)shapes differ from those of the other run:.*processor/mpnn.*there.*here"
    ):
        load_matching_params(make_params("bfs", hidden_size=8), source, ("^processor/",))
    with pytest.raises(ValueError, match=r"'mpnnn' matches no parameter .* none there, and none here"):
        load_matching_params(swapped, source, ("^processor/", "mpnnn"))
    with pytest.raises(ValueError, match=r"matches processor/mpnn/.* there, and processor/gat/.* here"):
        load_matching_params(make_params("bfs", processor="gat"), source, ("^processor/",))
    with pytest.raises(ValueError, match="init_params pattern '.' is not a regular expression"):
        load_matching_params(swapped, source, ("(",))


def test_summary_counts_each_parameter_once(source):
    names = parameter_names(source)
    processor = [name for name in names if name.startswith("processor/")]
    lines = describe_params(source, processor, processor)
    sizes = [int(line.split("arrays")[1].split("parameters")[0].replace(",", "")) for line in lines]
    assert sum(sizes) == sum(leaf.size for leaf in jax.tree.leaves(source))
    assert [line.split()[0] for line in lines if "loaded, frozen" in line] == ["processor/mpnn"]
    assert [line.split()[0] for line in lines if "new, trained" in line] == sorted(
        {"/".join(name.split("/")[:2]) for name in names if name not in processor}
    )
    assert all(line.endswith("  trained") for line in describe_params(source, None, ()))


# ---------------------------------------------------------------------------------------------------
# From the command line


def train(workdir, *overrides):
    return run(
        "train",
        "--config=configs/bfs.py",
        f"--workdir={workdir}",
        *TINY,
        "--config.model.processor=mpnn",
        "--config.model.hidden_size=4",
        "--config.training.eval_every=2",
        *overrides,
    )


@pytest.mark.slow
def test_parameters_of_another_run_are_loaded_once(tmp_path):
    other, new, again = tmp_path / "other", tmp_path / "new", tmp_path / "again"
    code, _, errors = train(other, "--config.training.steps=2", "--config.training.ema_decay=0.5")
    assert code == 0, errors
    arguments = (
        "--config.algorithms=('bellman_ford','bfs')",
        f"--config.training.init_from={other}",
        "--config.training.init_params=('^processor/','^bfs/')",
        "--config.training.frozen_params=('^processor/',)",
    )
    code, output, errors = train(new, *arguments, "--config.training.steps=4")
    assert code == 0, errors
    assert f"Started from {other}, step 2" in output
    for line in (
        r"processor/mpnn .* loaded, frozen",
        r"bfs/encode .* loaded, trained",
        r"bellman_ford/encode .* new, trained",
    ):
        assert any(all(word in text for word in line.split(" .* ")) for text in output.splitlines()), line
    record = json.loads((new / "start.json").read_text())
    assert record["step"] == 2 and all(name.startswith(("processor/", "bfs/")) for name in record["loaded"])
    # A resumed run does not read the other run again.
    code, _, errors = train(again, *arguments, "--config.training.steps=2")
    assert code == 0, errors
    other.rename(tmp_path / "gone")
    code, output, errors = train(again, *arguments, "--config.training.steps=4")
    assert code == 0, errors
    assert "Resuming from step 2." in output
    straight, resumed = (json.loads((folder / "result.json").read_text()) for folder in (new, again))
    assert resumed["parameters_sha256"] == straight["parameters_sha256"]


SMALL = {"model.processor": "mpnn", "model.hidden_size": 4, "data.sizes": (4,), "training.batch_size": 2}


def config_with(**changes):
    config = base.get_config()
    changes = {f"training.{key}": value for key, value in changes.items() if key != "hidden_size"} | (
        {"model.hidden_size": changes["hidden_size"]} if "hidden_size" in changes else {}
    )
    config.update_from_flattened_dict({**SMALL, **changes})
    return config.to_dict()


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A run of bfs, saved before its first step."""
    workdir = Workdir(tmp_path_factory.mktemp("runs") / "other")
    config = config_with()
    with workdir.lock():
        workdir.claim(config)
    checkpoints = Checkpoints(workdir.checkpoints)
    checkpoints.save(new_state(build_graph_run(config), 5), None, {})
    return workdir.path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init_from": "nowhere"}, "training.init_from: nowhere is not the workdir of a run"),
        ({"hidden_size": 8}, "training.init_from: shapes differ from those of the other run"),
        ({"init_params": ()}, "training.init_params must have a pattern"),
        (
            {"init_params": ("nothing",)},
            "init_params pattern 'nothing' matches no parameter that both runs have",
        ),
    ],
)
def test_invalid_warm_start_is_rejected_before_the_workdir_is_created(other, tmp_path, changes, message):
    config = config_with(**{"init_from": str(other), **changes})
    with pytest.raises(ValueError, match=message):
        nar.train(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_run_cannot_be_initialized_from_itself(other):
    shutil.rmtree(other / "checkpoints")
    config = config_with(init_from=str(other))
    with pytest.raises(ValueError, match="is the workdir of this run"):
        nar.train(config, other)


# ---------------------------------------------------------------------------------------------------
# The example


def test_noisy_paths_is_bellman_ford_on_hidden_weights():
    check_algorithm(NOISY_PATHS, sizes=(4,))
    A, s, features = NOISY_PATHS.problem.sample(np.random.RandomState(0), 8, p=0.7)
    noisy = nar.run_algorithm(NOISY_PATHS, A=A, s=s, features=features)
    plain = nar.run_algorithm("bellman_ford", A=A, s=s)
    for name, value in {**plain.hints, **plain.outputs}.items():
        assert np.array_equal({**noisy.hints, **noisy.outputs}[name], value)
    assert "A" not in noisy.inputs
    assert np.array_equal(noisy.inputs["adj"], plain.inputs["adj"])
    assert noisy.inputs["features"].shape == (*A.shape, NUM_FEATURES)
    for observed in np.moveaxis(noisy.inputs["features"], -1, 0):
        assert np.allclose(observed, observed.T) and not observed[A == 0].any() and observed[A != 0].all()


def test_noisy_paths_weights_are_a_linear_function_of_the_observations():
    """The new encoder can therefore learn them."""
    random = np.random.RandomState(0)
    A, _, features = NOISY_PATHS.problem.sample(random, 40, p=0.9)
    edges = np.triu(A) != 0
    x = np.column_stack([features[edges], np.ones(edges.sum())])
    weights, half = A[edges], len(x) // 2
    solution = np.linalg.lstsq(x[:half], weights[:half])[0]
    error = x[half:] @ solution - weights[half:]
    assert error.std() < 0.3 * weights.std()


def test_noisy_paths_loads_only_the_processor_of_bellman_ford():
    nar.register(NOISY_PATHS)
    params, source = make_params("noisy_paths"), make_params("bellman_ford")
    transfer = load_matching_params(params, source, ("",))
    assert set(transfer.loaded) == {name for name in parameter_names(params) if name.startswith("processor/")}
