"""Checkpoints of dm-clrs: reading without code execution, conversion, and equal scores."""

import collections
import itertools
import json
import os
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import oracle
import pytest
from commands import run
from matched_models import random_params

from nar import ALGORITHMS
from nar.data import Transforms
from nar.model import NetConfig, make_model
from nar.model.dm_clrs import check_param_shapes, convert_parameters, read_checkpoint
from nar.processors import MPNN
from nar.traces import clrs30_sample

HIDDEN = 8
TASKS = ("minimum", "bfs")
"""Not in alphabetical order, because dm-clrs identifies tasks by their position."""


def their_network(tasks, folder, **options):
    """Creates a dm-clrs model with random parameters, and a batch for each task."""
    specs, batches = [], []
    for task in tasks:
        sampler, spec = oracle.clrs.build_sampler(task, 4, length=5, seed=1)
        stream = itertools.repeat(sampler.next())
        if ALGORITHMS[task].fixed_hints:
            spec, stream = oracle.clrs.process_pred_as_input(spec, stream)
        spec, stream = oracle.clrs.process_permutations(spec, stream, True)
        specs.append(spec)
        batches.append(next(stream))
    network = oracle.clrs.models.BaselineModel(
        spec=specs,
        dummy_trajectory=batches,
        processor_factory=oracle.clrs.get_processor_factory("mpnn", use_ln=True, nb_triplet_fts=8),
        hidden_dim=HIDDEN,
        encode_hints=True,
        grad_clip_max_norm=1.0,
        checkpoint_path=str(folder),
        **options,
    )
    features = [batch.features for batch in batches]
    shapes = jax.eval_shape(
        lambda key: network.net_fn.init(key, features, True, -1, False, False), jax.random.PRNGKey(1)
    )
    network.params = random_params(shapes)
    network.opt_state = jax.jit(network.opt.init)(network.params)
    return network, batches


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A dm-clrs model of two tasks, a batch for each, and its checkpoint file."""
    folder = tmp_path_factory.mktemp("theirs")
    with oracle.relaxed():
        network, batches = their_network(TASKS, folder)
        network.save_model("best.pkl")
    return network, batches, folder / "best.pkl"


def spec_of(task):
    return Transforms().spec(ALGORITHMS[task])


# ---------------------------------------------------------------------------------------------------
# Reading


def test_read_checkpoint_returns_the_saved_parameters(theirs):
    network, _, path = theirs
    params = read_checkpoint(path)
    assert jax.tree.structure(params) == jax.tree.structure(network.params)
    jax.tree.map(np.testing.assert_array_equal, params, network.params)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("make", [np.asarray, jnp.asarray])
def test_read_checkpoint_accepts_numpy_and_jax_arrays(tmp_path, protocol, make):
    values = {"net/a": {"w": np.arange(6.0, dtype="f").reshape(2, 3), "b": np.float32(2.5)}}
    saved = {
        "params": jax.tree.map(make, values),
        "opt_state": optax.adam(0.1).init({"w": make(values["net/a"]["w"])}),
    }
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps(saved, protocol=protocol))
    read = read_checkpoint(path)
    jax.tree.map(np.testing.assert_array_equal, read, values)


class Calls:
    """Object that pickles as a function call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class UserClass:
    """Object that pickles as an instance of a user-defined class."""


@pytest.mark.parametrize("place", ["params", "opt_state"])
@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Calls(os.system, "touch run"), r"(posix|nt)\.system"),
        (Calls(eval, "open('run', 'w')"), "builtins.eval"),
        (Calls(getattr, 1, "real"), "builtins.getattr"),
        (Calls(np.load, "run"), "numpy.load"),
        (Calls(np.lib.format.open_memmap, "run"), r"numpy.lib.*open_memmap"),
        (UserClass(), "test_dm_clrs_checkpoints.UserClass"),
        (collections.OrderedDict(a=1), "collections.OrderedDict"),
        (jax.device_put, "jax.*device_put"),
    ],
)
def test_pickles_with_other_objects_than_arrays_are_rejected(tmp_path, monkeypatch, place, value, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"params": {}, place: {"net/a": {"w": value}}}))
    with pytest.raises(ValueError, match=f"the global {name} is not allowed: only arrays can be read"):
        read_checkpoint(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a", "net/a/w must be a floating-point array, got str"),
        (np.arange(2), "net/a/w must be a floating-point array, got int64"),
        (None, "net/a/w must be a floating-point array, got NoneType"),
        ({}, "net/a/w must be a floating-point array, got dict"),
        ([1.0], "EMPTY_LIST is not an opcode of arrays in dictionaries"),
        (1.0, "BINFLOAT is not an opcode of arrays in dictionaries"),
        (np.array([None]), "the dtype 'O8' is not allowed; known: f2, f4, f8"),
        (np.array(["a"]), "the dtype 'U1' is not allowed; known: f2, f4, f8"),
        (np.zeros(2, complex), "the dtype 'c16' is not allowed; known: f2, f4, f8"),
    ],
)
def test_parameters_must_be_arrays_of_real_numbers(tmp_path, value, message):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"params": {"net/a": {"w": value}}}))
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"no pickle", pickle.dumps([1]), pickle.dumps({"params": 1}), pickle.dumps({"a": {}})[:-3]],
)
def test_invalid_checkpoints_are_rejected(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match="file is not a dm-clrs checkpoint, a pickle with arrays under 'params'"
    ):
        read_checkpoint(path)


