"""Multi-seed training: several seeds in one program; every array has a leading axis of seeds.

Index k of that axis is the run with the k-th seed: its own initialization, PRNG keys and data. Only the step
number is shared.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nar.training.state import TrainState

SEED_AXES = TrainState(params=0, opt_state=0, step=None, key=0, ema_params=0, chunk_carries=0)  # pyright: ignore
"""Axis of the seeds in each field of a state, as `jax.vmap` takes it."""


MapOverSeeds = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Lifts `f(state, tree, *rest)` from one seed to all seeds; `rest` is shared."""


def vmap_seeds(function: Callable[..., Any], out_axes: Any = 0) -> Callable[..., Any]:
    """Lifts a function to all seeds by `jax.vmap`; on an accelerator the further seeds are nearly free.

    Args:
      function: see `MapOverSeeds`.
      out_axes: axes of the seeds in the results.
    """

    @functools.wraps(function)
    def all_seeds(state: TrainState, tree: Any, *rest: Any) -> Any:
        def one_seed(state: TrainState, tree: Any) -> Any:
            return function(state, tree, *rest)

        return jax.vmap(one_seed, in_axes=(SEED_AXES, 0), out_axes=out_axes)(state, tree)

    return all_seeds


def loop_seeds(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lifts a function to all seeds by `jax.lax.map`, one seed at a time.

    Only one seed's activations are in memory, and it avoids batched matrix products, which are slow on CPUs.

    Args:
      function: see `MapOverSeeds`; in all results the seeds are the first axis.
    """

    @functools.wraps(function)
    def all_seeds(state: TrainState, tree: Any, *rest: Any) -> Any:
        def one_seed(inputs: tuple[TrainState, Any]) -> Any:
            seed_state, seed_tree = inputs
            return function(dataclasses.replace(seed_state, step=state.step), seed_tree, *rest)

        return jax.lax.map(one_seed, (dataclasses.replace(state, step=None), tree))

    return all_seeds


def stack_seeds(trees: Sequence[Any]) -> Any:
    """The trees of all seeds as one tree, with a leading axis of seeds."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def unstack_seeds(tree: Any, num_seeds: int) -> list[Any]:
    """Inverse of `stack_seeds`: one tree per seed."""
    return [_take(tree, seed_index) for seed_index in range(num_seeds)]


@jax.jit
def _take(tree: Any, seed_index: int | jax.Array) -> Any:
    return jax.tree.map(lambda leaf: leaf[seed_index], tree)
