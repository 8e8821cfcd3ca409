"""The network: complete registries, no leakage of ground truth, and invariances of the predictions."""

import contextlib
import dataclasses
import functools

import every_kind
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import tasks

import nar
from nar import specs
from nar.data import Task, TrainingStream, Transforms, pad_batch, pad_nodes, pad_steps, take
from nar.evaluation import SCORES
from nar.losses import LOSS_MASKS, LOSSES, losses_by_probe
from nar.model import HINT_FEEDBACKS, NetConfig, decode_hard, decode_soft, make_model
from nar.model import hints as values
from nar.model.decoders import DECODERS, max_dot
from nar.model.dm_clrs import convert_parameters
from nar.model.encoders import ENCODER_CHANNELS
from nar.model.hints import densify
from nar.model.params_by_task import flatten_tasks
from nar.model.sinkhorn import log_sinkhorn
from nar.processors import MPNN, PGN, PROCESSORS, ProcessorOutput
from nar.specs import Kind, Location, Stage
from nar.traces import clrs30_sample, sample_traces
from nar.training import Devices, TrainState, make_optimizer, make_train_step
from nar.training.loop import Compilations

HIDDEN = 16
BATCH = 3
TASKS = [*nar.ALGORITHMS, every_kind.NAME]
QUICK = ("bfs",)
"""Other tasks are marked slow."""
slow = pytest.mark.slow


def mark_slow(cases, quick=QUICK):
    """Marks cases `(task, ...)` slow unless their task is in `QUICK`."""
    return [pytest.param(*case, marks=[] if case[0] in quick else [slow]) for case in cases]


every_task = pytest.mark.parametrize("task", mark_slow((task,) for task in TASKS))
every_algorithm = pytest.mark.parametrize("algorithm", nar.ALGORITHMS)
each_kind = pytest.mark.parametrize("kind", Kind)

POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)
NODE_AXES = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def spec_of(task):
    return every_kind.SPEC if task == every_kind.NAME else Transforms().spec(nar.ALGORITHMS[task])


@functools.cache
def batch_of(task):
    """Three traces, the longest first; of different lengths if the algorithm has different lengths."""
    if task == every_kind.NAME:
        return every_kind.random_batch(0, batch_size=BATCH)
    algorithm = nar.ALGORITHMS[task]
    traces = sample_traces(task, max(5, algorithm.problem.min_size), 10, seed=2)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    batch = Transforms().apply(algorithm, traces, uniforms)
    longest_first = np.argsort(-batch.lengths, kind="stable")
    return take(batch, longest_first[[0, 4, 9]])


