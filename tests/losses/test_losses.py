"""Losses: equality with dm-clrs and with a plain loop, loss masks, and losses of micro-batches."""

import dataclasses
import functools

import every_kind
import jax
import numpy as np
import oracle
import pytest

from nar import losses
from nar.data import pad_nodes, pad_steps, take
from nar.kinds import BUILT_IN_KINDS
from nar.losses import LOSS_MASKS, LOSSES, LossTerm, total_loss
from nar.model import Budget, FromTrace, Predictions
from nar.model.sinkhorn import log_sinkhorn
from nar.specs import Kind, Location, Spec, Stage

NODES, STEPS, BATCH = 4, 5, 3
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)
SPEC = Spec(
    [
        every_kind.make_probe(Stage.INPUT, Location.NODE, Kind.SCALAR),
        *(
            every_kind.make_probe(stage, *probe_type)
            for stage in (Stage.HINT, Stage.OUTPUT)
            for probe_type in every_kind.PROBE_TYPES
        ),
    ]
)
"""A hint and an output of each kind at each location, so that all losses are compiled once."""
losses_by_probe = jax.jit(losses.losses_by_probe, static_argnums=0)
loss_terms = jax.jit(losses.loss_terms, static_argnums=0)
sinkhorn = jax.jit(lambda logits: log_sinkhorn(logits, 10))
every_probe_type = pytest.mark.parametrize(("location", "kind"), every_kind.PROBE_TYPES)


def probes_at(location, kind):
    """The hint and the output of this location and kind."""
    return [every_kind.make_probe(stage, location, kind) for stage in (Stage.HINT, Stage.OUTPUT)]


def random_logits(random, probe, *leading, num_nodes=NODES):
    shape = (*leading, *probe.shape(num_nodes), *((num_nodes,) if probe.kind in INDICES else ()))
    logits = (2 * random.standard_normal(shape)).astype(np.float32)
    return np.asarray(sinkhorn(logits)) if probe.kind is Kind.PERMUTATION_POINTER else logits


def random_predictions(spec, batch, auxiliary=()):
    random = np.random.default_rng(0)
    num_nodes, num_hints = batch.inputs["pos"].shape[1], max(1, batch.num_steps - 1)
    return Predictions(
        outputs={
            p.name: random_logits(random, p, batch.batch_size, num_nodes=num_nodes) for p in spec.outputs
        },
        hints={
            p.name: random_logits(random, p, num_hints, batch.batch_size, num_nodes=num_nodes)
            for p in spec.hints
        },
        losses=dict(auxiliary),
        steps=np.full(batch.batch_size, num_hints),
    )


@functools.cache
def batch_predictions_losses(seed, masked):
    """A random batch with probes of every type, random predictions, and their losses."""
    batch = every_kind.random_batch(seed, SPEC, BATCH, NODES, STEPS, masked)
    predictions = random_predictions(SPEC, batch)
    return batch, predictions, losses_by_probe(SPEC, batch, predictions)


def to_datapoint(probe, truth):
    kind = Kind.POINTER if probe.kind is Kind.SHOULD_BE_PERMUTATION else probe.kind
    return oracle.probing.DataPoint(probe.name, probe.location.value, kind.name, truth)


# ---------------------------------------------------------------------------------------------------
# Parity with dm-clrs


MASKABLE = [
    probe_type for probe_type in every_kind.PROBE_TYPES if probe_type[1] in (Kind.MASK, Kind.CATEGORICAL)
]
NOT_IN_DM_CLRS = every_kind.make_probe(Stage.HINT, Location.EDGE, Kind.MASK_ONE)


@jax.jit
def _their_losses(batch, predictions):
    outputs = {
        probe.name: oracle.losses.output_loss(
            to_datapoint(probe, batch.outputs[probe.name]), predictions.outputs[probe.name], NODES
        )
        for probe in SPEC.outputs
    }
    hints = {
        probe.name: oracle.losses.hint_loss(
            to_datapoint(probe, batch.hints[probe.name]),
            list(predictions.hints[probe.name]),
            batch.lengths,
            NODES,
        )
        for probe in SPEC.hints
        if probe != NOT_IN_DM_CLRS
    }
    return outputs | hints


@functools.cache
def their_losses(masked):
    batch, predictions, _ = batch_predictions_losses(1, masked)
    with oracle.relaxed():
        return _their_losses(batch, predictions)


@pytest.mark.parametrize(
    ("location", "kind", "masked"),
    [(*probe_type, 0.0) for probe_type in every_kind.PROBE_TYPES]
    + [(*probe_type, 0.4) for probe_type in MASKABLE],
)
def test_losses_are_those_of_dm_clrs(location, kind, masked):
    _, _, ours = batch_predictions_losses(1, masked)
    for probe in probes_at(location, kind):
        if probe != NOT_IN_DM_CLRS:
            expected = float(their_losses(masked)[probe.name])
            assert float(ours[probe.name]) == pytest.approx(expected, rel=1e-5), probe.name


