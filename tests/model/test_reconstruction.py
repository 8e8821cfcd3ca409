"""Noise on hints that are fed back, and hints that are decoded from their own encoding."""

import functools

import every_kind
import jax
import numpy as np
import pytest
from networks import batch_of, differ, logits_shape, network, predict

from nar.losses import LOSS_MASKS, LOSSES, RECONSTRUCTION, loss_terms
from nar.model import NetConfig, Predictions
from nar.model.hints import add_noise
from nar.model.params_by_task import flatten_tasks
from nar.processors import MPNN

WEIGHT = {"reconstruction_weight": 0.1}


def test_noise_has_the_given_deviation_in_every_entry():
    values = {"a": np.zeros((50, 40, 30), "f"), "b": np.full((50, 40), 2, "f")}
    noisy = add_noise(values, 0.3, jax.random.key(0))
    assert noisy.keys() == values.keys() and noisy["a"].dtype == np.float32
    for name, value in values.items():
        difference = np.asarray(noisy[name]) - value
        assert abs(difference.mean()) < 0.03 and difference.std() == pytest.approx(0.3, abs=0.02)
    first, second = noisy["a"][:, :, 0].ravel(), (noisy["b"] - 2).ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("teacher_forcing", [0.0, 1.0])
def test_noise_changes_training_only_whether_hints_are_true_or_predicted(teacher_forcing):
    options = {"processor": "pgn", "teacher_forcing": teacher_forcing}
    hints = {}
    for noise in (0.0, 0.5):
        for training in (False, True):
            result, _ = predict("bfs", batch_of("bfs"), is_training=training, hint_noise=noise, **options)
            hints[noise, training] = result.hints
    assert not differ(hints[0.0, False], hints[0.5, False], 0)
    assert differ(hints[0.0, True], hints[0.5, True])


@pytest.mark.slow
def test_noise_does_not_change_which_nodes_are_neighbors():
    """A network that sees the adjacency of hints only: all of its weights from features are zero."""
    batch = batch_of("bfs")
    _, params, apply = network("bfs", "pgn", hint_noise=3.0, teacher_forcing=1.0)
    flat = flatten_tasks(params)
    values = {
        name: {
            key: np.zeros_like(leaf) if "encode" in name and key == "w" and name.endswith("_h_0") else leaf
            for key, leaf in leaves.items()
        }
        for name, leaves in flat.items()
    }
    results = [_apply(apply, params, flat, values, batch, key).hints for key in (0, 1)]
    assert not differ(*results, 0)


def _apply(apply, params, flat, values, batch, key):
    leaves = {id(flat[name][one]): values[name][one] for name in flat for one in flat[name]}
    changed = jax.tree.map(lambda leaf: leaves[id(leaf)], params)
    return apply(changed, batch, True, jax.random.key(key))[0]


@pytest.mark.slow
def test_losses_of_reconstructions_are_means_over_the_steps_that_were_taken():
    batch = every_kind.random_batch(0, every_kind.SPEC, 3, 4, 5, True)
    random = np.random.default_rng(0)
    logits = {
        probe.name: random.standard_normal((4, 3, *logits_shape(probe, 4))).astype("f")
        for probe in every_kind.SPEC.hints
    }
    steps = np.asarray(batch.lengths) - 1
    assert len(set(steps)) > 1
    predictions = Predictions(outputs={}, hints={}, losses={}, steps=steps, reconstructions=logits)
    spec = type(every_kind.SPEC)(probe for probe in every_kind.SPEC.values() if probe not in OUTPUTS)
    terms = loss_terms(spec, batch, predictions)
    assert set(terms) == {f"{RECONSTRUCTION}/{name}" for name in logits}
    for probe in every_kind.SPEC.hints:
        total, count = 0.0, 0
        for row, taken in enumerate(steps):
            for step in range(taken):
                truth = batch.hints[probe.name][step, row][None]
                losses = np.asarray(LOSSES[probe.kind](truth, logits[probe.name][step, row][None]))
                mask = np.asarray(LOSS_MASKS[probe.kind](truth))
                total, count = total + losses[mask].sum(), count + mask.sum()
        term = terms[f"{RECONSTRUCTION}/{probe.name}"]
        assert term.count == count
        assert float(term.sum) == pytest.approx(total, rel=1e-4), probe.name


OUTPUTS = set(every_kind.SPEC.outputs)


@functools.cache
def gradients():
    """By module, whether the losses of reconstructions depend on it if all hints are true ones."""
    model, params, _ = network("bfs", "mpnn", teacher_forcing=1.0, **WEIGHT)

    def loss(params):
        predictions = model.apply(params, jax.random.key(0), "bfs", batch_of("bfs"), True)
        terms = loss_terms(model.specs["bfs"], batch_of("bfs"), predictions)
        return sum(term.mean for name, term in terms.items() if name.startswith(RECONSTRUCTION))

    flat = flatten_tasks(jax.jit(jax.grad(loss))(params))
    return {name: any(np.any(leaf) for leaf in leaves.values()) for name, leaves in flat.items()}


@pytest.mark.slow
def test_reconstructions_depend_on_encoders_and_their_own_decoders_only():
    depends = {name for name, has_gradient in gradients().items() if has_gradient}
    assert {"bfs/encode/reach_h_0", "bfs/reconstruct/reach_h/node", "bfs/encode/pi_h_0"} <= depends
    assert all(name.startswith(("bfs/encode/", "bfs/reconstruct/")) for name in depends)


@pytest.mark.slow
def test_reconstructions_are_made_in_training_only():
    batch = batch_of("bfs")
    assert predict("bfs", batch, **WEIGHT)[0].reconstructions == {}
    trained, _ = predict("bfs", batch, is_training=True, **WEIGHT)
    assert set(trained.reconstructions) == {"reach_h", "pi_h"}
    assert all(name.partition("/")[2][:11] != "reconstruct" for name in flatten_tasks(network("bfs")[1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hint_noise": -0.1}, "hint_noise must be a finite number >= 0, got -0.1"),
        ({"reconstruction_weight": float("nan")}, "reconstruction_weight must be a finite number >= 0"),
        (
            {"hint_noise": 0.1, "hint_mode": "decoded_only"},
            "hint_noise requires a hint_mode that feeds hints back, got decoded_only",
        ),
        (
            {"reconstruction_weight": 0.1, "hint_mode": "encoded_without_loss"},
            "reconstruction_weight requires hint_mode encoded_decoded, got encoded_without_loss",
        ),
    ],
)
def test_options_without_effect_are_rejected(options, message):
    with pytest.raises(ValueError, match=message):
        NetConfig(MPNN, 4, **options)
