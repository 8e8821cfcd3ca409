"""Hints as network inputs: dense values, feedback functions, teacher forcing."""

import dataclasses
import functools

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import tasks
from networks import (
    BATCH,
    INDICES,
    assert_close,
    batch_of,
    differ,
    logits_shape,
    mark_slow,
    max_abs,
    network,
    predict,
    with_garbage,
)

from experiments.examples.straight_through_gumbel import straight_through_gumbel
from nar.kinds import BUILT_IN_KINDS
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
from nar.model.hints import densify
from nar.processors import PGN
from nar.runs.components.model import make_net_config
from nar.runs.config import ModelConfig
from nar.specs import Kind, Location, Probe, Stage

slow = pytest.mark.slow

# ---------------------------------------------------------------------------------------------------
# Dense values


NODES = 5
every_probe_type = pytest.mark.parametrize(("location", "kind"), every_kind.PROBE_TYPES)
HINTS = {probe_type: every_kind.make_probe(Stage.HINT, *probe_type) for probe_type in every_kind.PROBE_TYPES}


def dm_clrs_type(kind):
    return oracle.specs.Type.POINTER if kind is Kind.SHOULD_BE_PERMUTATION else kind.name


def dm_clrs_postprocess(probe, logits, hard):
    rows = {probe.name: (probe.stage.value, probe.location.value, dm_clrs_type(probe.kind))}
    value = oracle.decoders.postprocess(rows, {probe.name: logits}, 0.1, 7, hard)[probe.name].data
    if hard and probe.kind in INDICES:
        return jax.nn.one_hot(value.astype(int), logits.shape[-1])
    return value


@functools.cache
def decoded_hints():
    """Soft and hard decodings of random logits by probe type, ours and those of dm-clrs."""
    random = np.random.default_rng(0)
    logits = {
        probe_type: (3 * random.standard_normal((2, *logits_shape(probe, NODES)))).astype(np.float32)
        for probe_type, probe in HINTS.items()
    }

    def decode(logits):
        return {
            probe_type: (
                [function(probe, logits[probe_type], 7) for function in (decode_soft, decode_hard)],
                [dm_clrs_postprocess(probe, logits[probe_type], hard) for hard in (False, True)],
            )
            for probe_type, probe in HINTS.items()
        }

    with oracle.relaxed():
        return jit_by_probe_type(decode, logits)


def jit_by_probe_type(function, by_type):
    """Jits a function of dictionaries by probe type, which are no pytrees since keys cannot be sorted."""
    types = list(by_type)

    def call(values):
        result = function(dict(zip(types, values, strict=True)))
        return [result[one] for one in types]

    results = jax.jit(call)([by_type[one] for one in types])
    return dict(zip(types, results, strict=True))


@every_probe_type
def test_decoded_hints_are_those_of_dm_clrs(location, kind):
    ours, theirs = decoded_hints()[location, kind]
    for value, expected in zip(ours, theirs, strict=True):
        assert_close(value, expected)


@functools.cache
def dense_values():
    """By probe type: dense ground truth, and hard and soft decodings of confident logits of it."""
    truth = {
        probe_type: every_kind.random_truth(np.random.default_rng(0), probe, (2,), NODES)
        for probe_type, probe in HINTS.items()
    }

    def convert(truth):
        result = {}
        for probe_type, probe in HINTS.items():
            dense = densify(probe, truth[probe_type], NODES)
            logits = dense if probe.kind is Kind.SCALAR else 100 * (dense - 0.5)
            result[probe_type] = dense, decode_hard(probe, logits), decode_soft(probe, logits)
        return result

    return jit_by_probe_type(convert, truth)


@pytest.mark.slow
@every_probe_type
def test_ground_truth_and_confident_predictions_have_the_same_dense_form(location, kind):
    dense, hard, soft = dense_values()[location, kind]
    assert dense.dtype == jnp.float32
    assert dense.shape == (2, *logits_shape(HINTS[location, kind], NODES))
    assert_close(hard, dense)
    assert_close(soft, dense, 1e-4)


# ---------------------------------------------------------------------------------------------------
# Feedback


EXAMPLE = "experiments.examples.straight_through_gumbel:straight_through_gumbel"
TRAINING = FeedbackContext(is_training=True, next_key=lambda: jax.random.key(0))


def no_key():
    raise AssertionError("evaluation has no random key")


EVALUATION = FeedbackContext(is_training=False, next_key=no_key)
NODE_HINTS = {kind: every_kind.make_probe(Stage.HINT, Location.NODE, kind) for kind in BUILT_IN_KINDS}


def random_logits(kind, num_nodes=4):
    shape = NODE_HINTS[kind].shape(num_nodes)
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
        (
            "loud",
            "unknown hint_feedback 'loud'; known: soft, hard, hard_on_eval, changes, or module:FUNCTION",
        ),
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


@pytest.mark.slow
@pytest.mark.parametrize("is_training", [False, True])
def test_hint_feedback(is_training):
    batch = batch_of("bfs")
    hints = {
        feedback: predict("bfs", batch, "mpnn", is_training, hint_feedback=feedback)[0].hints["reach_h"]
        for feedback in HINT_FEEDBACKS
    }
    # The first step always receives true hints.
    assert_close(hints["hard"][0], hints["soft"][0])
    assert differ(hints["hard"][1], hints["soft"][1])
    same = "soft" if is_training else "hard"
    np.testing.assert_array_equal(hints["hard_on_eval"], hints[same])