# ---------------------------------------------------------------------------------------------------
# Plain reference


def plain_loss(kind, truth, logits):
    """Loss of one entry."""

    def log_softmax(x):
        return x - x.max() - np.log(np.exp(x - x.max()).sum())

    if kind is Kind.SCALAR:
        return (truth - logits) ** 2
    if kind is Kind.MASK:
        return -np.log(1 / (1 + np.exp(-logits if truth == 1 else logits)))
    if kind in INDICES:
        return -log_softmax(logits)[truth]
    return -(logits if kind is Kind.PERMUTATION_POINTER else log_softmax(logits))[truth.argmax()]


@every_probe_type
def test_losses_are_means_over_unmasked_entries(location, kind):
    """The reference loops over all entries but masked ones and steps after the end of a trace."""
    hint, output = probes_at(location, kind)
    batch, predictions, ours = batch_predictions_losses(2, 0.4)
    has_vectors = kind in (Kind.CATEGORICAL, Kind.MASK_ONE, Kind.PERMUTATION_POINTER)

    def plain(truth, logits):
        logits = np.asarray(logits, np.float64)
        entries = truth.shape[:-1] if has_vectors else truth.shape
        counted = [i for i in np.ndindex(entries) if not (truth[i] == -1).any() or kind is Kind.SCALAR]
        return [plain_loss(kind, truth[i], logits[i]) for i in counted]

    output_losses = plain(batch.outputs[output.name], predictions.outputs[output.name])
    hint_losses = [
        loss
        for t, b in np.ndindex(STEPS - 1, BATCH)
        if t + 1 < batch.lengths[b]
        for loss in plain(batch.hints[hint.name][t + 1, b], predictions.hints[hint.name][t, b])
    ]
    assert float(ours[output.name]) == pytest.approx(np.mean(output_losses), rel=1e-4)
    assert float(ours[hint.name]) == pytest.approx(np.mean(hint_losses), rel=1e-4)


@functools.cache
def logits_losses_gradients():
    """Logits by name, a compiled function from logits to losses, and the gradients of the total loss."""
    batch = every_kind.random_batch(3, SPEC, BATCH, NODES, STEPS, masked=0.3)
    predictions = random_predictions(SPEC, batch)
    logits = {**predictions.hints, **predictions.outputs}

    def compute(logits):
        hints = {probe.name: logits[probe.name] for probe in SPEC.hints}
        outputs = {probe.name: logits[probe.name] for probe in SPEC.outputs}
        changed = dataclasses.replace(predictions, hints=hints, outputs=outputs)
        by_probe = losses.losses_by_probe(SPEC, batch, changed)
        return total_loss(by_probe), by_probe

    compiled = jax.jit(jax.grad(compute, has_aux=True))
    return logits, lambda logits: compiled(logits)[1], compiled(logits)[0]


@pytest.mark.slow
@every_probe_type
def test_gradients_equal_finite_differences(location, kind):
    """The derivative in a random direction."""
    logits, compute_losses, gradients = logits_losses_gradients()
    random = np.random.default_rng(0)
    for probe in probes_at(location, kind):
        name = probe.name
        direction = random.standard_normal(logits[name].shape).astype(np.float32)
        upper, lower = (
            float(compute_losses({**logits, name: logits[name] + step * direction})[name])
            for step in (1e-2, -1e-2)
        )
        slope = float((np.asarray(gradients[name]) * direction).sum())
        assert slope != 0 and slope == pytest.approx((upper - lower) / 2e-2, rel=1e-2, abs=1e-2), name


# ---------------------------------------------------------------------------------------------------
# Masks and counts


def test_every_hint_output_and_auxiliary_loss_has_an_entry():
    batch = every_kind.random_batch(0)
    predictions = random_predictions(every_kind.SPEC, batch, {"code": LossTerm(np.float32(7.5), 3)})
    by_probe = losses_by_probe(every_kind.SPEC, batch, predictions)
    probes = {p.name for p in every_kind.SPEC.hints + every_kind.SPEC.outputs}
    assert set(by_probe) == probes | {"auxiliary/code"}
    assert by_probe["auxiliary/code"] == 2.5
    assert all(loss.shape == () and loss > 0 for loss in by_probe.values())
    assert float(total_loss(by_probe)) == pytest.approx(sum(map(float, by_probe.values())), rel=1e-5)


