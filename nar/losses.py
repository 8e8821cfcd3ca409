"""Losses: one formula for each kind, averaged over what is to be predicted.

Hint and output losses are those of CLRS-30 (Veličković et al. 2022, arXiv 2205.15659): each probe's loss is
the mean over its entries in the batch, without masked entries, steps behind a trace's end and padding nodes;
the total is the sum over probes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
import optax

from nar.model import Predictions
from nar.specs import MASKED, Kind, Location, Probe, Spec, Stage
from nar.traces import TraceBatch

Array = jax.Array

AUXILIARY = "auxiliary"
"""Stands before the names of losses that are not of probes, and is their stage."""

Loss = Callable[[Array, Array], tuple[Array, Array]]
"""(truth, logits) -> (losses, which of them count), both [...] over locations."""


def _squared(truth: Array, predicted: Array) -> tuple[Array, Array]:
    losses = optax.squared_error(predicted, truth.astype(predicted.dtype))
    return losses, jnp.ones(losses.shape, bool)


def _binary(truth: Array, logits: Array) -> tuple[Array, Array]:
    return optax.sigmoid_binary_cross_entropy(logits, truth.astype(logits.dtype)), truth != MASKED


def _one_of(truth: Array, logits: Array) -> tuple[Array, Array]:
    chosen = (truth == 1).astype(logits.dtype)
    return optax.softmax_cross_entropy(logits, chosen), (truth == 1).any(axis=-1)


def _pointer(truth: Array, logits: Array) -> tuple[Array, Array]:
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, truth)
    return losses, jnp.ones(losses.shape, bool)


def _permutation(truth: Array, log_matrix: Array) -> tuple[Array, Array]:
    """Predictions are the logarithm of a doubly stochastic matrix, already normalised."""
    losses = -(truth.astype(log_matrix.dtype) * log_matrix).sum(axis=-1)
    return losses, jnp.ones(losses.shape, bool)


LOSSES: Mapping[Kind, Loss] = MappingProxyType(
    {
        Kind.SCALAR: _squared,
        Kind.CATEGORICAL: _one_of,
        Kind.MASK: _binary,
        Kind.MASK_ONE: _one_of,
        Kind.POINTER: _pointer,
        Kind.SHOULD_BE_PERMUTATION: _pointer,
        Kind.PERMUTATION_POINTER: _permutation,
    }
)
"""By kind."""


def losses_by_probe(spec: Spec, batch: TraceBatch, predictions: Predictions) -> dict[str, Array]:
    """Mean loss of every hint and output by name, and of every auxiliary loss as `auxiliary/name`.

    Args:
      spec: of the batch, after transforms.
      batch: the truth.
      predictions: for it.

    Returns:
      Scalars. Hints have none if they are not decoded, and 0 if all traces have one step, so that there is
      nothing to predict.
    """
    result = {}
    for probe in spec.outputs:
        losses, counts = _output_losses(probe, batch.outputs[probe.name], predictions)
        result[probe.name] = _mean(losses, counts & _real_entries(probe, batch, losses))
    for probe in spec.hints:
        if probe.name not in predictions.hints:
            continue
        if batch.num_steps == 1:
            result[probe.name] = jnp.zeros(())
            continue
        truth, predicted = batch.hints[probe.name][1:], predictions.hints[probe.name]
        num_steps = min(len(truth), len(predicted))
        losses, counts = LOSSES[probe.kind](truth[:num_steps], predicted[:num_steps])
        running = _expand(_running(batch, predictions, num_steps), losses)
        result[probe.name] = _mean(losses, counts & running & _real_entries(probe, batch, losses))
    for name, value in predictions.losses.items():
        result[f"{AUXILIARY}/{name}"] = value
    return result


def _running(batch: TraceBatch, predictions: Predictions, num_steps: int) -> Array:
    """[num_steps, B]: whether a trace has hints behind a step, and the sample took it or is weighed at it."""
    steps = jnp.arange(1, num_steps + 1)[:, None]
    running = steps < batch.lengths[None]
    return running if predictions.halting else running & (steps <= predictions.steps[None])


def _output_losses(probe: Probe, truth: Array, predictions: Predictions) -> tuple[Array, Array]:
    """Losses [B, ...] of an output, and which of them count.

    Where a network learns when to stop they are expected values: sums over steps of the probability to stop
    there times the loss of what would be returned (Banino et al. 2021, arXiv 2107.05407, section 2).
    """
    halting = predictions.halting
    if halting is None:
        return LOSSES[probe.kind](truth, predictions.outputs[probe.name])
    logits = halting.outputs[probe.name]
    at_each_step = jnp.broadcast_to(truth[None], (len(logits), *truth.shape))
    losses, counts = LOSSES[probe.kind](at_each_step, logits)
    return (_expand(jnp.exp(halting.log_probabilities), losses) * losses).sum(axis=0), counts[0]


def total_loss(by_probe: Mapping[str, Array], factors: Mapping[str, float] | None = None) -> Array:
    """What is minimised: the sum of all, each times its factor, if it has one."""
    factors = factors or {}
    return jnp.stack([value * factors.get(name, 1.0) for name, value in by_probe.items()]).sum()


# ---------------------------------------------------------------------------------------------------
# Weights


def loss_factors(
    spec: Spec, task: str, names: Iterable[str], weights: Mapping[str, float]
) -> dict[str, float]:
    """The factor of each loss of a task: the product of all weights that are meant for it.

    Args:
      spec: of the task, after transforms.
      task: name of the algorithm.
      names: of losses, as `losses_by_probe` has them.
      weights: by stage ("hint", "output" or "auxiliary"), by task ("bfs"), by probe ("bfs/pi_h") or by
        auxiliary loss ("auxiliary/gate", "bfs/auxiliary/gate").
    """

    def factor(name: str) -> float:
        stage = spec[name].stage.value if name in spec else AUXILIARY
        keys = dict.fromkeys((stage, task, f"{task}/{name}", name if stage == AUXILIARY else stage))
        return math.prod(weights.get(key, 1.0) for key in keys)

    return {name: factor(name) for name in names}


def check_loss_weights(weights: Mapping[str, float], names: Mapping[str, Iterable[str]]) -> None:
    """Raises ValueError on a weight for what is not there, or that is no number of at least 0.

    Args:
      weights: as in `loss_factors`.
      names: names of the losses of each task, as `losses_by_probe` has them.
    """
    stages = (Stage.HINT.value, Stage.OUTPUT.value, AUXILIARY)
    of_probes = [f"{task}/{name}" for task, losses in names.items() for name in losses]
    auxiliary = [name for losses in names.values() for name in losses if name.startswith(f"{AUXILIARY}/")]
    known = dict.fromkeys((*stages, *names, *of_probes, *auxiliary))
    for key, value in weights.items():
        if key not in known:
            raise ValueError(f"unknown loss weight {key!r}; known: {', '.join(known)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"loss weight {key} must be a number of at least 0, got {value!r}")


def _mean(losses: Array, counts: Array) -> Array:
    counted = jnp.where(counts, losses, 0.0)
    return counted.sum() / jnp.maximum(counts.sum(), 1)


def _expand(condition: Array, like: Array) -> Array:
    return condition.reshape(condition.shape + (1,) * (like.ndim - condition.ndim))


def _real_entries(probe: Probe, batch: TraceBatch, losses: Array) -> Array:
    """Which of the losses [..., B, locations] belong to real nodes; broadcasts against them."""
    if batch.num_nodes is None or probe.location is Location.GRAPH or probe.kind is Kind.MASK_ONE:
        return jnp.ones((1,) * losses.ndim, bool)
    num_nodes = losses.shape[-1]
    real = jnp.arange(num_nodes)[None] < batch.num_nodes[:, None]
    if probe.location is Location.EDGE:
        real = real[:, :, None] & real[:, None, :]
    return real.reshape((1,) * (losses.ndim - real.ndim) + real.shape)