def test_missing_file(tmp_path):
    with pytest.raises(OSError, match="none.pkl"):
        read_checkpoint(tmp_path / "none.pkl")


# ---------------------------------------------------------------------------------------------------
# Converting


@pytest.mark.slow
def test_converted_multi_task_model_predicts_the_same(theirs):
    network, batches, path = theirs
    specs = {task: spec_of(task) for task in TASKS}
    params = convert_parameters(read_checkpoint(path), "mpnn", specs)
    model = make_model(NetConfig(MPNN, HIDDEN), specs)
    for index, (task, batch) in enumerate(zip(TASKS, batches, strict=True)):

        def predict(params, features, index=index):
            key = jax.random.key(0)
            return network.net_fn.apply(params, key, [features], True, index, False, False)[0]

        with oracle.relaxed():
            expected = jax.jit(predict)(network.params, batch.features)
        ours = Transforms().apply(ALGORITHMS[task], clrs30_sample(task, 5, 4, 1))
        actual = jax.jit(model.apply, static_argnums=(2, 4))(params, None, task, ours, False)
        for name, value in expected.items():
            np.testing.assert_allclose(actual.outputs[name], value, rtol=1e-4, atol=1e-4)


def test_conversion_reports_missing_and_unused_parameters(theirs):
    params = read_checkpoint(theirs[2])
    specs = {task: spec_of(task) for task in TASKS}
    encoder = "net/~_construct_encoders_decoders/algo_1_s_enc_linear"
    norm = "net/mpnn_aggr_clrs_processor/layer_norm"
    without = {module: leaves for module, leaves in params.items() if module not in (encoder, norm)}
    with pytest.raises(ValueError, match=f"missing: {encoder}$"):
        convert_parameters(without, "mpnn", specs)
    with pytest.raises(ValueError, match="unexpected: net/own$"):
        convert_parameters({**params, "net/own": {}}, "mpnn", specs)
    with pytest.raises(ValueError, match=r"missing: .*linear_8; unexpected: .*algo_1_A_enc_linear"):
        convert_parameters(params, "gmpnn", {"minimum": specs["minimum"]})
    with pytest.raises(ValueError, match="missing: .*algo_0_s_enc_linear"):
        convert_parameters(params, "mpnn", dict(reversed(specs.items())))
    hint = "net/~_construct_encoders_decoders/algo_1_reach_h_dec_linear"
    without = {module: leaves for module, leaves in params.items() if module != hint}
    with pytest.raises(ValueError, match=f"missing: {hint}$"):
        convert_parameters(without, "mpnn", specs)


def test_unknown_processor():
    with pytest.raises(ValueError, match="dm-clrs has no processor 'transformer'; known: deepsets, gat, "):
        convert_parameters({}, "transformer", {})


def test_check_param_shapes_lists_mismatched_shapes():
    actual = {"a": {"w": np.zeros((2, 3)), "b": np.zeros(3)}, "norm": {"scale": np.zeros(3)}}
    expected = {"a": {"w": np.zeros((2, 4)), "b": np.zeros(3)}, "lstm": {"w": np.zeros(1)}}
    check_param_shapes(actual, actual)
    with pytest.raises(ValueError, match="does not match the network of the config") as error:
        check_param_shapes(actual, expected)
    assert str(error.value).splitlines()[1:] == [
        "  a/w: (2, 3) in the checkpoint, (2, 4) in the config",
        "  lstm/w: none in the checkpoint, (1,) in the config",
        "  norm/scale: (3,) in the checkpoint, none in the config",
    ]


# ---------------------------------------------------------------------------------------------------
# The command


@pytest.mark.slow
def test_convert_command_creates_a_run(theirs, tmp_path):
    """The converted run has the scores that dm-clrs computes on the same problems."""
    network, _, path = theirs
    arguments = (
        "--config=configs/base.py",
        f"--workdir={tmp_path / 'run'}",
        f"--config.algorithms={TASKS}",
        "--config.model.processor=mpnn",
        f"--config.model.hidden_size={HIDDEN}",
    )
    code, output, errors = run("convert", f"--checkpoint={path}", *arguments)
    assert code == 0, errors
    assert "minimum, bfs" in output
    code, _, errors = run("evaluate", f"--workdir={tmp_path / 'run'}", "--sizes=6", "--seeds=4")
    assert code == 0, errors
    scores = json.loads((tmp_path / "run" / "evaluation.json").read_text())["scores"]
    for index, task in enumerate(TASKS):
        count = 32 * ALGORITHMS[task].clrs30_multiplier
        with oracle.relaxed():
            sampler, spec = oracle.clrs.build_sampler(task, count, length=6, seed=4)
            stream = itertools.repeat(sampler.next())
            if ALGORITHMS[task].fixed_hints:
                _, stream = oracle.clrs.process_pred_as_input(spec, stream)
            batch = next(stream)
            predictions, _ = network.predict(jax.random.key(0), batch.features, algorithm_index=index)
            expected = oracle.clrs.evaluate(batch.outputs, predictions)["score"]
        assert scores[task]["6"]["score"] == pytest.approx(float(expected), abs=1e-6)
    code, _, errors = run("convert", f"--checkpoint={path}", *arguments)
    assert code != 0 and "has checkpoints already" in errors
    code, _, errors = run(
        "convert", f"--checkpoint={path}", *arguments[:-1], f"--workdir={tmp_path / 'other'}"
    )
    assert code != 0 and "processor/mpnn/own/w: (16, 8) in the checkpoint, (256, 128) in the config" in errors
    assert not (tmp_path / "other").exists()
