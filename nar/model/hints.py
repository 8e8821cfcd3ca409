"""Hints as network inputs: dense values, teacher forcing, and the feedback of predicted hints.

In dense form every value is an array of floats: a pointer is a row of N weights (one-hot for ground truth, a
distribution for soft predictions), other kinds are shaped as in a trace. `densify` converts ground truth,
`decode_soft` and `decode_hard` convert logits, so that true and predicted hints have the same form.

After each step of a rollout a feedback function converts the logits of each hint to the dense values that the
next step encodes: one of `HINT_FEEDBACKS`, or a custom one named `module:FUNCTION`. In training, teacher
forcing replaces these values by true ones for a random subset of the samples, and noise is added to them.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from nar.kinds import KindTable
from nar.model.count_nodes import count_targets
from nar.model.sinkhorn import FEEDBACK_SINKHORN_ITERATIONS, log_sinkhorn
from nar.plugins import Registry, takes
from nar.specs import MASKED, Kind, Probe
from nar.traces import TraceBatch

Array = jax.Array
Values = dict[str, Array]


# ---------------------------------------------------------------------------------------------------
# Ground truth


def _as_float(value: Array, num_nodes: int) -> Array:
    del num_nodes
    return value.astype(jnp.float32)


def _as_one_hot(value: Array, num_nodes: int) -> Array:
    return jax.nn.one_hot(value, num_nodes, dtype=jnp.float32)


_DENSE = KindTable[Callable[[Array, int], Array]](
    "dense",
    {
        Kind.SCALAR: _as_float,
        Kind.VECTOR: _as_float,
        Kind.CATEGORICAL: _as_float,
        Kind.MASK: _as_float,
        Kind.MASK_ONE: _as_float,
        Kind.POINTER: _as_one_hot,
        Kind.SHOULD_BE_PERMUTATION: _as_one_hot,
        Kind.PERMUTATION_POINTER: _as_float,
    },
)


def densify(probe: Probe, value: Array, num_nodes: int) -> Array:
    """Converts ground truth [...] to dense form; pointers [...] become [..., N]."""
    return _DENSE[probe.kind](value, num_nodes)


def true_hints(probes: Sequence[Probe], batch: TraceBatch, index: Array | int, num_nodes: int) -> Values:
    """Dense hints of the traces at one index, by name, [B, ...]."""

    def dense(probe: Probe) -> Array:
        value = jnp.asarray(batch.hints[probe.name])[index]
        return densify(probe, value, count_targets(probe, batch, num_nodes))

    return {probe.name: dense(probe) for probe in probes}


def true_streams(probes: Sequence[Probe], batch: TraceBatch, index: Array | int, num_nodes: int) -> Values:
    """Dense streams at one index, by name, [B, ...]; masked values, such as no node, are zero."""
    values = true_hints(probes, batch, index, num_nodes)
    masked = (probe.name for probe in probes if not probe.kind.is_number)
    return values | {name: jnp.where(values[name] == MASKED, 0.0, values[name]) for name in masked}


def true_inputs(probes: Sequence[Probe], batch: TraceBatch, num_nodes: int) -> Values:
    """Dense inputs by name, [B, ...]."""
    return {p.name: densify(p, batch.inputs[p.name], count_targets(p, batch, num_nodes)) for p in probes}


# ---------------------------------------------------------------------------------------------------
# Predictions


def _softmax(logits: Array, iterations: int) -> Array:
    del iterations
    return jax.nn.softmax(logits)


def _argmax(logits: Array, iterations: int) -> Array:
    del iterations
    return jax.nn.one_hot(logits.argmax(-1), logits.shape[-1], dtype=logits.dtype)


def _soft_permutation(logits: Array, iterations: int) -> Array:
    return jnp.exp(log_sinkhorn(logits, iterations))


def _hard_permutation(logits: Array, iterations: int) -> Array:
    return _argmax(log_sinkhorn(logits, iterations), iterations)


_SOFT = KindTable[Callable[[Array, int], Array]](
    "soft",
    {
        Kind.SCALAR: lambda logits, iterations: logits,
        Kind.VECTOR: lambda logits, iterations: logits,
        Kind.CATEGORICAL: _softmax,
        Kind.MASK: lambda logits, iterations: jax.nn.sigmoid(logits),
        Kind.MASK_ONE: _softmax,
        Kind.POINTER: _softmax,
        Kind.SHOULD_BE_PERMUTATION: _softmax,
        Kind.PERMUTATION_POINTER: _soft_permutation,
    },
)

_HARD = KindTable[Callable[[Array, int], Array]](
    "hard",
    {
        Kind.SCALAR: lambda logits, iterations: jax.lax.stop_gradient(logits),
        Kind.VECTOR: lambda logits, iterations: jax.lax.stop_gradient(logits),
        Kind.CATEGORICAL: _argmax,
        Kind.MASK: lambda logits, iterations: (logits > 0).astype(logits.dtype),
        Kind.MASK_ONE: _argmax,
        Kind.POINTER: _argmax,
        Kind.SHOULD_BE_PERMUTATION: _argmax,
        Kind.PERMUTATION_POINTER: _hard_permutation,
    },
)


def decode_soft(probe: Probe, logits: Array, iterations: int = FEEDBACK_SINKHORN_ITERATIONS) -> Array:
    """Converts logits to dense values by softmax, sigmoid or Sinkhorn; differentiable."""
    return _SOFT[probe.kind](logits, iterations)


def decode_hard(probe: Probe, logits: Array, iterations: int = FEEDBACK_SINKHORN_ITERATIONS) -> Array:
    """Converts logits to discrete dense values (0 or 1, one-hot), without gradients."""
    return _HARD[probe.kind](logits, iterations)


# ---------------------------------------------------------------------------------------------------
# Feedback of predictions


class FeedbackContext(NamedTuple):
    """State of the rollout and of training, for feedback functions.

    Attributes:
      is_training: whether this is a training rollout.
      next_key: returns a new random key at each call; available in training only.
      step: index of the step in its trace, a traced integer; [B] in chunked rollouts.
      training_step: number of completed optimizer steps, for schedules.
      mask: [B, N] bool, the real nodes, or None if no node is padding.
      hints: dense values by name that this step has encoded, of all hints.
      logits: logits by name that this step has predicted, of all hints.
    """

    is_training: bool
    next_key: Callable[[], Array]
    step: Array | int = 0
    training_step: Array | int = 0
    mask: Array | None = None
    hints: Mapping[str, Array] = MappingProxyType({})
    logits: Mapping[str, Array] = MappingProxyType({})


class HintFeedback(Protocol):
    """Protocol of feedback functions, which are called for each hint after each step."""

    def __call__(self, probe: Probe, logits: Array, context: FeedbackContext, /) -> Array:
        """Returns the dense values that the next step encodes.

        Args:
          probe: the hint; `probe.kind` determines the meaning of its logits.
          logits: float32 [B, ...], one for each entry of the dense values. Those of permutation pointers are
            the log of a doubly stochastic matrix.
          context: state of the rollout.

        Returns:
          Float32 values of the shape of the logits. Their gradient is the only one that reaches hint decoders
          through later steps.
        """
        ...


def feed_soft(probe: Probe, logits: Array, context: FeedbackContext) -> Array:
    """Probabilities, by `decode_soft`; differentiable."""
    del context
    return decode_soft(probe, logits)


def feed_hard(probe: Probe, logits: Array, context: FeedbackContext) -> Array:
    """Discrete values, by `decode_hard`; without gradients."""
    del context
    return decode_hard(probe, logits)


def feed_hard_on_eval(probe: Probe, logits: Array, context: FeedbackContext) -> Array:
    """Probabilities in training, discrete values in evaluation."""
    return (feed_soft if context.is_training else feed_hard)(probe, logits, context)


CHANGES_SUFFIX = "_changes"
"""Suffix of the mask hint that marks the nodes at which a hint changes."""


def feed_changes(probe: Probe, logits: Array, context: FeedbackContext) -> Array:
    """Discrete values, which change only at nodes that the mask hint `NAME_changes` marks, if there is one.

    Pointer Graph Networks infer their pointers so (Veličković et al. 2020, arXiv 2006.06380, section 3).
    """
    value = feed_hard(probe, logits, context)
    changes = context.logits.get(probe.name + CHANGES_SUFFIX)
    if changes is None:
        return value
    is_changed = changes.reshape(changes.shape + (1,) * (value.ndim - changes.ndim)) > 0
    return jnp.where(is_changed, value, context.hints[probe.name])


HINT_FEEDBACKS: Registry[HintFeedback] = Registry(
    "hint_feedback",
    {"soft": feed_soft, "hard": feed_hard, "hard_on_eval": feed_hard_on_eval, "changes": feed_changes},
    is_valid=takes(3),
    path="module:FUNCTION",
)
"""Feedback functions by name; the first three names are those of dm-clrs's `hint_repred_mode`."""