def random_params(model, task):
    """Random parameters of the right shapes, with biases and scales different from 0 and 1."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), {task: batch_of(task)})
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )


@functools.cache
def network(task, processor="triplet_gpgn", **options):
    """Model, parameters, and a compiled function that returns predictions and losses."""
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN, **options), {task: spec_of(task)})

    @functools.partial(jax.jit, static_argnums=2)
    def predict(params, batch, is_training, key):
        predictions = model.apply(params, key, task, batch, is_training)
        return predictions, losses_by_probe(model.specs[task], batch, predictions)

    return model, random_params(model, task), predict


def predict(task, batch, processor="triplet_gpgn", is_training=False, key=0, **options):
    """Predictions, and losses by probe."""
    _, params, apply = network(task, processor, **options)
    return apply(params, batch, is_training, jax.random.key(key))


def assert_close(first, second, tolerance=1e-5, names=""):
    """Asserts equality relative to the largest logit; masked logits must be masked in both."""
    first, second = np.asarray(first), np.asarray(second)
    assert first.shape == second.shape, names
    masked = second < -1e5
    np.testing.assert_array_equal(first < -1e5, masked, err_msg=names)
    scale = max(1.0, np.abs(second[~masked]).max(initial=0.0))
    np.testing.assert_allclose(
        first[~masked], second[~masked], rtol=tolerance, atol=tolerance * scale, err_msg=names
    )


def differ(first, second, tolerance=1e-4):
    """True if any leaf of two trees differs by more than `tolerance`."""
    distances = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), first, second)
    return any(distance > tolerance for distance in jax.tree.leaves(distances))


def max_abs(tree):
    """Largest absolute value of all leaves."""
    return max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree))


# ---------------------------------------------------------------------------------------------------
# Registries


@each_kind
@pytest.mark.parametrize(
    "table",
    [specs.DTYPES, values._DENSE, values._SOFT, values._HARD, LOSS_MASKS, LOSSES, SCORES],
    ids=range(7),
)
def test_every_registry_covers_every_kind(table, kind):
    assert kind in table


@pytest.mark.parametrize("table", [ENCODER_CHANNELS, DECODERS], ids=["ENCODER_CHANNELS", "DECODERS"])
def test_registries_cover_every_location_and_kind(table):
    assert set(every_kind.PROBE_TYPES) <= set(table)


@every_algorithm
def test_every_probe_has_an_encoder_and_decoder(algorithm):
    for probe in spec_of(algorithm).values():
        if probe.stage is not Stage.OUTPUT:
            assert (probe.location, probe.kind) in ENCODER_CHANNELS
        if probe.stage is not Stage.INPUT:
            assert (probe.location, probe.kind) in DECODERS


# ---------------------------------------------------------------------------------------------------
# Shapes


def logits_shape(probe, num_nodes):
    return probe.shape(num_nodes) + ((num_nodes,) if probe.kind in INDICES else ())


@every_task
def test_predictions_have_the_shapes_of_their_probes(task):
    batch, spec = batch_of(task), spec_of(task)
    num_nodes = batch.inputs["pos"].shape[1]
    predictions, losses = predict(task, batch)
    assert set(predictions.outputs) == {probe.name for probe in spec.outputs}
    assert set(predictions.hints) == {probe.name for probe in spec.hints}
    assert set(losses) == set(predictions.outputs) | set(predictions.hints)
    for probe in spec.outputs:
        assert predictions.outputs[probe.name].shape == (BATCH, *logits_shape(probe, num_nodes))
    for probe in spec.hints:
        shape = (batch.num_steps - 1, BATCH, *logits_shape(probe, num_nodes))
        assert predictions.hints[probe.name].shape == shape
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((predictions, losses)))


# ---------------------------------------------------------------------------------------------------
# No leakage of ground truth


def garbage_like(value):
    random = np.random.default_rng(0)
    if value.dtype.kind == "f":
        return 10 * random.standard_normal(value.shape)
    return random.integers(-1, 3, value.shape).astype(value.dtype)


def with_garbage(batch, first, last):
    """Replaces the outputs and the true hints of steps `first` ... `last - 1` by garbage."""

    def hint(value):
        value = value.copy()
        value[first:last] = garbage_like(value[first:last])
        return value

    return dataclasses.replace(
        batch,
        hints={name: hint(value) for name, value in batch.hints.items()},
        outputs={name: garbage_like(value) for name, value in batch.outputs.items()},
    )


@pytest.mark.parametrize(
    ("task", "is_training", "processor"),
    [
        *mark_slow((task, False, "triplet_gpgn") for task in TASKS),
        *mark_slow((task, True, "triplet_gpgn") for task in ("bfs", "insertion_sort")),
        *mark_slow((task, False, "pgn_mask") for task in ("bfs", "insertion_sort")),
        pytest.param(every_kind.NAME, False, "pgn_mask", marks=slow),
    ],
)
def test_predictions_do_not_depend_on_later_hints_or_outputs(task, is_training, processor):
    batch = batch_of(task)
    garbage = with_garbage(batch, 1, None)
    (before, losses), (after, other_losses) = (
        predict(task, b, processor, is_training=is_training) for b in (batch, garbage)
    )
    jax.tree.map(np.testing.assert_array_equal, after, before)
    assert differ(losses, other_losses)
    first_step, _ = predict(task, with_garbage(batch, 0, 1), processor, is_training=is_training)
    assert differ(first_step.outputs, before.outputs)


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=[slow] * (task != "bfs")) for task in (*tasks.COVERING, every_kind.NAME)],
)
def test_predictions_have_no_gradient_with_respect_to_later_hints_or_outputs(task):
    """The gradient is exactly zero, while that of the initial hints is not."""
    batch, spec, (model, params, _) = batch_of(task), spec_of(task), network(task, "pgn")
    truth = {
        name: value.astype(np.float32)
        for stage in (batch.hints, batch.outputs)
        for name, value in stage.items()
        if spec[name].kind not in INDICES
    }

    @jax.jit
    def gradient(truth, seed):
        """Gradient of a random linear combination of all predictions."""

        def predictions(truth):
            with_floats = dataclasses.replace(
                batch,
                hints={name: truth.get(name, value) for name, value in batch.hints.items()},
                outputs={name: truth.get(name, value) for name, value in batch.outputs.items()},
            )
            predicted = model.apply(params, None, task, with_floats, False)
            return predicted.outputs, predicted.hints

        predicted, vjp = jax.vjp(predictions, truth)
        leaves, structure = jax.tree.flatten(predicted)
        keys = jax.random.split(jax.random.key(seed), len(leaves))
        weights = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        return vjp(jax.tree.unflatten(structure, weights))[0]

    for name, value in gradient(truth, 0).items():
        if name in batch.hints:
            assert np.abs(value[0]).max() > 1e-6, name
            value = value[1:]
        assert not np.any(value), name


@pytest.mark.parametrize("task", mark_slow((task,) for task in nar.ALGORITHMS))
def test_teacher_forcing_feeds_true_hints(task):
    """True hints of all steps but the last affect training predictions."""
    batch = batch_of(task)
    options = {"processor": "mpnn", "teacher_forcing": 1.0}
    forced, _ = predict(task, batch, is_training=True, **options)
    garbage, _ = predict(task, with_garbage(batch, 1, batch.num_steps - 1), is_training=True, **options)
    assert differ(forced.hints, garbage.hints)
    garbage_at_end = with_garbage(batch, batch.num_steps - 1, None)
    unchanged, _ = predict(task, garbage_at_end, is_training=True, **options)
    jax.tree.map(np.testing.assert_array_equal, unchanged, forced)


def test_evaluation_has_no_teacher_forcing():
    batch = batch_of("bfs")
    with_option, _ = predict("bfs", batch, teacher_forcing=1.0)
    without, _ = predict("bfs", batch)
    jax.tree.map(np.testing.assert_array_equal, with_option, without)


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
# Padding


def without_padding_nodes(probe, value, leading, num_nodes):
    axes = NODE_AXES[probe.location] + (probe.kind in POINTERS)
    return np.asarray(value)[(slice(None),) * leading + (slice(num_nodes),) * axes]


@pytest.mark.parametrize(
    ("task", "processor"),
    [
        *mark_slow(((task, "triplet_gpgn") for task in TASKS), ("bfs", every_kind.NAME)),
        *(
            pytest.param("bfs", name, marks=slow)
            for name in ("triplet_gmpnn", "gatv2", "deepsets", "memnet_full")
        ),
        *mark_slow((task, "pgn_mask") for task in ("bfs", "insertion_sort")),
        pytest.param(every_kind.NAME, "pgn_mask", marks=slow),
    ],
)
def test_padding_of_steps_and_nodes_does_not_change_predictions_or_losses(task, processor):
    batch, spec = batch_of(task), spec_of(task)
    num_nodes = batch.inputs["pos"].shape[1]
    padded = pad_nodes(pad_steps(batch, batch.num_steps + 3), spec, num_nodes + 2)
    (before, losses), (after, losses_after) = (predict(task, b, processor) for b in (batch, padded))
    for name, loss in losses.items():
        assert_close(losses_after[name], loss, 1e-4, name)
    for probe in spec.outputs:
        value = without_padding_nodes(probe, after.outputs[probe.name], 1, num_nodes)
        assert_close(value, before.outputs[probe.name], 1e-4, probe.name)
    for probe in spec.hints:
        value = without_padding_nodes(probe, after.hints[probe.name], 2, num_nodes)
        assert_close(value[: batch.num_steps - 1], before.hints[probe.name], 1e-4, probe.name)
        assert not after.hints[probe.name][batch.num_steps - 1 :].any()


@every_task
def test_predictions_do_not_depend_on_longer_traces_in_the_batch(task):
    batch = batch_of(task)
    batched, _ = predict(task, batch)
    for index, length in enumerate(batch.lengths):
        single = pad_batch(pad_steps(take(batch, slice(index, index + 1)), batch.num_steps), BATCH)
        predictions, _ = predict(task, single)
        for name, value in batched.outputs.items():
            assert_close(predictions.outputs[name][0], value[index], names=name)
        for name, value in batched.hints.items():
            assert_close(predictions.hints[name][: length - 1, 0], value[: length - 1, index], names=name)


@pytest.mark.parametrize("task", ["bfs", "heapsort", "lcs_length", every_kind.NAME])
def test_batches_have_different_lengths(task):
    assert len(set(batch_of(task).lengths)) > 1


# ---------------------------------------------------------------------------------------------------
# Permutation equivariance


def permuted_axes(probe, value, leading, order, is_dense):
    """Relabels nodes: node `a` of the result is node `order[a]` of `value`."""
    value = np.asarray(value)
    if probe.kind in INDICES and not is_dense:
        value = np.argsort(order)[value].astype(value.dtype)
    targets = probe.kind is Kind.PERMUTATION_POINTER or (probe.kind in INDICES and is_dense)
    for axis in range(NODE_AXES[probe.location] + targets):
        value = np.take(value, order, axis=leading + axis)
    return value


@every_task
def test_predictions_are_permutation_equivariant(task):
    batch, spec = batch_of(task), spec_of(task)
    order = np.random.default_rng(1).permutation(batch.inputs["pos"].shape[1])
    permuted = dataclasses.replace(
        batch,
        inputs={n: permuted_axes(spec[n], v, 1, order, False) for n, v in batch.inputs.items()},
        hints={n: permuted_axes(spec[n], v, 2, order, False) for n, v in batch.hints.items()},
        outputs={n: permuted_axes(spec[n], v, 1, order, False) for n, v in batch.outputs.items()},
    )
    (before, losses), (after, losses_after) = predict(task, batch), predict(task, permuted)
    for name, value in before.outputs.items():
        assert_close(after.outputs[name], permuted_axes(spec[name], value, 1, order, True), 1e-4, name)
    for name, value in before.hints.items():
        assert_close(after.hints[name], permuted_axes(spec[name], value, 2, order, True), 1e-4, name)
    for name, loss in losses.items():
        assert_close(losses_after[name], loss, 1e-4, name)


# ---------------------------------------------------------------------------------------------------
# Hint feedback


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
# Dense values


NODES = 5
every_probe_type = pytest.mark.parametrize(("location", "kind"), every_kind.PROBE_TYPES)
HINTS = {probe_type: every_kind.make_probe(Stage.HINT, *probe_type) for probe_type in every_kind.PROBE_TYPES}


def dm_clrs_type(kind):
    return oracle.specs.Type.POINTER if kind is Kind.SHOULD_BE_PERMUTATION else kind.value


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


@every_probe_type
def test_ground_truth_and_confident_predictions_have_the_same_dense_form(location, kind):
    dense, hard, soft = dense_values()[location, kind]
    assert dense.dtype == jnp.float32
    assert dense.shape == (2, *logits_shape(HINTS[location, kind], NODES))
    assert_close(hard, dense)
    assert_close(soft, dense, 1e-4)


# ---------------------------------------------------------------------------------------------------
# Permutations


def random_square(count, num_nodes):
    return np.random.default_rng(0).standard_normal((count, num_nodes, num_nodes)).astype(np.float32)


def sinkhorn(logits, iterations, **options):
    return np.asarray(jax.jit(lambda logits: jnp.exp(log_sinkhorn(logits, iterations, **options)))(logits))


@pytest.mark.parametrize("num_nodes", [2, 5])
def test_sinkhorn_is_doubly_stochastic_without_diagonal(num_nodes):
    ten_iterations = jax.jit(lambda logits: log_sinkhorn(logits, 10, temperature=1.0))
    log_matrix = random_square(3, num_nodes)
    for _ in range(6):
        log_matrix = ten_iterations(log_matrix)
    matrix = np.exp(log_matrix)
    np.testing.assert_allclose(matrix.sum(axis=-1), 1, atol=1e-4)
    np.testing.assert_allclose(matrix.sum(axis=-2), 1, atol=1e-5)
    assert not matrix[:, range(num_nodes), range(num_nodes)].any()


@pytest.mark.parametrize("has_noise", [False, True], ids=["exact", "noise"])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_sinkhorn_is_that_of_dm_clrs(has_noise, temperature):
    @jax.jit
    def both(logits, key):
        key = key if has_noise else None
        ours = log_sinkhorn(logits, 5, temperature=temperature, noise_key=key)
        return ours, oracle.decoders.log_sinkhorn(logits, 5, temperature, True, key)

    with oracle.relaxed():
        assert_close(*both(random_square(2, 4), jax.random.key(3)))


def test_sinkhorn_maps_padding_nodes_to_themselves():
    logits = random_square(2, 6)
    matrix = sinkhorn(logits, 8, mask=np.array([[True] * 4 + [False] * 2, [True] * 6]))
    assert_close(matrix[0, :4, :4], sinkhorn(logits[0, :4, :4], 8))
    np.testing.assert_array_equal(matrix[0, 4:], np.eye(6)[4:])
    np.testing.assert_array_equal(matrix[0, :, 4:], np.eye(6)[:, 4:])
    assert_close(matrix[1], sinkhorn(logits[1], 8))


def test_sinkhorn_finds_a_cycle():
    order = np.array([2, 0, 3, 1, 4])
    truth = np.zeros((5, 5), np.float32)
    truth[order, np.roll(order, 1)] = 1
    np.testing.assert_allclose(sinkhorn(truth, 10), truth, atol=1e-3)


# ---------------------------------------------------------------------------------------------------
# Functions of decoders


@pytest.mark.parametrize("decimals", [0, 6])
def test_max_dot_and_its_gradients_equal_the_plain_formula(decimals):
    """Rounding to integers produces ties."""
    random = np.random.default_rng(0)
    pair, target, w = (
        random.standard_normal(shape).round(decimals).astype(np.float32)
        for shape in ((2, 3, 3, 4), (2, 3, 4), (4,))
    )
    cotangent = random.standard_normal((2, 3, 3, 3)).astype(np.float32)

    def plain(pair, target, w):
        return jnp.einsum("bijkh,h->bijk", jnp.maximum(pair[:, :, :, None], target[:, None, None]), w)

    @jax.jit
    def both(*arguments):
        (value, vjp), (expected, plain_vjp) = (jax.vjp(f, *arguments) for f in (max_dot, plain))
        return (value, *vjp(cotangent)), (expected, *plain_vjp(cotangent))

    for value, expected in zip(*both(pair, target, w), strict=True):
        assert_close(value, expected)


# ---------------------------------------------------------------------------------------------------
# Parameters


@slow
def test_initial_parameters_have_the_statistics_of_dm_clrs():
    """Over many keys: standard deviation and maximum of every weight, and the value of every bias."""
    task, processor, size, num_keys = "bellman_ford", "triplet_gmpnn", 5, 40
    sampler, spec = oracle.clrs.build_sampler(task, 2, length=size, seed=0)
    feedback = sampler.next()
    theirs = oracle.clrs.models.BaselineModel(
        spec=[spec],
        dummy_trajectory=[feedback],
        processor_factory=oracle.clrs.get_processor_factory(processor, use_ln=True, nb_triplet_fts=8),
        hidden_dim=HIDDEN,
        encode_hints=True,
        decode_hints=True,
        encoder_init="xavier_on_scalars",
    )
    keys = jax.random.split(jax.random.key(0), num_keys)

    def init_theirs(key):
        return theirs.net_fn.init(key, [feedback.features], True, -1, False, False)

    with oracle.relaxed():
        their_params = jax.jit(jax.vmap(init_theirs))(keys)
    our_spec = spec_of(task)
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN), {task: our_spec})
    batch = Transforms().apply(nar.ALGORITHMS[task], clrs30_sample(task, size, 2, 0))
    draws = [model.init(key, {task: batch}) for key in keys]
    ours = jax.tree.map(lambda *leaves: np.stack(leaves), *draws)
    expected = convert_parameters(their_params, processor, model.specs)
    assert jax.tree.map(np.shape, ours) == jax.tree.map(np.shape, expected)
    for module, leaves in expected.items():
        for leaf, value in leaves.items():
            our_value = np.asarray(ours[module][leaf])
            if leaf == "w":
                assert our_value.std() == pytest.approx(value.std(), rel=0.2), module
                assert np.abs(our_value).max() == pytest.approx(np.abs(value).max(), rel=0.2), module
            else:
                np.testing.assert_array_equal(our_value, value, err_msg=module)
    assert np.asarray(ours[f"{task}/encode/d_0"]["w"]).std() == pytest.approx(0.88 / HIDDEN**0.5, rel=0.1)


@functools.cache
def make_shared(*names):
    """A network for some tasks, and its `init` as a function of the seed."""
    model = make_model(NetConfig(MPNN, HIDDEN), {task: spec_of(task) for task in names})
    batches = {task: batch_of(task) for task in names}
    return model, functools.cache(lambda key: dict(model.init(jax.random.key(key), batches)))


def test_initial_parameters_do_not_depend_on_the_order_of_tasks():
    _, init = make_shared("bfs", "minimum")
    _, init_in_other_order = make_shared("minimum", "bfs")
    jax.tree.map(np.testing.assert_array_equal, init(0), init_in_other_order(0))
    assert set(init(0)) == {"bfs", "minimum", "processor"}


def test_initial_parameters_of_a_task_do_not_depend_on_other_tasks():
    (_, init), (_, init_single) = make_shared("bfs", "minimum"), make_shared("bfs")
    single = init_single(0)
    jax.tree.map(np.testing.assert_array_equal, {name: init(0)[name] for name in single}, single)
    weights = {name: leaves["w"] for name, leaves in flatten_tasks(single).items() if "w" in leaves}
    for name, leaves in flatten_tasks(init_single(1)).items():
        assert name not in weights or differ(leaves["w"], weights[name], 1e-3)


def test_tasks_with_similar_names_have_different_initial_parameters():
    names = ("sort_by_key", "sort_by_size")
    spec = every_kind.small_spec(Location.NODE, Kind.MASK)
    model = make_model(NetConfig(MPNN, HIDDEN), dict.fromkeys(names, spec))
    batches = dict.fromkeys(names, every_kind.random_batch(0, spec))
    params = model.init(jax.random.key(0), batches)
    first, second = (params[name]["decode/hint_node_mask/node"]["w"] for name in names)
    assert differ(first, second, 1e-2)


def test_predictions_of_a_task_do_not_depend_on_other_tasks():
    (multi, init), (single, init_single) = make_shared("bfs", "minimum"), make_shared("bfs")
    task_params = {name: init(0)[name] for name in init_single(0)}
    predictions = [
        jax.jit(model.apply, static_argnums=(2, 4))(params, None, "bfs", batch_of("bfs"), False)
        for model, params in ((multi, init(0)), (single, task_params))
    ]
    jax.tree.map(assert_close, *predictions)


class StepCounter(hk.Module):
    """A processor that returns the node features, and its number of steps as memory and auxiliary loss."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        count = memory + 1
        return ProcessorOutput(features.nodes, memory=count, losses={"count": count.mean(axis=1)})


