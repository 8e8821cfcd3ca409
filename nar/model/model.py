"""A network for one or several tasks as pure functions; callers need no Haiku."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import haiku as hk
import jax

from nar.model.config import NetConfig
from nar.model.init import ParameterSpec, Params, draw_params, find_parameter_specs, nest_params
from nar.model.params_by_task import PROCESSOR, flatten_tasks, nest_by_task
from nar.model.predictions import ChunkCarry, Predictions
from nar.model.rollout import initial_chunk_carry, rollout
from nar.model.termination import FromTrace
from nar.model.weight_uncertainty import with_weight_uncertainty
from nar.processors.layers.float32_parameters import float32_parameters
from nar.specs import Spec
from nar.traces import TraceBatch


@dataclasses.dataclass(frozen=True)
class Model:
    """The pure functions of a network.

    Attributes:
      init: `(key, {task: batch}) -> params` for all tasks, with any one batch per task; parameters are
        nested by task (`nar.model.params_by_task`).
      apply: `(params, key, task, batch, is_training, num_steps=None, training_step=0, chunk_carry=None,
        return_hidden=False) -> Predictions`; the key may be None in evaluation; see
        `nar.model.rollout.rollout` for the rest.
      initial_chunk_carry: `(task, batch) -> ChunkCarry`, the state before the first chunk.
      specs: specs by task, after transforms.
      config: configuration of the network.
    """

    init: Callable[[jax.Array, Mapping[str, TraceBatch]], Params]
    apply: Callable[..., Predictions]
    initial_chunk_carry: Callable[[str, TraceBatch], ChunkCarry]
    specs: Mapping[str, Spec]
    config: NetConfig


def make_model(config: NetConfig, specs: Mapping[str, Spec]) -> Model:
    """Makes a network with one processor shared by all tasks, and encoders and decoders per task.

    Args:
      config: configuration of the network.
      specs: specs by task, after transforms.

    Raises:
      ValueError: if a task has the name of the shared parameters, or has streams or answers, which
        have a value at each step of the trace, and another number of steps than the trace.
    """
    if PROCESSOR in specs:
        raise ValueError(f"no task can have the name {PROCESSOR!r}, that of the shared parameters")
    for task, spec in specs.items():
        if spec.needs_all_steps and not isinstance(config.termination, FromTrace):
            probe = (*spec.streams, *spec.answers)[0]
            raise ValueError(
                f"{task} has the {probe.stage.value} {probe.name!r}, with a value for each step of a trace: "
                "it needs the termination FromTrace ('trace' in configs), got "
                f"{type(config.termination).__name__}"
            )

    def forward(
        task: str,
        batch: TraceBatch,
        is_training: bool,
        num_steps: int | None = None,
        training_step: jax.Array | int = 0,
        chunk_carry: ChunkCarry | None = None,
        return_hidden: bool = False,
    ) -> Predictions:
        return rollout(
            config,
            task,
            specs[task],
            batch,
            is_training,
            num_steps,
            training_step,
            chunk_carry,
            return_hidden,
        )

    transformed = hk.transform(float32_parameters()(forward))
    parameter_specs: dict[str, dict[str, ParameterSpec]] = {}

    def init(key: jax.Array, batches: Mapping[str, TraceBatch]) -> Params:
        # Parameters that tasks share are initialized as in the alphabetically first task.
        values: dict[str, jax.Array] = {}
        for task in sorted(specs):
            run = functools.partial(forward, task, batches[task], False)
            if task not in parameter_specs:
                parameter_specs[task] = find_parameter_specs(run)
            new = {name: spec for name, spec in parameter_specs[task].items() if name not in values}
            values |= draw_params(new, run, key)
        return nest_by_task(nest_params(values))

    def apply(params: Params, key: jax.Array | None, *args: Any, **options: Any) -> Predictions:
        return transformed.apply(flatten_tasks(params), key, *args, **options)

    def chunk_carry_for(task: str, batch: TraceBatch) -> ChunkCarry:
        return hk.transform(lambda: initial_chunk_carry(config, specs[task], batch)).apply({}, None)

    functions: tuple[Any, Any] = (init, apply)
    if config.weight_uncertainty is not None:
        functions = with_weight_uncertainty(init, apply, config.weight_uncertainty)
    return Model(*functions, chunk_carry_for, dict(specs), config)