def find_hint_feedback(name: str) -> HintFeedback:
    """Looks up a feedback function.

    Args:
      name: a key of `HINT_FEEDBACKS`, or `module:FUNCTION`, a `HintFeedback` in an importable module.

    Raises:
      ValueError: if there is no such function (the message lists the known ones), or it does not take three
        arguments.
    """
    feedback = HINT_FEEDBACKS.find(name)
    try:
        inspect.signature(feedback).bind(*["argument"] * 3)
    except TypeError:
        raise ValueError(f"hint_feedback {name!r} must take the arguments (probe, logits, context)") from None
    return feedback


def feed_back(
    feedback: HintFeedback, probes: Sequence[Probe], logits: Values, context: FeedbackContext
) -> Values:
    """Dense values of the next step by name, from the logits of this one.

    Raises:
      ValueError: if the feedback function returns another shape or dtype than that of the logits.
    """
    values = {probe.name: feedback(probe, logits[probe.name], context) for probe in probes}
    for name, value in values.items():
        expected, given = (f"{x.dtype}{list(x.shape)}" for x in (logits[name], value))
        if given != expected:
            raise ValueError(f"hint feedback of {name} must return {expected}, got {given}")
    return values


# ---------------------------------------------------------------------------------------------------
# Teacher forcing and noise


