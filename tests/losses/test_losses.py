"""Losses: one formula a kind, equal to dm-clrs's, over what is there to be predicted and nothing else."""

import dataclasses

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
from jax.test_util import check_grads

from nar import losses
from nar.batches import pad_nodes, pad_steps, take
from nar.losses import COUNTED, LOSSES, loss_counts, total_loss
from nar.model import Budget, FromTrace, NetConfig, Predictions, log_sinkhorn
from nar.processors import MPNN
from nar.specs import Kind, Location, Stage

NODES, STEPS, BATCH = 4, 5, 3
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)
# Many small functions: what takes time is to compile them.
losses_by_probe = jax.jit(losses.losses_by_probe, static_argnums=0)
every_place = pytest.mark.parametrize(("location", "kind"), every_kind.PLACES)


def random_logits(random, probe, *leading, num_nodes=NODES):
    shape = (*leading, *probe.shape(num_nodes), *((num_nodes,) if probe.kind in INDICES else ()))
    logits = jnp.asarray(2 * random.standard_normal(shape), jnp.float32)
    return log_sinkhorn(logits, 10) if probe.kind is Kind.PERMUTATION_POINTER else logits


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
        steps=jnp.full(batch.batch_size, num_hints),
    )


def theirs(probe, truth):
    kind = Kind.POINTER if probe.kind is Kind.SHOULD_BE_PERMUTATION else probe.kind
    return oracle.probing.DataPoint(probe.name, probe.location.value, kind.value, truth)


# ---------------------------------------------------------------------------------------------------
# Equal to dm-clrs's


CAN_BE_MASKED = [place for place in every_kind.PLACES if place[1] in (Kind.MASK, Kind.CATEGORICAL)]


@pytest.mark.parametrize(
    ("location", "kind", "masked"),
    [(*place, 0.0) for place in every_kind.PLACES] + [(*place, 0.4) for place in CAN_BE_MASKED],
)
def test_losses_are_those_of_dm_clrs(location, kind, masked):
    spec = every_kind.small_spec(location, kind)
    (hint,), (output,) = spec.hints, spec.outputs
    batch = every_kind.random_batch(1, spec, BATCH, NODES, STEPS, masked)
    predictions = random_predictions(spec, batch)
    ours = losses_by_probe(spec, batch, predictions)
    with oracle.relaxed():
        of_output = oracle.losses.output_loss(
            theirs(output, batch.outputs[output.name]), predictions.outputs[output.name], NODES
        )
        of_hint = oracle.losses.hint_loss(
            theirs(hint, batch.hints[hint.name]), list(predictions.hints[hint.name]), batch.lengths, NODES
        )
    assert float(ours[output.name]) == pytest.approx(float(of_output), rel=1e-5)
    if kind is Kind.MASK_ONE and location is Location.EDGE:
        return  # dm-clrs has no such hints
    assert float(ours[hint.name]) == pytest.approx(float(of_hint), rel=1e-5)


# ---------------------------------------------------------------------------------------------------
# The plain definition


def plain_loss(kind, truth, logits):
    """Loss of one entry: a number, a class, a node."""

    def log_softmax(x):
        return x - x.max() - np.log(np.exp(x - x.max()).sum())

    if kind is Kind.SCALAR:
        return (truth - logits) ** 2
    if kind is Kind.MASK:
        return -np.log(1 / (1 + np.exp(-logits if truth == 1 else logits)))
    if kind in INDICES:
        return -log_softmax(logits)[truth]
    return -(logits if kind is Kind.PERMUTATION_POINTER else log_softmax(logits))[truth.argmax()]


@every_place
def test_losses_are_means_over_what_counts(location, kind):
    """By a loop over all entries of all samples and steps, without masked ones and those behind an end."""
    spec = every_kind.small_spec(location, kind)
    (hint,), (output,) = spec.hints, spec.outputs
    batch = every_kind.random_batch(2, spec, BATCH, NODES, STEPS, masked=0.4)
    predictions = random_predictions(spec, batch)
    ours = losses_by_probe(spec, batch, predictions)
    has_vectors = kind in (Kind.CATEGORICAL, Kind.MASK_ONE, Kind.PERMUTATION_POINTER)

    def plain(truth, logits):
        logits = np.asarray(logits, np.float64)
        entries = truth.shape[:-1] if has_vectors else truth.shape
        counted = [i for i in np.ndindex(entries) if not (truth[i] == -1).any() or kind is Kind.SCALAR]
        return [plain_loss(kind, truth[i], logits[i]) for i in counted]

    of_output = plain(batch.outputs[output.name], predictions.outputs[output.name])
    of_hint = [
        loss
        for t, b in np.ndindex(STEPS - 1, BATCH)
        if t + 1 < batch.lengths[b]
        for loss in plain(batch.hints[hint.name][t + 1, b], predictions.hints[hint.name][t, b])
    ]
    assert float(ours[output.name]) == pytest.approx(np.mean(of_output), rel=1e-4)
    assert float(ours[hint.name]) == pytest.approx(np.mean(of_hint), rel=1e-4)