def test_memory_and_auxiliary_losses():
    """Memory is carried; losses are averaged over the steps of each trace, without padding."""
    batch = batch_of("bfs")
    model = make_model(NetConfig(lambda hidden_size: StepCounter(), HIDDEN), {"bfs": spec_of("bfs")})
    params = random_params(model, "bfs")
    padded = pad_steps(batch, batch.num_steps + 4)
    apply = jax.jit(model.apply, static_argnums=(2, 4))
    predictions = apply(params, None, "bfs", padded, False)
    counts = np.concatenate([np.arange(1, max(length, 2)) for length in batch.lengths])
    assert len(set(batch.lengths)) > 1
    assert float(predictions.losses["count"]) == pytest.approx(counts.mean())
    losses = jax.jit(losses_by_probe, static_argnums=0)(model.specs["bfs"], padded, predictions)
    assert losses["auxiliary/count"] == predictions.losses["count"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"hint_feedback": "loud"}, "unknown hint_feedback 'loud'; known: soft, hard, hard_on_eval"),
        ({"teacher_forcing": 1.5}, r"teacher_forcing must lie between 0 and 1, got 1\.5"),
        ({"teacher_forcing": -0.5}, r"got -0\.5"),
        ({"teacher_forcing": float("nan")}, "got nan"),
    ],
)
def test_invalid_configs_raise(options, message):
    with pytest.raises(ValueError, match=message):
        NetConfig(MPNN, **options)


