"""A loss as a sum over entries and their number."""

import dataclasses

import jax
import jax.numpy as jnp

Array = jax.Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LossTerm:
    """A loss over some entries of a batch.

    The loss of several micro-batches is the sum of their sums divided by the sum of their counts.

    Attributes:
      sum: sum over the entries, a scalar.
      count: number of entries, a scalar that depends on the batch only.
    """

    sum: Array
    count: Array | int

    @property
    def mean(self) -> Array:
        """The mean over the entries; 0 if there are none."""
        return self.sum / jnp.maximum(self.count, 1).astype(self.sum.dtype)
