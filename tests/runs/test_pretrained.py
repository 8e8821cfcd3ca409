"""Pretrained networks: names and seeds, predictions, and the processor alone."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from quick_runs import config_of, quick_runs

import nar
from nar.atomic_io import read_json
from nar.processors import Features
from nar.runs import pretrained as pretrained_module
from nar.runs.pretrained import open_run, parse_reference, pretrained_seeds
from nar.runs.weights_file import round_params, write_weights
from nar.runs.workdir import Workdir, versions
from nar.training.state import digest


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pretrained networks `bfs` of seeds 0 and 2."""
    from nar.atomic_io import write_json

    path = tmp_path_factory.mktemp("weights")
    run = nar.train(config_of(), tmp_path_factory.mktemp("source") / "run")
    params = round_params(run.params)
    for seed in (0, 2):
        workdir = Workdir(path / f"bfs_seed{seed}")
        workdir.path.mkdir()
        write_json(workdir.config, run.config.to_dict())
        write_json(workdir.versions, versions())
        write_weights(workdir.weights, params, run.step)
        write_json(workdir.result, {**run.result, "exported_parameters_sha256": digest(params)})
    return path


@pytest.fixture(autouse=True)
def _pretrained_folder(request, monkeypatch):
    if "folder" in request.fixturenames:
        monkeypatch.setattr(pretrained_module, "PRETRAINED", request.getfixturevalue("folder"))


def test_pretrained_network_is_a_run(folder):
    run = nar.pretrained("bfs")
    assert isinstance(run, nar.Run) and run.result["steps"] == 12
    prediction = run.predict("bfs", edges=[(0, 1), (1, 2)], s=0, num_steps=2)
    assert prediction.outputs["pi"].shape == (3,)
    assert prediction.states.shape == (2, 3, run.processor.hidden_size)
    assert digest(nar.pretrained("bfs", seed=2).params) == digest(run.params)
    assert pretrained_seeds() == {"bfs": (0, 2)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("bsf",), "unknown pretrained network 'bsf'; known: bfs; did you mean bfs"),
        ((None,), "unknown pretrained network None; known: bfs"),
        (("bfs", 1), "no pretrained network 'bfs' of seed 1; seeds: 0, 2"),
        (("bfs", True), "no pretrained network 'bfs' of seed True"),
        (("bfs", "0"), "no pretrained network 'bfs' of seed '0'"),
    ],
)
def test_unknown_names_and_seeds_are_errors(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        nar.pretrained(*arguments)


def test_without_networks_none_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained_module, "PRETRAINED", tmp_path / "missing")
    with pytest.raises(ValueError, match="unknown pretrained network 'bfs'; known: none"):
        nar.pretrained("bfs")


def test_references(folder):
    assert parse_reference("bfs") == ("bfs", 0) and parse_reference("bfs:12") == ("bfs", 12)
    assert open_run("pretrained:bfs:2").workdir.path == folder / "bfs_seed2"
    for reference in ("bfs:", "bfs:x", "bfs:-1"):
        with pytest.raises(ValueError, match=f"{reference!r} is not of the form NAME or NAME:SEED"):
            parse_reference(reference)


def test_pretrained_network_as_a_warm_start(folder, tmp_path):
    run = nar.train(config_of(init_from="pretrained:bfs:2", steps=4), tmp_path / "run")
    start = read_json(run.workdir.start)
    assert start["run"] == "pretrained:bfs:2" and all(
        name.startswith("processor/") for name in start["loaded"]
    )
    assert start["loaded_parameters_sha256"] == digest(nar.pretrained("bfs", 2).params)
    with pytest.raises(ValueError, match=r"training\.init_from: unknown pretrained network 'bsf'"):
        nar.train(config_of(init_from="pretrained:bsf"), tmp_path / "other")
    assert not (tmp_path / "other").exists()


# ---------------------------------------------------------------------------------------------------
# The processor alone


def inputs_of(size, num_nodes=3, batch_size=2):
    draw = np.random.default_rng(0).standard_normal
    features = Features(
        nodes=jnp.float32(draw((batch_size, num_nodes, size))),
        edges=jnp.float32(draw((batch_size, num_nodes, num_nodes, size))),
        graph=jnp.float32(draw((batch_size, size))),
        adjacency=jnp.ones((batch_size, num_nodes, num_nodes), bool),
    )
    return features, jnp.float32(draw((batch_size, num_nodes, size)))


def test_processor_is_that_of_the_model(folder):
    """A model of this processor alone, with the same parameters, computes the same."""
    run = nar.pretrained("bfs")
    features, hidden = inputs_of(run.processor.hidden_size)
    module = hk.transform(lambda *inputs: nar.PROCESSORS["mpnn"](run.processor.hidden_size)(*inputs).nodes)
    expected = jax.jit(module.apply)(run.params["processor"], None, features, hidden)
    found = jax.jit(lambda *inputs: run.processor(*inputs).nodes)(features, hidden)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_processor_is_frozen_and_differentiable_inside_another_model(folder):
    processor = nar.pretrained("bfs").processor
    features, hidden = inputs_of(processor.hidden_size)

    def forward(nodes):
        nodes = hk.Linear(processor.hidden_size, name="mine")(nodes)
        return processor(features._replace(nodes=nodes), hidden).nodes.sum()

    model = hk.without_apply_rng(hk.transform(forward))
    params = jax.jit(model.init)(jax.random.key(0), features.nodes)
    assert set(params) == {"mine"}
    gradients = jax.jit(jax.grad(model.apply))(params, features.nodes)
    assert float(jnp.abs(gradients["mine"]["w"]).max()) > 0
    by_hidden = jax.jit(jax.grad(lambda states: processor(features, states).nodes.sum()))(hidden)
    assert float(jnp.abs(by_hidden).max()) > 0


@pytest.mark.slow
def test_processor_takes_other_parameters(folder):
    processor = nar.pretrained("bfs").processor
    features, hidden = inputs_of(processor.hidden_size)
    params = processor.random_params(jax.random.key(1), features, hidden)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, processor.params)
    differ = jax.tree.map(lambda one, other: not np.array_equal(one, other), params, processor.params)
    assert differ["mpnn/own"]["w"]
    assert processor.apply(params, features, hidden).nodes.shape == hidden.shape


def test_arrays_of_other_sizes_are_errors(folder):
    processor = nar.pretrained("bfs").processor
    features, hidden = inputs_of(processor.hidden_size)
    wrong = [
        (features._replace(nodes=features.nodes[..., :2]), hidden, r"nodes must be of shape \(2, 3, 4\)"),
        (features._replace(edges=features.nodes), hidden, r"edges must be of shape \(2, 3, 3, 4\)"),
        (features, hidden[..., :2], r"hidden must be of shape \(2, 3, 4\) .*, got \(2, 3, 2\)"),
        (features, hidden[0], r"hidden must be of shape \[B, N, 4\], got \(3, 4\)"),
    ]
    for some_features, states, message in wrong:
        with pytest.raises(ValueError, match=message):
            processor(some_features, states)
