"""The network: complete tables, no leaks, and results that depend on nothing that they should not."""

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
from nar.model import (
    DECODERS,
    ENCODER_CHANNELS,
    HINT_FEEDBACKS,
    NetConfig,
    decode_hard,
    decode_soft,
    densify,
    log_sinkhorn,
    make_model,
)
from nar.model import hints as values
from nar.model.decoders import max_dot
from nar.model.dm_clrs import convert_parameters
from nar.processors import MPNN, PGN, PROCESSORS, ProcessorOutput
from nar.specs import Kind, Location, Stage
from nar.traces import clrs30_sample, sample_traces
from nar.training import Compilations, Devices, TrainState, make_optimizer, make_train_step

HIDDEN = 16
BATCH = 3
TASKS = [*nar.ALGORITHMS, every_kind.NAME]
QUICK = ("bfs", every_kind.NAME)
"""One of the algorithms, and what has every kind at every location; tests of all others are marked slow."""
slow = pytest.mark.slow


def mark_slow(cases):
    """Cases `(task, ...)`, of which those for tasks that are not in `QUICK` are slow."""
    return [pytest.param(*case, marks=[] if case[0] in QUICK else [slow]) for case in cases]


every_task = pytest.mark.parametrize("task", mark_slow((task,) for task in TASKS))
every_algorithm = pytest.mark.parametrize("algorithm", nar.ALGORITHMS)
every_kind_of_probe = pytest.mark.parametrize("kind", Kind)

POINTERS = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION, Kind.PERMUTATION_POINTER)
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)
NODE_AXES = {Location.NODE: 1, Location.EDGE: 2, Location.GRAPH: 0}


def spec_of(task):
    return every_kind.SPEC if task == every_kind.NAME else Transforms().spec(nar.ALGORITHMS[task])


@functools.cache
def batch_of(task):
    """Three traces, of several lengths where the algorithm has several; the first is the longest."""
    if task == every_kind.NAME:
        return every_kind.random_batch(0, batch_size=BATCH)
    algorithm = nar.ALGORITHMS[task]
    traces = sample_traces(task, max(5, algorithm.problem.min_size), 10, seed=2)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    batch = Transforms().apply(algorithm, traces, uniforms)
    longest_first = np.argsort(-batch.lengths, kind="stable")
    return take(batch, longest_first[[0, 4, 9]])


def random_params(model, task):
    """Parameters of the right shapes, far from their initial 0 and 1, without the work of initialisation."""
    shapes = jax.eval_shape(model.init, jax.random.key(0), {task: batch_of(task)})
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )


@functools.cache
def network(task, processor="triplet_gpgn", **options):
    """Model, parameters, and a compiled function of predictions and losses."""
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
    """Equal up to rounding, relative to the largest logit; what is ruled out is so in both."""
    first, second = np.asarray(first), np.asarray(second)
    assert first.shape == second.shape, names
    ruled_out = second < -1e5
    np.testing.assert_array_equal(first < -1e5, ruled_out, err_msg=names)
    scale = max(1.0, np.abs(second[~ruled_out]).max(initial=0.0))
    np.testing.assert_allclose(
        first[~ruled_out], second[~ruled_out], rtol=tolerance, atol=tolerance * scale, err_msg=names
    )


def differ(first, second, tolerance=1e-4):
    """Whether any leaf of two trees differs."""
    distances = jax.tree.map(lambda a, b: np.abs(np.asarray(a) - np.asarray(b)).max(), first, second)
    return any(distance > tolerance for distance in jax.tree.leaves(distances))


def largest(tree):
    """Largest absolute value of all leaves."""
    return max(np.abs(leaf).max() for leaf in jax.tree.leaves(tree))


# ---------------------------------------------------------------------------------------------------
# Tables


@every_kind_of_probe
@pytest.mark.parametrize(
    "table",
    [specs.DTYPES, values._DENSE, values._SOFT, values._HARD, LOSS_MASKS, LOSSES, SCORES],
    ids=range(7),
)
def test_every_table_covers_every_kind(table, kind):
    assert kind in table


