"""The objective of Hint-ReLIC: a step has the same representation in all problems in which it is taken.

Bevilacqua et al. 2023, arXiv 2302.10258. Each problem x of a batch has an augmented problem x', on which the
algorithm takes the same steps until a random one (`nar.data.augmentation`). For a pointer hint, a step and a
node i whose next pointer is u*, let f(i, u) and f'(i, u) be the representations of the pair of i and any
node u in x and x', of length 1. With a temperature tau,

    s(u)  = <f(i, u*), f'(i, u)> / tau      for all u of x'
    s'(u) = <f'(i, u*), f(i, u)> / tau      for all u of x
    contrast   = -1/2 log softmax(s)(u*) - 1/2 log softmax(s')(u*)
    invariance = KL(p || p'),  p = softmax of s over the nodes of x,  p' = softmax of s'

both as means over pointer hints, nodes of x, and the steps until the random one. The first has the pair (i,
u*) of one problem agree with that of the other, rather than with any other pair (i, u) of it; the second,
the term of ReLIC (Mitrovic et al. 2021, arXiv 2010.07922), has the similarities agree.

The paper contrasts pairs in this way, but its temperature, the weights of the two terms, its representation
of pairs, and the number of steps that it contrasts are not known to us: they are choices of ours. The
temperature is an option, the weights are `training.loss_weights` of `relic/contrast` and `relic/invariance`,
and f is a linear map, to `model.pair_size` numbers, of the features from which the pointer's decoder takes
its logits. Gradients reach both f and f'.
"""

import dataclasses
import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp

from nar.data.augmentation import SHARED_NODES, SHARED_STEPS, AugmentedView
from nar.data.views import View
from nar.losses.augmented import VIEW, check_new_nodes
from nar.losses.objectives import ObjectiveContext
from nar.losses.terms import loss_terms
from nar.model import Model, Params, Predictions
from nar.model.decoders import has_pairs
from nar.model.loss_term import LossTerm
from nar.traces import TraceBatch

Array = jax.Array

MIN_SQUARED_LENGTH = 1e-12
"""Least squared length by whose root representations are divided, for a finite gradient at zero."""


@dataclasses.dataclass(frozen=True, eq=False)
class HintReLIC:
    """The losses of `supervised`, and those of Hint-ReLIC as `relic/contrast` and `relic/invariance`.

    The augmented problems have no other losses. They are predicted until the last step that is the same, on
    average half of a trace.

    Attributes:
      temperature: tau.
      new_nodes: number of nodes that are added where that is possible.
      augmentations: algorithm -> `module:ATTRIBUTE`, for algorithms without a built-in augmentation.
    """

    temperature: float = 0.1
    new_nodes: int = 4
    augmentations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
          ValueError: if one is invalid.
        """
        check_new_nodes(self.new_nodes)
        number = self.temperature
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
            raise ValueError(f"temperature must be a number greater than 0, got {number!r}")

    @property
    def views(self) -> Mapping[str, View]:
        """The augmented problems, with traces until the last step that is the same."""
        return {VIEW: AugmentedView(self.new_nodes, self.augmentations, is_whole=False)}

    def check_model(self, model: Model) -> None:
        """Raises ValueError if a network has no pair features, or a task has no pointer hint."""
        if not model.config.pair_size:
            raise ValueError("hint_relic compares pair features: set model.pair_size, for example to 16")
        if not model.config.hints.decoded:
            raise ValueError("hint_relic needs predicted hints: set model.hint_mode, such as to decoded_only")
        for task, spec in model.specs.items():
            if not any(has_pairs(probe) for probe in spec.hints):
                raise ValueError(f"{task} has no hint that points from nodes, which hint_relic needs")

    def __call__(
        self, model: Model, params: Params, key: Array, batch: TraceBatch, context: ObjectiveContext
    ) -> dict[str, LossTerm]:
        """Computes the losses."""
        first = context.predict(model, params, key)
        second = context.predict(model, params, key, VIEW)
        supervised = loss_terms(model.specs[context.task], batch, first)
        return supervised | self.relic_terms(batch, context.views[VIEW], first, second)

    def relic_terms(
        self, batch: TraceBatch, view: TraceBatch, first: Predictions, second: Predictions
    ) -> dict[str, LossTerm]:
        """The two terms of Hint-ReLIC.

        Args:
          batch: the batch.
          view: its augmented problems.
          first: predictions of the batch.
          second: predictions of the view.
        """
        num_steps = min(batch.num_steps - 1, *(len(one) for one in first.pairs.values()))
        num_steps = min(num_steps, *(len(one) for one in second.pairs.values()))
        nodes, shared_steps = view.inputs[SHARED_NODES], view.inputs[SHARED_STEPS]
        is_same = jnp.arange(num_steps)[:, None] < shared_steps[None]
        contrast = invariance = jnp.zeros((), jnp.float32)
        for name, pairs in first.pairs.items():
            pointers = jnp.asarray(batch.hints[name])[1 : num_steps + 1]
            terms = relic(
                pairs[:num_steps], second.pairs[name][:num_steps], nodes, pointers, self.temperature
            )
            contrast, invariance = (
                total + jnp.where(is_same[..., None], term, 0.0).sum()
                for total, term in zip((contrast, invariance), terms, strict=True)
            )
        count = is_same.sum(dtype=jnp.int32) * (nodes.shape[-1] * len(first.pairs))
        return {"relic/contrast": LossTerm(contrast, count), "relic/invariance": LossTerm(invariance, count)}


def relic(
    pairs: Array, others: Array, nodes: Array, pointers: Array, temperature: float
) -> tuple[Array, Array]:
    """Contrast and invariance of the next pointers, [S, B, N] each; see the module's docstring.

    Args:
      pairs: f, [S, B, N, N, P], of any length.
      others: f', [S, B, M, M, P].
      nodes: [B, N], the node of the augmented problem that each node is.
      pointers: u*, [S, B, N].
      temperature: tau.
    """
    batch_size, num_nodes = nodes.shape
    rows = jnp.take_along_axis(others, nodes[None, :, :, None, None], axis=2)
    pairs, rows = _normalized(pairs), _normalized(rows)
    to_nodes = jnp.broadcast_to(nodes[None, :, None, :], (1, batch_size, num_nodes, num_nodes))
    targets = jnp.take_along_axis(to_nodes[:, :, 0], pointers, axis=2)
    chosen = jnp.take_along_axis(pairs, pointers[..., None, None], axis=3)[..., 0, :]
    other_chosen = jnp.take_along_axis(rows, targets[..., None, None], axis=3)[..., 0, :]
    similar = jnp.einsum("sbip,sbiup->sbiu", chosen, rows) / temperature
    other_similar = jnp.einsum("sbip,sbiup->sbiu", other_chosen, pairs) / temperature
    log_p = jax.nn.log_softmax(jnp.take_along_axis(similar, to_nodes, axis=3))
    log_other_p = jax.nn.log_softmax(other_similar)
    first = jnp.take_along_axis(jax.nn.log_softmax(similar), targets[..., None], axis=3)[..., 0]
    second = jnp.take_along_axis(log_other_p, pointers[..., None], axis=3)[..., 0]
    return -(first + second) / 2, (jnp.exp(log_p) * (log_p - log_other_p)).sum(axis=-1)


def _normalized(values: Array) -> Array:
    return values * jax.lax.rsqrt(
        jnp.maximum(jnp.square(values).sum(axis=-1, keepdims=True), MIN_SQUARED_LENGTH)
    )