@pytest.mark.slow
def test_padding_does_not_change_losses():
    """Garbage predictions in steps after the end and in padding nodes."""
    spec = every_kind.SPEC
    batch = every_kind.random_batch(0, batch_size=BATCH, num_nodes=NODES, num_steps=STEPS)
    padded = pad_nodes(pad_steps(batch, STEPS + 2), spec, NODES + 2)
    garbage = random_predictions(spec, padded)

    def without_padding(name, value, leading):
        real = (slice(NODES),) * (value.ndim - leading - (spec[name].kind is Kind.CATEGORICAL))
        return value[(*(slice(None),) * leading, *real)]

    def mask_padding(name, value):
        """Masks the logits of padding nodes as decoders do."""
        is_choice = spec[name].kind in (Kind.MASK_ONE, *INDICES)
        return np.where(np.arange(value.shape[-1]) < NODES, value, -1e9) if is_choice else value

    expected = losses_by_probe(
        spec,
        batch,
        Predictions(
            outputs={name: without_padding(name, value, 1) for name, value in garbage.outputs.items()},
            hints={name: without_padding(name, v, 2)[: STEPS - 1] for name, v in garbage.hints.items()},
            losses={},
            steps=garbage.steps,
        ),
    )
    predictions = Predictions(
        outputs={name: mask_padding(name, value) for name, value in garbage.outputs.items()},
        hints={name: mask_padding(name, value) for name, value in garbage.hints.items()},
        losses={},
        steps=garbage.steps,
    )
    for name, loss in losses_by_probe(spec, padded, predictions).items():
        assert float(loss) == pytest.approx(float(expected[name]), rel=1e-5), name


@pytest.mark.slow
@pytest.mark.parametrize("num_steps", [1, 4])
def test_traces_of_one_step_have_no_hint_loss(num_steps):
    batch = every_kind.random_batch(0)
    batch = dataclasses.replace(take(batch, slice(None)), lengths=np.ones_like(batch.lengths))
    batch = dataclasses.replace(batch, hints={name: value[:num_steps] for name, value in batch.hints.items()})
    predictions = random_predictions(every_kind.SPEC, batch)
    by_probe = losses_by_probe(every_kind.SPEC, batch, predictions)
    assert not any(by_probe[probe.name] for probe in every_kind.SPEC.hints)
    assert all(by_probe[probe.name] > 0 for probe in every_kind.SPEC.outputs)


@pytest.mark.parametrize("kind", [Kind.MASK, Kind.MASK_ONE, Kind.CATEGORICAL])
def test_loss_and_gradient_are_zero_if_all_entries_are_masked(kind):
    spec = every_kind.small_spec(Location.NODE, kind)
    batch = every_kind.random_batch(0, spec, masked=1.0)
    predictions = random_predictions(spec, batch)

    def loss(hints, outputs):
        return total_loss(
            losses.losses_by_probe(
                spec, batch, dataclasses.replace(predictions, outputs=outputs, hints=hints)
            )
        )

    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    value, gradients = compiled(predictions.hints, predictions.outputs)
    assert value == 0
    assert not any(leaf.any() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("kind", BUILT_IN_KINDS)
def test_loss_functions_do_not_reduce_over_samples_or_locations(kind):
    probe = every_kind.make_probe(Stage.HINT, Location.NODE, kind)
    random = np.random.default_rng(0)
    truth = every_kind.random_truth(random, probe, (BATCH,), NODES)
    losses = jax.eval_shape(LOSSES[kind], truth, random_logits(random, probe, BATCH))
    mask = jax.eval_shape(LOSS_MASKS[kind], truth)
    expected = (BATCH,) if kind is Kind.MASK_ONE else (BATCH, NODES)
    assert losses.shape == mask.shape == expected
    assert mask.dtype == bool


@pytest.mark.slow
@pytest.mark.parametrize(
    "termination",
    [FromTrace(), pytest.param(Budget(steps=2, steps_per_node=0), marks=pytest.mark.slow)],
)
def test_terms_of_micro_batches_add_up_to_those_of_the_batch(termination):
    """With masked entries and padding, which micro-batches have in different numbers."""
    spec = every_kind.SPEC
    batch = every_kind.random_batch(0, spec, 4, NODES, STEPS, masked=0.4)
    batch = dataclasses.replace(batch, num_nodes=np.array([4, 2, 3, 3], np.int32))
    predictions = dataclasses.replace(
        random_predictions(spec, batch), steps=termination.step_limits(batch, NODES)
    )
    whole = loss_terms(spec, batch, predictions)
    sums, counts = dict.fromkeys(whole, 0.0), dict.fromkeys(whole, 0)
    for rows in (slice(0, 1), slice(1, 4)):
        micro_batch = take(batch, rows)
        predicted = Predictions(
            outputs={name: value[rows] for name, value in predictions.outputs.items()},
            hints={name: value[:, rows] for name, value in predictions.hints.items()},
            losses={},
            steps=predictions.steps[rows],
        )
        for name, term in loss_terms(spec, micro_batch, predicted).items():
            sums[name] += float(term.sum)
            counts[name] += int(term.count)
    assert counts == {name: int(term.count) for name, term in whole.items()}
    assert sums == pytest.approx({name: float(term.sum) for name, term in whole.items()}, rel=1e-5)