@pytest.mark.parametrize("feedback", ["soft", "hard"])
def test_only_soft_hints_propagate_gradients(feedback):
    """Directional derivative of outputs with respect to the parameters of a hint decoder."""
    batch, (model, params, _) = batch_of("bfs"), network("bfs", "pgn", hint_feedback=feedback)
    zeros = jax.tree.map(np.zeros_like, params)

    def only(module):
        return {**zeros, "bfs": {**zeros["bfs"], module: params["bfs"][module]}}

    decoder = only("decode/reach_h/node")

    @jax.jit
    def derivative(direction):
        outputs = lambda params: model.apply(params, None, "bfs", batch, False).outputs  # noqa: E731
        return jax.jvp(outputs, (params,), (direction,))[1]

    assert (max_abs(derivative(decoder)) > 0) == (feedback == "soft")
    encoder = only("encode/reach_h_0")
    assert max_abs(derivative(encoder)) > 0


# ---------------------------------------------------------------------------------------------------
# The example: straight-through Gumbel-softmax


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[slow] if kind is Kind.PERMUTATION_POINTER else [])
        for kind in BUILT_IN_KINDS
        if not kind.is_number
    ],
)
def test_straight_through_values_are_hard_and_gradients_soft(kind):
    probe, logits = NODE_HINTS[kind], random_logits(kind)

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
    probe, logits = NODE_HINTS[kind], random_logits(kind)[0]
    keys = jax.random.split(jax.random.key(1), 4000)

    @jax.jit
    def mean(keys):
        draw = lambda key: straight_through_gumbel(probe, logits, TRAINING._replace(next_key=lambda: key))  # noqa: E731
        return jax.vmap(draw)(keys).mean(axis=0), decode_soft(probe, logits)

    np.testing.assert_allclose(*mean(keys), atol=0.04)


def descend(leaf, gradient):
    return leaf - 0.1 * gradient


@pytest.mark.slow
def test_a_custom_feedback_named_in_a_config_trains_hint_decoders():
    """Gradients of the outputs alone reach the hint decoder, as they do not with hard hints."""
    spec, truth = batch()
    gradients, values = {}, []
    for name in (EXAMPLE, "hard"):
        section = ModelConfig(processor="pgn", hidden_size=4, hint_feedback=name)
        model = make_model(make_net_config(section), {"task": spec})

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


# ---------------------------------------------------------------------------------------------------
# Teacher forcing


@pytest.mark.parametrize("task", mark_slow((task,) for task in tasks.COVERING))
def test_teacher_forcing_feeds_true_hints(task):
    """True hints of all steps but the first and the last, if there are any, affect training predictions."""
    batch = batch_of(task)
    options = {"processor": "mpnn", "teacher_forcing": 1.0}
    forced, _ = predict(task, batch, is_training=True, **options)
    garbage, _ = predict(task, with_garbage(batch, 1, batch.num_steps - 1), is_training=True, **options)
    assert differ(forced.hints, garbage.hints) == (batch.num_steps > 2)
    garbage_at_end = with_garbage(batch, batch.num_steps - 1, None)
    unchanged, _ = predict(task, garbage_at_end, is_training=True, **options)
    jax.tree.map(np.testing.assert_array_equal, unchanged, forced)


def test_evaluation_has_no_teacher_forcing():
    batch = batch_of("bfs")
    with_option, _ = predict("bfs", batch, teacher_forcing=1.0)
    without, _ = predict("bfs", batch)
    jax.tree.map(np.testing.assert_array_equal, with_option, without)


@pytest.mark.slow
def test_teacher_forcing_is_drawn_per_sample():
    """With probability one half, the second step of a sample is fed either true or predicted hints.

    A trace with a single step has no true hints there.
    """
    has_second = batch_of("bfs").lengths > 1
    assert 1 < has_second.sum() < BATCH

    def second_step(probability, key=0):
        predictions, _ = predict(
            "bfs", batch_of("bfs"), "mpnn", is_training=True, key=key, teacher_forcing=probability
        )
        return np.asarray(predictions.hints["reach_h"][1])

    never, always = second_step(0.0), second_step(1.0)
    np.testing.assert_array_equal(np.abs(always - never).max(axis=1) > 1e-3, has_second)
    num_forced = 0
    for key in range(10):
        hints = second_step(0.5, key)
        forced, free = (np.isclose(hints, x, atol=1e-5).all(axis=1) for x in (always, never))
        np.testing.assert_array_equal(forced ^ free, has_second)
        num_forced += forced[has_second].sum()
    assert 4 < num_forced < 10 * has_second.sum() - 4


# ---------------------------------------------------------------------------------------------------
# Pointers that change only where a mask says so


def test_pointers_change_only_where_their_mask_is_positive():
    pointer = Probe("parent", Stage.HINT, Location.NODE, Kind.POINTER)
    mask = Probe("parent_changes", Stage.HINT, Location.NODE, Kind.MASK)
    random = np.random.default_rng(0)
    logits = {
        "parent": jnp.asarray(random.standard_normal((2, 4, 4)), jnp.float32),
        "parent_changes": jnp.asarray(random.standard_normal((2, 4)), jnp.float32),
    }
    before = {"parent": jnp.broadcast_to(jnp.eye(4), (2, 4, 4)), "parent_changes": jnp.zeros((2, 4))}
    context = EVALUATION._replace(hints=before, logits=logits)
    feedback = find_hint_feedback("changes")
    values = {probe.name: feedback(probe, logits[probe.name], context) for probe in (pointer, mask)}
    changed = np.asarray(logits["parent_changes"]) > 0
    expected = np.where(changed, np.asarray(logits["parent"]).argmax(-1), np.arange(4))
    np.testing.assert_array_equal(values["parent"].argmax(-1), expected)
    np.testing.assert_array_equal(values["parent_changes"], changed)
    alone = feedback(pointer, logits["parent"], EVALUATION._replace(logits={"parent": logits["parent"]}))
    np.testing.assert_array_equal(alone.argmax(-1), logits["parent"].argmax(-1))