def apply_teacher_forcing(
    fed_back: Values,
    truth: Values,
    probability: Array | float,
    key: Array,
    *,
    step: Array | int,
    lengths: Array,
) -> Values:
    """Replaces the hints of a random subset of the samples by true ones, within their traces.

    Args:
      fed_back: dense values by name, [B, ...].
      truth: those of the traces at this step.
      probability: probability of replacing the hints of a sample; they are true at its first step anyway.
      key: random key.
      step: index of the step in its trace, a scalar or [B].
      lengths: [B], number of hint steps of each trace.
    """
    drawn = jax.random.bernoulli(key, probability, lengths.shape)
    return select_samples((drawn & (step < lengths)) | (step == 0), truth, fed_back)


def add_noise(values: Values, deviation: float, key: Array) -> Values:
    """Adds independent Gaussian noise of a standard deviation to dense values, all of their entries."""
    keys = jax.random.split(key, max(len(values), 1))
    return {
        name: value + deviation * jax.random.normal(one, value.shape, value.dtype)
        for one, (name, value) in zip(keys, values.items(), strict=False)
    }


def select_samples(condition: Array, if_true: Any, if_false: Any) -> Any:
    """Selects leaves [B, ...] of one of two trees for each sample, by a condition [B]."""

    def select(true_leaf: Array, false_leaf: Array) -> Array:
        return jnp.where(
            condition.reshape(condition.shape + (1,) * (true_leaf.ndim - 1)), true_leaf, false_leaf
        )

    return jax.tree.map(select, if_true, if_false)