# ---------------------------------------------------------------------------------------------------
# Compilation


@slow
def test_one_compilation_per_task_and_bucket():
    """Two alternating tasks with lengths that differ within a bucket: many steps, two compilations."""
    both = [Task(nar.ALGORITHMS["bfs"], (8,), {"p": (0.1, 0.2, 0.5)}), Task(nar.ALGORITHMS["minimum"], (6,))]
    stream = TrainingStream(both, batch_size=2, seed=0)
    model = make_model(NetConfig(PGN, 4), {task.name: task.spec for task in both})
    optimizer, devices = make_optimizer(1e-3, grad_clip_norm=1.0), Devices.all()
    step = make_train_step(model, optimizer)
    params = jax.eval_shape(
        model.init, jax.random.key(0), {"bfs": stream.batch(0), "minimum": stream.batch(1)}
    )
    params = jax.tree.map(lambda leaf: np.ones(leaf.shape, leaf.dtype), params)
    state = devices.make_state(
        lambda: TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))
    )
    longest = set()
    with contextlib.closing(Compilations()) as compilations:
        for index in range(10):
            batch, task = stream.batch(index), stream.task(index).name
            assert batch.num_steps == 16
            longest.add((task, int(batch.lengths.max())))
            state, _ = step(state, devices.put_batch(batch), task)
            assert compilations.programs["compute_gradients"] == min(index + 1, 2)
            assert compilations.programs["update_state"] == min(index + 1, 2)
    assert len(longest) > 2