@pytest.mark.parametrize("table", [ENCODER_CHANNELS, DECODERS], ids=["ENCODER_CHANNELS", "DECODERS"])
def test_every_table_covers_every_place(table):
    assert set(every_kind.PROBE_TYPES) <= set(table)


@every_algorithm
def test_every_probe_can_be_shown_and_decoded(algorithm):
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
def test_predictions_are_shaped_as_their_probes(task):
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
# No leaks


def garbage_like(value):
    random = np.random.default_rng(0)
    if value.dtype.kind == "f":
        return 10 * random.standard_normal(value.shape)
    return random.integers(-1, 3, value.shape).astype(value.dtype)


def with_garbage(batch, first, last):
    """A batch whose true hints of the steps `first` ... `last - 1` and whose outputs are garbage."""

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
def test_predictions_do_not_read_later_hints_or_outputs(task, is_training, processor):
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
def test_no_derivative_of_predictions_by_later_hints_or_outputs(task):
    """Exactly zero, whatever is asked; that of the first hints shows that it would be seen."""
    batch, spec, (model, params, _) = batch_of(task), spec_of(task), network(task, "pgn")
    truth = {
        name: value.astype(np.float32)
        for stage in (batch.hints, batch.outputs)
        for name, value in stage.items()
        if spec[name].kind not in INDICES
    }

    @jax.jit
    def gradient(truth, seed):
        """Of a random combination of all that is predicted."""

        def predictions(truth):
            with_floats = dataclasses.replace(
                batch,
                hints={name: truth.get(name, value) for name, value in batch.hints.items()},
                outputs={name: truth.get(name, value) for name, value in batch.outputs.items()},
            )
            found = model.apply(params, None, task, with_floats, False)
            return found.outputs, found.hints

        found, pull_back = jax.vjp(predictions, truth)
        leaves, structure = jax.tree.flatten(found)
        keys = jax.random.split(jax.random.key(seed), len(leaves))
        weights = [jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
        return pull_back(jax.tree.unflatten(structure, weights))[0]

    found = gradient(truth, 0)
    for name, value in found.items():
        if name in batch.hints:
            assert np.abs(value[0]).max() > 1e-6, name
            value = value[1:]
        assert not np.any(value), name


@pytest.mark.parametrize("task", mark_slow((task,) for task in nar.ALGORITHMS))
def test_a_teacher_shows_true_hints(task):
    """Hints of all steps but the last are read, in training only."""
    batch = batch_of(task)
    options = {"processor": "mpnn", "teacher_forcing": 1.0}
    taught, _ = predict(task, batch, is_training=True, **options)
    garbage, _ = predict(task, with_garbage(batch, 1, batch.num_steps - 1), is_training=True, **options)
    assert differ(taught.hints, garbage.hints)
    ending, _ = predict(task, with_garbage(batch, batch.num_steps - 1, None), is_training=True, **options)
    jax.tree.map(np.testing.assert_array_equal, ending, taught)


def test_nobody_teaches_in_evaluation():
    batch = batch_of("bfs")
    taught, _ = predict("bfs", batch, teacher_forcing=1.0)
    alone, _ = predict("bfs", batch)
    jax.tree.map(np.testing.assert_array_equal, taught, alone)


def test_a_teacher_comes_to_some_samples():
    """With probability one half, a sample is fed the true hints of the second step or the predicted ones.

    A trace of a single step has no true ones there.
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
    num_taught = 0
    for key in range(10):
        taught, alone = (np.isclose(second_step(0.5, key), x, atol=1e-5).all(axis=1) for x in (always, never))
        np.testing.assert_array_equal(taught ^ alone, has_second)
        num_taught += taught[has_second].sum()
    assert 4 < num_taught < 10 * has_second.sum() - 4


# ---------------------------------------------------------------------------------------------------
# Padding


def real_part(probe, value, leading, num_nodes):
    axes = NODE_AXES[probe.location] + (probe.kind in POINTERS)
    return np.asarray(value)[(slice(None),) * leading + (slice(num_nodes),) * axes]


@pytest.mark.parametrize(
    ("task", "processor"),
    [
        *mark_slow((task, "triplet_gpgn") for task in TASKS),
        *(
            pytest.param("bfs", name, marks=slow)
            for name in ("triplet_gmpnn", "gatv2", "deepsets", "memnet_full")
        ),
        *mark_slow((task, "pgn_mask") for task in ("bfs", "insertion_sort")),
        pytest.param(every_kind.NAME, "pgn_mask", marks=slow),
    ],
)
def test_padding_of_steps_and_nodes_changes_nothing(task, processor):
    """What is predicted for real nodes and steps stays as it is, and so does every loss."""
    batch, spec = batch_of(task), spec_of(task)
    num_nodes = batch.inputs["pos"].shape[1]
    padded = pad_nodes(pad_steps(batch, batch.num_steps + 3), spec, num_nodes + 2)
    (before, losses), (after, losses_after) = (predict(task, b, processor) for b in (batch, padded))
    for name, loss in losses.items():
        assert_close(losses_after[name], loss, 1e-4, name)
    for probe in spec.outputs:
        value = real_part(probe, after.outputs[probe.name], 1, num_nodes)
        assert_close(value, before.outputs[probe.name], 1e-4, probe.name)
    for probe in spec.hints:
        value = real_part(probe, after.hints[probe.name], 2, num_nodes)
        assert_close(value[: batch.num_steps - 1], before.hints[probe.name], 1e-4, probe.name)
        assert not after.hints[probe.name][batch.num_steps - 1 :].any()


@every_task
def test_a_sample_depends_on_its_own_length_alone(task):
    """A trace that is alone, and one among others that go on for longer, have the same predictions."""
    batch = batch_of(task)
    together, _ = predict(task, batch)
    for index, length in enumerate(batch.lengths):
        alone = pad_batch(pad_steps(take(batch, slice(index, index + 1)), batch.num_steps), BATCH)
        predictions, _ = predict(task, alone)
        for name, value in together.outputs.items():
            assert_close(predictions.outputs[name][0], value[index], names=name)
        for name, value in together.hints.items():
            assert_close(predictions.hints[name][: length - 1, 0], value[: length - 1, index], names=name)


@pytest.mark.parametrize("task", ["bfs", "heapsort", "lcs_length", every_kind.NAME])
def test_there_are_different_lengths(task):
    assert len(set(batch_of(task).lengths)) > 1


# ---------------------------------------------------------------------------------------------------
# Order of nodes


def permuted_axes(probe, value, leading, order, is_dense):
    """A value whose node `a` is the old node `order[a]`."""
    value = np.asarray(value)
    if probe.kind in INDICES and not is_dense:
        value = np.argsort(order)[value].astype(value.dtype)
    targets = probe.kind is Kind.PERMUTATION_POINTER or (probe.kind in INDICES and is_dense)
    for axis in range(NODE_AXES[probe.location] + targets):
        value = np.take(value, order, axis=leading + axis)
    return value


@every_task
def test_order_of_nodes_does_not_matter(task):
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
# What is fed back


@pytest.mark.parametrize("is_training", [False, True])
def test_hint_feedback(is_training):
    batch = batch_of("bfs")
    found = {
        feedback: predict("bfs", batch, "mpnn", is_training, hint_feedback=feedback)[0].hints["reach_h"]
        for feedback in HINT_FEEDBACKS
    }
    # The first step is fed true hints in any case.
    assert_close(found["hard"][0], found["soft"][0])
    assert differ(found["hard"][1], found["soft"][1])
    same = "soft" if is_training else "hard"
    np.testing.assert_array_equal(found["hard_on_eval"], found[same])


@pytest.mark.parametrize("feedback", ["soft", "hard"])
def test_outputs_have_a_derivative_by_soft_hints_only(feedback):
    """What a hint's decoder says moves outputs smoothly, or not at all."""
    batch, (model, params, _) = batch_of("bfs"), network("bfs", "pgn", hint_feedback=feedback)
    nowhere = jax.tree.map(np.zeros_like, params)
    ahead = {**nowhere, "bfs/decode/reach_h/node": params["bfs/decode/reach_h/node"]}

    @jax.jit
    def derivative(direction):
        outputs = lambda params: model.apply(params, None, "bfs", batch, False).outputs  # noqa: E731
        return jax.jvp(outputs, (params,), (direction,))[1]

    assert (largest(derivative(ahead)) > 0) == (feedback == "soft")
    other = {**nowhere, "bfs/encode/reach_h_0": params["bfs/encode/reach_h_0"]}
    assert largest(derivative(other)) > 0


# ---------------------------------------------------------------------------------------------------
# Values


NODES = 5
every_place = pytest.mark.parametrize(("location", "kind"), every_kind.PROBE_TYPES)
HINTS = {place: every_kind.make_probe(Stage.HINT, *place) for place in every_kind.PROBE_TYPES}


def their_type(kind):
    return oracle.specs.Type.POINTER if kind is Kind.SHOULD_BE_PERMUTATION else kind.value


def their_decision(probe, logits, hard):
    rows = {probe.name: (probe.stage.value, probe.location.value, their_type(probe.kind))}
    value = oracle.decoders.postprocess(rows, {probe.name: logits}, 0.1, 7, hard)[probe.name].data
    if hard and probe.kind in INDICES:
        return jax.nn.one_hot(value.astype(int), logits.shape[-1])
    return value


@functools.cache
def decisions():
    """By place, random logits decided upon softly and hard, by us and by dm-clrs."""
    random = np.random.default_rng(0)
    logits = {
        place: (3 * random.standard_normal((2, *logits_shape(probe, NODES)))).astype(np.float32)
        for place, probe in HINTS.items()
    }

    def decide(logits):
        return {
            place: (
                [decide(probe, logits[place], 7) for decide in (decode_soft, decode_hard)],
                [their_decision(probe, logits[place], hard) for hard in (False, True)],
            )
            for place, probe in HINTS.items()
        }

    with oracle.relaxed():
        return in_order(decide, logits)


def in_order(function, by_place):
    """Calls a function of dictionaries by place, which jax cannot sort, with dictionaries by index."""
    places = list(by_place)

    def call(values):
        found = function({place: values[index] for index, place in enumerate(places)})
        return [found[place] for place in places]

    found = jax.jit(call)([by_place[place] for place in places])
    return dict(zip(places, found, strict=True))


@every_place
def test_decisions_are_those_of_dm_clrs(location, kind):
    ours, theirs = decisions()[location, kind]
    for value, expected in zip(ours, theirs, strict=True):
        assert_close(value, expected)


@functools.cache
def shown():
    """By place, random truth in dense form, and sure predictions of it decided upon hard and softly."""
    truth = {
        place: every_kind.random_truth(np.random.default_rng(0), probe, (2,), NODES)
        for place, probe in HINTS.items()
    }

    def show(truth):
        result = {}
        for place, probe in HINTS.items():
            dense = densify(probe, truth[place], NODES)
            logits = dense if probe.kind is Kind.SCALAR else 100 * (dense - 0.5)
            result[place] = dense, decode_hard(probe, logits), decode_soft(probe, logits)
        return result

    return in_order(show, truth)


@every_place
def test_truth_is_shown_as_a_decision(location, kind):
    """The network cannot tell whether it is fed truth or a sure prediction."""
    dense, hard, soft = shown()[location, kind]
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
    ten_times = jax.jit(lambda logits: log_sinkhorn(logits, 10, temperature=1.0))
    found = random_square(3, num_nodes)
    for _ in range(6):
        found = ten_times(found)
    matrix = np.exp(found)
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


def test_sinkhorn_of_padding_nodes():
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
# Parts of decoders


@pytest.mark.parametrize("decimals", [0, 6])
def test_max_dot_is_its_formula_and_so_are_its_gradients(decimals):
    """Also where features are equal, as many are when they are rounded to whole numbers."""
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
        (ours, pull_back), (theirs, pull_back_plain) = (jax.vjp(f, *arguments) for f in (max_dot, plain))
        return (ours, *pull_back(cotangent)), (theirs, *pull_back_plain(cotangent))

    for value, expected in zip(*both(pair, target, w), strict=True):
        assert_close(value, expected)


# ---------------------------------------------------------------------------------------------------
# Parameters


@slow
def test_initial_parameters_have_the_statistics_of_dm_clrs():
    """Over many keys: every weight has the spread, and every offset the value, that it has in dm-clrs."""
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
            found = np.asarray(ours[module][leaf])
            if leaf == "w":
                assert found.std() == pytest.approx(value.std(), rel=0.2), module
                assert np.abs(found).max() == pytest.approx(np.abs(value).max(), rel=0.2), module
            else:
                np.testing.assert_array_equal(found, value, err_msg=module)
    assert np.asarray(ours[f"{task}/encode/d_0"]["w"]).std() == pytest.approx(0.88 / HIDDEN**0.5, rel=0.1)


@functools.cache
def several(*names):
    """A network for some tasks, and its initialisation."""
    model = make_model(NetConfig(MPNN, HIDDEN), {task: spec_of(task) for task in names})
    batches = {task: batch_of(task) for task in names}
    return model, functools.cache(lambda key: dict(model.init(jax.random.key(key), batches)))


def test_order_of_tasks_does_not_matter():
    _, init = several("bfs", "minimum")
    _, init_in_other_order = several("minimum", "bfs")
    jax.tree.map(np.testing.assert_array_equal, init(0), init_in_other_order(0))
    assert {name.split("/")[0] for name in init(0)} == {"bfs", "minimum", "processor"}


def test_a_task_begins_alike_whatever_others_there_are():
    (_, init), (_, init_alone) = several("bfs", "minimum"), several("bfs")
    alone = init_alone(0)
    jax.tree.map(np.testing.assert_array_equal, {name: init(0)[name] for name in alone}, alone)
    weights = {name: leaves["w"] for name, leaves in alone.items() if "w" in leaves}
    for name, leaves in init_alone(1).items():
        assert name not in weights or differ(leaves["w"], weights[name], 1e-3)


def test_tasks_with_alike_names_begin_differently():
    """The decoders of two tasks must not begin as copies of each other."""
    names = ("sort_by_key", "sort_by_size")
    spec = every_kind.small_spec(Location.NODE, Kind.MASK)
    model = make_model(NetConfig(MPNN, HIDDEN), dict.fromkeys(names, spec))
    batches = dict.fromkeys(names, every_kind.random_batch(0, spec))
    params = model.init(jax.random.key(0), batches)
    first, second = (params[f"{name}/decode/hint_node_mask/node"]["w"] for name in names)
    assert differ(first, second, 1e-2)


def test_a_task_is_the_same_alone_and_among_others():
    (among, init), (alone, init_alone) = several("bfs", "minimum"), several("bfs")
    own = {name: init(0)[name] for name in init_alone(0)}
    predictions = [
        jax.jit(model.apply, static_argnums=(2, 4))(params, None, "bfs", batch_of("bfs"), False)
        for model, params in ((among, init(0)), (alone, own))
    ]
    jax.tree.map(assert_close, *predictions)


class WithLoss(hk.Module):
    """A processor that passes states on, counts its steps and says how many as a loss."""

    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros((batch_size, num_nodes))

    def __call__(self, features, hidden, memory=(), context=None):
        counted = memory + 1
        return ProcessorOutput(features.nodes, memory=counted, losses={"count": counted.mean(axis=1)})


def test_memory_and_auxiliary_losses():
    """The memory is carried; losses are averaged over the steps of each trace, padding left out."""
    batch = batch_of("bfs")
    model = make_model(NetConfig(lambda hidden_size: WithLoss(), HIDDEN), {"bfs": spec_of("bfs")})
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
def test_bad_configs(options, message):
    with pytest.raises(ValueError, match=message):
        NetConfig(MPNN, **options)


# ---------------------------------------------------------------------------------------------------
# Compilation


@slow
def test_one_compilation_for_each_task_and_bucket():
    """Two tasks in turn, lengths that differ within a bucket: many steps, two compilations."""
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
