"""What training changes: parameters, optimiser state, step and random key."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nar.model import Model, Params
from nar.traces import TraceBatch


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """All of it. The position in the data is the step.

    Attributes:
      params: of the network.
      optimiser: state of the optimiser.
      step: number of steps taken, int32 scalar.
      key: random key of the run; step t uses `fold_in(key, t)`.
    """

    params: Params
    optimiser: Any
    step: jax.Array
    key: jax.Array


def init_state(
    model: Model, optimiser: optax.GradientTransformation, batches: Mapping[str, TraceBatch], seed: int
) -> TrainState:
    """The state before the first step.

    Args:
      model: the network.
      optimiser: of the run.
      batches: any batch of each task.
      seed: of initialisation and of the noise in training.
    """
    init_key, run_key = jax.random.split(jax.random.key(seed))
    params = model.init(init_key, batches)
    return TrainState(params, optimiser.init(params), jnp.zeros((), jnp.int32), run_key)


def count_parameters(params: Params) -> int:
    """How many numbers are learned."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def digest(tree: Any) -> str:
    """SHA-256 of the names, types, shapes and bytes of all arrays of a tree, in the order of their names."""
    result = hashlib.sha256()
    leaves = [(jax.tree_util.keystr(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]
    for name, leaf in sorted(leaves, key=lambda pair: pair[0]):
        array = np.ascontiguousarray(_plain(leaf))
        result.update(f"{name} {array.dtype} {array.shape}\n".encode())
        result.update(array.tobytes())
    return result.hexdigest()


def _plain(leaf: Any) -> np.ndarray:
    """A leaf as numpy array; random keys as the numbers behind them."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
