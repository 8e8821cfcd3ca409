"""Objectives: what a training step optimizes.

An objective maps a batch to losses by name, each a sum over entries and their number. Loss weights, gradient
accumulation, metrics and the check for non-finite values follow from these. `module:ATTRIBUTE` names a custom
objective, such as `experiments/examples/permutation_consistency.py`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax

from nar.data.views import BATCH, View
from nar.losses.terms import loss_terms
from nar.model import ChunkCarry, Model, Params, Predictions
from nar.model.loss_term import LossTerm
from nar.plugins import unknown_name
from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class ObjectiveContext:
    """Everything that an objective may use besides the parameters and the random key.

    Attributes:
      task: name of the algorithm.
      batch: the batch, or a micro-batch of it.
      training_step: number of training steps taken before.
      views: further views of the batch, by name.
      chunk_carries: for chunks, the states after the previous ones, by view, which `predict` replaces.
      metrics: metrics to log that are not optimized, by name; an objective may add some.
    """

    task: str
    batch: Any = None
    training_step: jax.Array | int = 0
    views: Mapping[str, TraceBatch] = dataclasses.field(default_factory=dict)
    chunk_carries: dict[str, ChunkCarry] = dataclasses.field(default_factory=dict)
    metrics: dict[str, LossTerm] = dataclasses.field(default_factory=dict)

    def predict(
        self, model: Model, params: Params, key: jax.Array, view: str = BATCH, **options: Any
    ) -> Predictions:
        """Predicts the batch or a view of it, in training; chunks continue from the previous ones.

        Args:
          model: the network.
          params: its parameters.
          key: random key, the same for two views that are to be predicted with the same noise.
          view: name of the view; by default the batch itself.
          **options: further options of `Model.apply`, such as `return_hidden`.

        Raises:
          ValueError: if there is no such view; the message lists the known ones.
        """
        batches = {BATCH: self.batch, **self.views}
        if view not in batches:
            raise ValueError(unknown_name("view", view, batches))
        carry = self.chunk_carries.get(view)
        options = {"training_step": self.training_step, "chunk_carry": carry, **options}
        predictions = model.apply(params, key, self.task, batches[view], True, **options)
        if predictions.chunk_carry is not None:
            self.chunk_carries[view] = predictions.chunk_carry
        if predictions.halting is not None and view == BATCH:
            self.metrics["steps"] = LossTerm(predictions.steps.sum(), predictions.steps.size)
        return predictions


class Objective(Protocol):
    """A function from a batch to losses by name.

    It may have an attribute `views`, see `with_views`; and an attribute `check_model`, a function of the
    network that raises ValueError if the objective cannot train it.
    """

    def __call__(
        self, model: Any, params: Params, key: jax.Array, batch: Any, context: ObjectiveContext, /
    ) -> Mapping[str, LossTerm]:
        """Computes the losses; it is called while a training step is traced.

        Args:
          model: the network.
          params: its parameters.
          key: random key, different in every step and micro-batch.
          batch: the batch, or a micro-batch of it, as context.batch.
          context: everything else.

        Returns:
          Losses by name. Their counts may depend on the batch only: with gradient accumulation, the loss of
          the whole batch needs them before the gradients of micro-batches. Counts that depend on parameters
          are right, too, but cost another forward pass.
        """
        ...


def supervised(
    model: Model, params: Params, key: jax.Array, batch: TraceBatch, context: ObjectiveContext
) -> dict[str, LossTerm]:
    """The losses of all hints and outputs, and the auxiliary losses of the network."""
    predictions = context.predict(model, params, key)
    return loss_terms(model.specs[context.task], batch, predictions)


def with_views(**views: View) -> Callable[[Objective], Objective]:
    """Decorator that sets the views that an objective requests.

    Args:
      **views: by name, functions that make the view on the host; see `nar.data.View`.
    """

    def set_views(objective: Objective) -> Objective:
        objective.views = views  # pyright: ignore[reportAttributeAccessIssue]
        views_of(objective)
        return objective

    return set_views


def views_of(objective: Objective) -> Mapping[str, View]:
    """The views that an objective requests, by name.

    Raises:
      ValueError: if a view is not a function or has no valid name.
    """
    views = getattr(objective, "views", {})
    for name, view in views.items():
        if not name.isidentifier() or name == BATCH or not callable(view):
            raise ValueError(
                f"views must be functions by name (other than {BATCH!r}), got {name!r}: {view!r}"
            )
    return views