@every_place
def test_gradients(location, kind):
    spec = every_kind.small_spec(location, kind)
    batch = every_kind.random_batch(3, spec, 2, 3, 3, masked=0.3)
    predictions = random_predictions(spec, batch)

    def loss(hints, outputs):
        return total_loss(
            losses.losses_by_probe(
                spec, batch, dataclasses.replace(predictions, outputs=outputs, hints=hints)
            )
        )

    arguments = predictions.hints, predictions.outputs
    check_grads(jax.jit(loss), arguments, order=1, modes=["rev"], atol=1e-2, rtol=1e-2, eps=1e-2)


# ---------------------------------------------------------------------------------------------------
# What counts


def test_every_probe_has_its_loss():
    batch = every_kind.random_batch(0)
    predictions = random_predictions(every_kind.SPEC, batch, {"code": jnp.asarray(2.5)})
    found = losses_by_probe(every_kind.SPEC, batch, predictions)
    probes = {p.name for p in every_kind.SPEC.hints + every_kind.SPEC.outputs}
    assert set(found) == probes | {"auxiliary/code"}
    assert found["auxiliary/code"] == 2.5
    assert all(loss.shape == () and loss > 0 for loss in found.values())
    assert float(total_loss(found)) == pytest.approx(sum(map(float, found.values())), rel=1e-5)


def test_padding_does_not_count():
    """Garbage in steps behind the end and in padding nodes leaves every loss as it is."""
    spec = every_kind.SPEC
    batch = every_kind.random_batch(0, batch_size=BATCH, num_nodes=NODES, num_steps=STEPS)
    padded = pad_nodes(pad_steps(batch, STEPS + 2), spec, NODES + 2)
    garbage = random_predictions(spec, padded)

    def without_padding(name, value, leading):
        kept = (slice(NODES),) * (value.ndim - leading - (spec[name].kind is Kind.CATEGORICAL))
        return value[(*(slice(None),) * leading, *kept)]

    def without_choice(name, value):
        """As decoders say it: a padding node is never chosen."""
        chooses = spec[name].kind in (Kind.MASK_ONE, *INDICES)
        return value.at[..., NODES:].set(-1e9) if chooses else value

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
        outputs={name: without_choice(name, value) for name, value in garbage.outputs.items()},
        hints={name: without_choice(name, value) for name, value in garbage.hints.items()},
        losses={},
        steps=garbage.steps,
    )
    for name, loss in losses_by_probe(spec, padded, predictions).items():
        assert float(loss) == pytest.approx(float(expected[name]), rel=1e-5), name


@pytest.mark.parametrize("num_steps", [1, 4])
def test_traces_of_one_step_have_no_loss_of_hints(num_steps):
    batch = every_kind.random_batch(0)
    batch = dataclasses.replace(take(batch, slice(None)), lengths=np.ones_like(batch.lengths))
    batch = dataclasses.replace(batch, hints={name: value[:num_steps] for name, value in batch.hints.items()})
    predictions = random_predictions(every_kind.SPEC, batch)
    found = losses_by_probe(every_kind.SPEC, batch, predictions)
    assert not any(found[probe.name] for probe in every_kind.SPEC.hints)
    assert all(found[probe.name] > 0 for probe in every_kind.SPEC.outputs)


@pytest.mark.parametrize("kind", [Kind.MASK, Kind.MASK_ONE, Kind.CATEGORICAL])
def test_nothing_to_predict(kind):
    """If all entries are masked the loss is 0, and so is its gradient."""
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


@pytest.mark.parametrize("kind", Kind)
def test_entries_are_apart(kind):
    """A loss is not reduced over samples or locations: each entry has its own."""
    probe = every_kind.make_probe(Stage.HINT, Location.NODE, kind)
    random = np.random.default_rng(0)
    truth = every_kind.random_truth(random, probe, (BATCH,), NODES)
    losses, counts = LOSSES[kind](truth, random_logits(random, probe, BATCH)), COUNTED[kind](truth)
    expected = (BATCH,) if kind is Kind.MASK_ONE else (BATCH, NODES)
    assert losses.shape == counts.shape == expected
    assert counts.dtype == bool


@pytest.mark.parametrize("termination", [FromTrace(), Budget(steps=2, steps_per_node=0)])
def test_parts_of_a_batch_have_the_losses_of_the_whole(termination):
    """Each part's mean, weighed by how many entries it is over, with masked entries and padding."""
    config, spec = NetConfig(MPNN, 4, termination=termination), every_kind.SPEC
    batch = every_kind.random_batch(0, spec, 4, NODES, STEPS, masked=0.4)
    batch = dataclasses.replace(batch, num_nodes=np.array([4, 2, 3, 3], np.int32))
    predictions = dataclasses.replace(random_predictions(spec, batch), steps=termination.limits(batch, NODES))
    counts = loss_counts(config, spec, batch)
    whole = losses_by_probe(spec, batch, predictions)
    sums = dict.fromkeys(whole, 0.0)
    for rows in (slice(0, 1), slice(1, 4)):
        part = take(batch, rows)
        predicted = Predictions(
            outputs={name: value[rows] for name, value in predictions.outputs.items()},
            hints={name: value[:, rows] for name, value in predictions.hints.items()},
            losses={},
            steps=predictions.steps[rows],
        )
        part_counts = loss_counts(config, spec, part)
        for name, loss in losses_by_probe(spec, part, predicted).items():
            sums[name] += float(loss) * float(part_counts[name] / counts[name])
    assert sums == pytest.approx({name: float(loss) for name, loss in whole.items()}, rel=1e-5)
