"""A network for one or several tasks, as pure functions. Haiku does not leave this room."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import haiku as hk
import jax

from nar.model.config import NetConfig
from nar.model.init import ParameterSpec, Params, draw_params, find_parameter_specs, nest_params
from nar.model.rollout import Predictions, initial_chunk_carry, rollout
from nar.model.step import ChunkCarry
from nar.specs import Spec
from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class Model:
    """The pure functions of a network.

    Attributes:
      init: `(key, {task: batch}) -> params` for all tasks; any batch of a task will do.
      apply: `(params, key, task, batch, is_training, num_steps=None, training_step=0, chunk_carry=None) ->
        Predictions`; the key may be None unless in training; see `nar.model.rollout.rollout` for the others.
      initial_chunk_carry: `(task, batch) -> ChunkCarry`, what stands for the chunk before the first one.
      specs: by task, after transforms.
      config: what the network is made of.
    """

    init: Callable[[jax.Array, Mapping[str, TraceBatch]], Params]
    apply: Callable[..., Predictions]
    initial_chunk_carry: Callable[[str, TraceBatch], ChunkCarry]
    specs: Mapping[str, Spec]
    config: NetConfig


def make_model(config: NetConfig, specs: Mapping[str, Spec]) -> Model:
    """One processor shared by all tasks, with encoders and decoders for each.

    Args:
      config: what the network is made of.
      specs: by task, after transforms.
    """

    def forward(
        task: str,
        batch: TraceBatch,
        is_training: bool,
        num_steps: int | None = None,
        training_step: jax.Array | int = 0,
        chunk_carry: ChunkCarry | None = None,
    ) -> Predictions:
        return rollout(config, task, specs[task], batch, is_training, num_steps, training_step, chunk_carry)

    transformed = hk.transform(forward)
    known: dict[str, dict[str, ParameterSpec]] = {}

    def init(key: jax.Array, batches: Mapping[str, TraceBatch]) -> Params:
        # What several tasks want is made as the first in alphabetical order wants it.
        values: dict[str, jax.Array] = {}
        for task in sorted(specs):
            run = functools.partial(forward, task, batches[task], False)
            if task not in known:
                known[task] = find_parameter_specs(run)
            new = {name: one for name, one in known[task].items() if name not in values}
            values |= draw_params(new, run, key)
        return nest_params(values)

    def blank_of(task: str, batch: TraceBatch) -> ChunkCarry:
        return hk.transform(lambda: initial_chunk_carry(config, specs[task], batch)).apply({}, None)

    return Model(init, transformed.apply, blank_of, dict(specs), config)
