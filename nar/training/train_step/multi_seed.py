"""Replicas: several seeds trained as one program, along an axis before all others of every array.

Replica k is the run with the k-th seed: its own initialisation, random keys and data. Only the number of the
step is one for all.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nar.training.state import TrainState

SEED_AXES = TrainState(params=0, optimizer=0, step=None, key=0, ema_params=0, chunk_carries=0)  # pyright: ignore
"""Of a state: which axis is that of the replicas."""


MapOverSeeds = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Of a function `(state, tree, *rest)` of one replica makes one of all; on the rest nothing depends."""


def vmap_seeds(function: Callable[..., Any], out_axes: Any = 0) -> Callable[..., Any]:
    """All replicas as one, which is nearly free on an accelerator.

    Args:
      function: as of `OverSeeds`.
      out_axes: of its results, which axis is to be that of the replicas.
    """

    @functools.wraps(function)
    def of_all(state: TrainState, tree: Any, *rest: Any) -> Any:
        def of_one(state: TrainState, tree: Any) -> Any:
            return function(state, tree, *rest)

        return jax.vmap(of_one, in_axes=(SEED_AXES, 0), out_axes=out_axes)(state, tree)

    return of_all


def loop_seeds(function: Callable[..., Any]) -> Callable[..., Any]:
    """One replica after another, with what one keeps for its gradient: on a CPU products of all are slow.

    Args:
      function: as of `OverSeeds`; the first axis of all its results is to be that of the replicas.
    """

    @functools.wraps(function)
    def of_all(state: TrainState, tree: Any, *rest: Any) -> Any:
        def of_one(one: tuple[TrainState, Any]) -> Any:
            own, tree = one
            return function(dataclasses.replace(own, step=state.step), tree, *rest)

        return jax.lax.map(of_one, (dataclasses.replace(state, step=None), tree))

    return of_all


def stack_seeds(trees: Sequence[Any]) -> Any:
    """Trees of replicas as one tree."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstack_seeds(tree: Any, num_seeds: int) -> list[Any]:
    """A tree as those of its replicas."""
    return [_take(tree, seed_index) for seed_index in range(num_seeds)]


@jax.jit
def _take(tree: Any, seed_index: int | jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[seed_index], tree)
