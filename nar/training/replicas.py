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


def over_replicas(step: Callable[..., tuple[TrainState, Any]]) -> Callable[..., tuple[TrainState, Any]]:
    """A step of all replicas at once.

    Args:
      step: `(state, batch, task, lane=None) -> (state, metrics)` of one; so is what is returned, for states,
        batches and metrics of replicas.
    """

    def step_all(state: TrainState, batch: Any, task: str, lane: str | None = None) -> tuple[TrainState, Any]:
        one = functools.partial(step, task=task, lane=lane)
        return jax.vmap(one, in_axes=(AXES, 0), out_axes=(AXES, 0))(state, batch)

    return step_all


def stack(trees: Sequence[Any]) -> Any:
    """Trees of replicas as one tree."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def split(tree: Any, num_replicas: int) -> list[Any]:
    """A tree as those of its replicas."""
    return [_take(tree, replica) for replica in range(num_replicas)]


@jax.jit
def _take(tree: Any, replica: int | jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[replica], tree)
