"""Loss functions by kind of probe, and their reduction to one loss per probe and to the total.

Hint and output losses are those of CLRS-30 (Veličković et al. 2022, arXiv 2205.15659): the loss of a probe is
the mean over its entries in the batch, excluding masked entries, steps after the end of a trace and padding
nodes; the total is the sum over probes.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import optax

from nar.kinds import KindTable, check_by_location
from nar.losses.masks import hint_loss_mask, hint_step_mask, output_loss_mask
from nar.model import Predictions
from nar.model.loss_term import LossTerm
from nar.specs import Kind, Probe, Spec
from nar.traces import TraceBatch

Array = jax.Array

AUXILIARY = "auxiliary"
"""Prefix of the names of losses that a network returns along with its predictions; used as their stage."""

RECONSTRUCTION = "reconstruction"
"""Prefix of the names of losses of hints that are decoded from their own encoding; used as their stage."""

Loss = Callable[[Array, Array], Array]
"""(ground truth, logits) -> losses [...] over locations."""


def _squared(truth: Array, predicted: Array) -> Array:
    return optax.squared_error(predicted, truth.astype(predicted.dtype))


def _mean_squared(truth: Array, predicted: Array) -> Array:
    return _squared(truth, predicted).mean(axis=-1)


def _binary(truth: Array, logits: Array) -> Array:
    return optax.sigmoid_binary_cross_entropy(logits, truth.astype(logits.dtype))


def _one_of(truth: Array, logits: Array) -> Array:
    chosen = (truth == 1).astype(logits.dtype)
    return optax.softmax_cross_entropy(logits, chosen)


def _pointer(truth: Array, logits: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, truth)


def _permutation(truth: Array, log_matrix: Array) -> Array:
    """Cross-entropy of a log doubly stochastic matrix, which is already normalized."""
    return -(truth.astype(log_matrix.dtype) * log_matrix).sum(axis=-1)


LOSSES = KindTable[Loss](
    "loss",
    {
        Kind.SCALAR: _squared,
        Kind.VECTOR: _mean_squared,
        Kind.CATEGORICAL: _one_of,
        Kind.MASK: _binary,
        Kind.MASK_ONE: _one_of,
        Kind.POINTER: _pointer,
        Kind.SHOULD_BE_PERMUTATION: _pointer,
        Kind.PERMUTATION_POINTER: _permutation,
    },
)
"""Loss functions by kind; `nar.losses.LOSS_MASKS` selects the entries that contribute."""


def loss_terms(spec: Spec, batch: TraceBatch, predictions: Predictions) -> dict[str, LossTerm]:
    """Losses of all hints, answers and outputs by name, and those of the network itself.

    These are its auxiliary losses, `auxiliary/name`, and, if it decodes hints from their own encoding, the
    losses of those, `reconstruction/name`.

    Args:
      spec: spec of the batch, after transforms.
      batch: ground truth.
      predictions: predictions for `batch`.

    Returns:
      Losses by name. Hints that are not decoded have none; hints of batches whose traces have only one step
      have loss 0, since there is nothing to predict.
    """
    result = {}
    for probe in spec.outputs:
        losses = _output_losses(probe, batch.outputs[probe.name], predictions)
        result[probe.name] = masked_term(losses, output_loss_mask(probe, batch))
    step_limits = None if predictions.halting else predictions.steps
    for probe in (*spec.hints, *spec.answers):
        if probe.name not in predictions.hints:
            continue
        if batch.num_steps == 1:
            result[probe.name] = LossTerm(jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))
            continue
        result[probe.name] = _hint_term(probe, batch, predictions.hints[probe.name], step_limits)
    for name, logits in predictions.reconstructions.items():
        term = _hint_term(spec[name], batch, logits, step_limits, first=0)
        result[f"{RECONSTRUCTION}/{name}"] = term
    return result | {f"{AUXILIARY}/{name}": term for name, term in predictions.losses.items()}


def losses_by_probe(spec: Spec, batch: TraceBatch, predictions: Predictions) -> dict[str, Array]:
    """Means of the losses that `loss_terms` returns, by name."""
    return {name: term.mean for name, term in loss_terms(spec, batch, predictions).items()}


def masked_term(losses: Array, mask: Array) -> LossTerm:
    """The sum of the losses where the mask, of the same shape, is True, and their number."""
    return LossTerm(jnp.where(mask, losses, 0.0).sum(), mask.sum(dtype=jnp.int32))


def _losses(probe: Probe, truth: Array, logits: Array) -> Array:
    """Losses over locations; raises ValueError if those of a custom kind, or its logits, do not fit."""
    try:
        losses = LOSSES[probe.kind](truth, logits)
    except (TypeError, ValueError) as error:
        shapes = f"values {list(truth.shape)} and logits {list(logits.shape)}"
        raise ValueError(
            f"{probe.name}: the loss of kind {probe.kind.name} fails for {shapes}: {error}"
        ) from error
    check_by_location(probe.kind, "loss", losses, truth)
    return losses


def _hint_term(
    probe: Probe, batch: TraceBatch, logits: Array, step_limits: Array | None, first: int = 1
) -> LossTerm:
    """Loss of a hint, where entry t of the logits belongs to hint step t + `first`."""
    truth = batch.hints[probe.name][first:]
    num_steps = min(len(truth), len(logits))
    losses = _losses(probe, truth[:num_steps], logits[:num_steps])
    step_mask = hint_step_mask(step_limits, batch.batch_size, num_steps)
    return masked_term(losses, hint_loss_mask(probe, batch, step_mask, first))


def _output_losses(probe: Probe, truth: Array, predictions: Predictions) -> Array:
    """Losses [B, ...] of an output.

    With learned halting, the expected loss: the sum over steps of the halting probability times the loss of
    the outputs of that step (Banino et al. 2021, arXiv 2107.05407, section 2).
    """
    halting = predictions.halting
    if halting is None:
        return _losses(probe, truth, predictions.outputs[probe.name])
    logits = halting.outputs[probe.name]
    at_each_step = jnp.broadcast_to(truth[None], (len(logits), *truth.shape))
    losses = _losses(probe, at_each_step, logits)
    probabilities = jnp.exp(halting.log_probabilities)
    return (probabilities.reshape(probabilities.shape + (1,) * (losses.ndim - 2)) * losses).sum(axis=0)


def total_loss(by_probe: Mapping[str, Array], weights: Mapping[str, float] | None = None) -> Array:
    """Weighted sum of losses, the training objective; losses without a weight have weight 1."""
    weights = weights or {}
    return jnp.stack([value * weights.get(name, 1.0) for name, value in by_probe.items()]).sum()
