"""Replicas: several seeds trained as one program, along an axis before all others of every array.

Replica k is the run with the k-th seed: its own initialisation, random keys and data. Only the number of the
step is one for all.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nar.training.state import TrainState

AXES = TrainState(params=0, optimiser=0, step=None, key=0, average=0, recurrent=0)  # pyright: ignore
"""Of a state: which axis is that of the replicas."""


def over_replicas(function: Callable[..., Any], out_axes: Any) -> Callable[..., Any]:
    """A function of one replica as one of all replicas at once.

    Args:
      function: `(state, tree, *rest)`; of the rest nothing depends on the replica.
      out_axes: of its results, which axis is to be that of the replicas.
    """

    @functools.wraps(function)
    def of_all(state: TrainState, tree: Any, *rest: Any) -> Any:
        def of_one(state: TrainState, tree: Any) -> Any:
            return function(state, tree, *rest)

        return jax.vmap(of_one, in_axes=(AXES, 0), out_axes=out_axes)(state, tree)

    return of_all


def stack(trees: Sequence[Any]) -> Any:
    """Trees of replicas as one tree."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def split(tree: Any, num_replicas: int) -> list[Any]:
    """A tree as those of its replicas."""
    return [_take(tree, replica) for replica in range(num_replicas)]


@jax.jit
def _take(tree: Any, replica: int | jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[replica], tree)
