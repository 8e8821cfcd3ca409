"""The objective `augmented`: plain data augmentation by problems with the same first steps."""

import dataclasses
from collections.abc import Mapping

import jax

from nar.data.augmentation import AugmentedView
from nar.data.views import View
from nar.losses.objectives import ObjectiveContext
from nar.losses.terms import loss_terms
from nar.model import Model, Params
from nar.model.loss_term import LossTerm
from nar.traces import TraceBatch

VIEW = "augmented"
"""Name of the view with the augmented problems."""


@dataclasses.dataclass(frozen=True, eq=False)
class Augmented:
    """The losses of `supervised`, over a batch and over an augmented problem for each of its problems.

    The augmentations are those of Hint-ReLIC (`nar.data.augmentation`), without the contrast. Augmented
    problems count like others: the loss of a probe is the mean over its entries in both. A step thus costs
    that of a batch twice as large, the second half of it of larger problems.

    Attributes:
      new_nodes: number of nodes that are added where that is possible.
      augmentations: algorithm -> `module:ATTRIBUTE`, for algorithms without a built-in augmentation.
    """

    new_nodes: int = 4
    augmentations: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
          ValueError: if one is invalid.
        """
        check_new_nodes(self.new_nodes)

    @property
    def views(self) -> Mapping[str, View]:
        """The augmented problems, with whole traces."""
        return {VIEW: AugmentedView(self.new_nodes, self.augmentations)}

    def __call__(
        self, model: Model, params: Params, key: jax.Array, batch: TraceBatch, context: ObjectiveContext
    ) -> dict[str, LossTerm]:
        """Computes the losses."""
        spec, view = model.specs[context.task], context.views[VIEW]
        first = loss_terms(spec, batch, context.predict(model, params, key))
        second = loss_terms(spec, view, context.predict(model, params, key, VIEW))
        return {
            name: LossTerm(term.sum + second[name].sum, term.count + second[name].count)
            for name, term in first.items()
        }


def check_new_nodes(new_nodes: int) -> None:
    """Raises ValueError unless a number of new nodes is an integer of at least 0."""
    if isinstance(new_nodes, bool) or not isinstance(new_nodes, int) or new_nodes < 0:
        raise ValueError(f"new_nodes must be an integer of at least 0, got {new_nodes!r}")
