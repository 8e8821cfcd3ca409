"""The train state: parameters, optimizer state, step and PRNG key."""

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nar.data.views import all_views
from nar.model import ChunkCarry, Model, Params
from nar.traces import TraceBatch


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that training changes. The position in the data is the step.

    Attributes:
      params: model parameters.
      opt_state: optimizer state.
      step: number of steps taken, int32 scalar.
      key: PRNG key of the run; step t uses `fold_in(key, t)`.
      ema_params: exponential moving average of the parameters, or None if the run does not track one.
      chunk_carries: carries of each chunked stream, by stream key and view; empty for whole traces.
    """

    params: Params
    opt_state: Any
    step: jax.Array
    key: jax.Array
    ema_params: Params | None = None
    chunk_carries: dict[str, dict[str, ChunkCarry]] = dataclasses.field(default_factory=dict)

    @property
    def eval_params(self) -> Params:
        """The parameters for evaluation: the moving average, if there is one."""
        return self.params if self.ema_params is None else self.ema_params

    def with_params(self, params: Params) -> "TrainState":
        """The initial state with other parameters, from which the moving average starts, too."""
        ema_params = None if self.ema_params is None else jax.tree.map(jnp.copy, params)
        return dataclasses.replace(self, params=params, ema_params=ema_params)


def init_state(
    model: Model,
    optimizer: optax.GradientTransformation,
    batches: Mapping[str, TraceBatch],
    seed: int | Sequence[int],
    track_ema: bool = False,
    chunks: Mapping[str, Any] | None = None,
) -> TrainState:
    """The train state before the first step.

    Args:
      model: the network.
      optimizer: the optimizer of the run.
      batches: any batch of each task, by task name.
      seed: seed of initialization and training noise; or a sequence of seeds, which gives all fields but the
        step a leading axis of seeds (see `nar.training.train_step.multi_seed`).
      track_ema: whether to track a moving average of the parameters.
      chunks: any chunk of each chunked stream, with its views, by stream key; None for whole traces.
    """

    def complete(params: Params, key: jax.Array) -> TrainState:
        ema_params = jax.tree.map(jnp.copy, params) if track_ema else None
        chunk_carries = {
            stream_key: {
                name: model.initial_chunk_carry(stream_key.split("/")[0], view)
                for name, view in all_views(chunk).items()
            }
            for stream_key, chunk in (chunks or {}).items()
        }
        step = jnp.zeros((), jnp.int32)
        return TrainState(params, optimizer.init(params), step, key, ema_params, chunk_carries)

    def init_params(seed: int) -> tuple[Params, jax.Array]:
        init_key, run_key = jax.random.split(jax.random.key(seed))
        return model.init(init_key, batches), run_key

    def complete_all(inits: Sequence[tuple[Params, jax.Array]]) -> TrainState:
        return jax.vmap(complete)(*jax.tree.map(lambda *leaves: jnp.stack(leaves), *inits))

    if isinstance(seed, int):
        return jax.jit(complete)(*init_params(seed))
    state = jax.jit(complete_all)([init_params(one) for one in seed])
    return dataclasses.replace(state, step=jnp.zeros((), jnp.int32))


def update_ema(ema_params: Params, params: Params, step: jax.Array, decay: float) -> Params:
    """Exponential moving average of the parameters after one more step, with bias correction.

    After t steps the parameters of step s have the weight decay^(t - s), divided by the sum of all weights;
    the initial parameters have none (Kingma and Ba 2015, arXiv 1412.6980, section 3).

    Args:
      ema_params: average before the step.
      params: parameters after the step.
      step: number of the step, from 1.
      decay: in [0, 1).
    """
    # (1 - decay) / (1 - decay^t), accurate for small t too.
    weight = -(1 - decay) / jnp.expm1(step * math.log(decay)) if decay else 1.0
    return jax.tree.map(lambda old, new: old + weight * (new - old), ema_params, params)


def check_ema_decay(decay: float) -> None:
    """Raises ValueError unless the decay is in [0, 1); 0 stands for no average."""
    if not 0 <= decay < 1:
        raise ValueError(f"ema_decay must be at least 0 and less than 1, got {decay}")


def count_parameters(params: Params) -> int:
    """Number of scalar parameters."""
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
    """A leaf as a NumPy array; PRNG keys as their key data."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
