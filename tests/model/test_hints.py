"""Feedback functions of hints: lookup, checks of what they return, and a custom one in training."""

import dataclasses
import functools

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import base
from experiments.examples.straight_through_gumbel import straight_through_gumbel
from nar.losses import losses_by_probe, total_loss
from nar.model import (
    HINT_FEEDBACKS,
    FeedbackContext,
    NetConfig,
    decode_hard,
    decode_soft,
    find_hint_feedback,
    make_model,
)
from nar.processors import PGN
from nar.runs.build_model import make_net_config
from nar.specs import Kind, Location, Stage

EXAMPLE = "experiments.examples.straight_through_gumbel:straight_through_gumbel"
TRAINING = FeedbackContext(is_training=True, next_key=lambda: jax.random.key(0))


def no_key():
    raise AssertionError("evaluation has no random key")


EVALUATION = FeedbackContext(is_training=False, next_key=no_key)
HINTS = {kind: every_kind.make_probe(Stage.HINT, Location.NODE, kind) for kind in Kind}


def random_logits(kind, num_nodes=4):
    shape = HINTS[kind].shape(num_nodes)
    if kind in (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION):
        shape += (num_nodes,)
    return np.random.default_rng(0).standard_normal((64, *shape)).astype(np.float32)


def test_find_hint_feedback():
    for name, function in HINT_FEEDBACKS.items():
        assert find_hint_feedback(name) is function
    assert find_hint_feedback(EXAMPLE) is straight_through_gumbel


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("loud", "unknown hint_feedback 'loud'; known: soft, hard, hard_on_eval, or module:FUNCTION"),
        ("no_such_module:f", "hint_feedback 'no_such_module:f' cannot be imported"),
        (f"{EXAMPLE}s", "has no hint_feedback 'straight_through_gumbels'; it has: straight_through_gumbel"),
    ],
)
def test_unknown_feedback_raises(name, message):
    with pytest.raises(ValueError, match=message):
        NetConfig(PGN, hint_feedback=name)


def sums(probe, logits, context):
    return logits.sum(axis=-1)


def halves(probe, logits, context):
    return logits.astype(jnp.bfloat16)


@functools.cache
def batch():
    spec = every_kind.small_spec(Location.NODE, Kind.MASK_ONE)
    return spec, every_kind.random_batch(0, spec)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (sums, r"hint feedback of hint_node_mask_one must return float32\[.*\], got float32\["),
        (halves, r"must return float32\[.*\], got bfloat16\["),
    ],
)
def test_feedback_of_another_shape_or_dtype_raises(function, message):
    spec, truth = batch()
    name = f"{__name__}:{function.__name__}"
    model = make_model(NetConfig(PGN, 4, hint_feedback=name), {"task": spec})
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), {"task": truth})


# ---------------------------------------------------------------------------------------------------
# The example: straight-through Gumbel-softmax


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.SCALAR])
def test_straight_through_values_are_hard_and_gradients_soft(kind):
    probe, logits = HINTS[kind], random_logits(kind)

    @jax.jit
    def evaluate(logits):
        draw = functools.partial(straight_through_gumbel, probe)
        weights = jnp.cos(jnp.arange(logits.size)).reshape(logits.shape)
        gradient = jax.grad(lambda x: (weights * draw(x, TRAINING)).sum())(logits)
        return draw(logits, TRAINING), gradient, draw(logits, EVALUATION), decode_hard(probe, logits)

    sampled, gradient, evaluated, hard = map(np.asarray, evaluate(logits))
    assert set(np.unique(sampled)) == {0, 1}
    if kind is not Kind.MASK:
        np.testing.assert_array_equal(sampled.sum(axis=-1), 1)
    assert not np.array_equal(sampled, hard)
    np.testing.assert_array_equal(evaluated, hard)
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 1e-3


@pytest.mark.parametrize("kind", [Kind.MASK, Kind.MASK_ONE])
def test_straight_through_samples_have_the_soft_probabilities(kind):
    probe, logits = HINTS[kind], random_logits(kind)[0]
    keys = jax.random.split(jax.random.key(1), 4000)

    @jax.jit
    def mean(keys):
        draw = lambda key: straight_through_gumbel(probe, logits, TRAINING._replace(next_key=lambda: key))  # noqa: E731
        return jax.vmap(draw)(keys).mean(axis=0), decode_soft(probe, logits)

    np.testing.assert_allclose(*mean(keys), atol=0.04)


def descend(leaf, gradient):
    return leaf - 0.1 * gradient


def test_a_custom_feedback_named_in_a_config_trains_hint_decoders():
    """Gradients of the outputs alone reach the hint decoder, as they do not with hard hints."""
    spec, truth = batch()
    section = base.get_config().to_dict()["model"] | {"processor": "pgn", "hidden_size": 4}
    gradients, values = {}, []
    for name in (EXAMPLE, "hard"):
        model = make_model(make_net_config({**section, "hint_feedback": name}), {"task": spec})

        @jax.jit
        def step(params, key, model=model):
            def output_loss(params):
                predictions = model.apply(params, key, "task", truth, True)
                return total_loss(losses_by_probe(spec, truth, dataclasses.replace(predictions, hints={})))

            value, gradient = jax.value_and_grad(output_loss)(params)
            return jax.tree.map(descend, params, gradient), value, gradient

        params = model.init(jax.random.key(0), {"task": truth})
        for _ in range(20):
            params, value, gradient = step(params, jax.random.key(0))
            values.append(float(value))
        gradients[name] = [
            np.abs(leaf).max()
            for path, leaf in jax.tree.leaves_with_path(gradient)
            if f"decode/{spec.hints[0].name}/" in jax.tree_util.keystr(path)
        ]
    assert max(gradients[EXAMPLE]) > 1e-6 and not any(gradients["hard"])
    assert values[19] < 0.9 * values[0]
