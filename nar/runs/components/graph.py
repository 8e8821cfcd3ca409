"""Builds the components of a graph-network run from its config, and checks the whole config first."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import optax

from nar.data import (
    AUTO_MICROBATCHES,
    MultiSeedStream,
    Task,
    TraceStream,
    TrainingStream,
    Transforms,
    View,
    Windows,
)
from nar.evaluation import Inference, Scores, score_problem_sets
from nar.evaluation.metrics import Metrics, capture_of
from nar.evaluation.scaled_inputs import InputRanges
from nar.losses import Objective, views_of
from nar.model import Model, Params, make_model
from nar.runs.components.model import check_execution, make_net_config
from nar.runs.components.objective import build_objective, check_weights
from nar.runs.components.optimizer import build_optimizer, check_patterns
from nar.runs.components.protocol import (
    SELECTION_SPLIT,
    Protocol,
    check_protocol_metrics,
    make_protocol,
)
from nar.runs.components.tasks import (
    check_kinds,
    find_task_weighting,
    loss_weights,
    make_task_schedule,
    make_tasks,
    make_transforms,
)
from nar.runs.config import RunConfig
from nar.runs.optimization_config import MAX_SEED
from nar.training import Devices, make_train_step
from nar.training.loop import TaskWeightFunction
from nar.training.optim import check_several_tasks
from nar.training.train_step import (
    CompiledTrainStep,
    check_grad_accumulation_steps,
    loop_seeds,
    unstack_seeds,
    vmap_seeds,
)


@dataclasses.dataclass(frozen=True)
class GraphComponents:
    """The components of a graph-network run.

    Attributes:
      tasks: the training tasks.
      transforms: the data transforms, shared by all tasks.
      model: the network.
      optimizer: the optimizer.
      objective: what is optimized.
      loss_weights: loss weights by name.
      ema_decay: decay of the exponential moving average of the parameters; 0 disables it.
      grad_accumulation_steps: micro-batches per batch, or `nar.data.AUTO_MICROBATCHES`.
      stream: the training data.
      devices: the devices to train on.
      evaluation_batch_size: batch size of evaluation.
      protocol: the problems of validation and test, the metrics, and the selection of the best checkpoint.
      num_seeds: seeds trained in one program; if more than one, states have a leading seed axis.
      task_weight_function: (validation scores, step) -> task sampling weights; None if they are constant.
    """

    tasks: tuple[Task, ...]
    transforms: Transforms
    model: Model
    optimizer: optax.GradientTransformation
    objective: Objective
    loss_weights: Mapping[str, float]
    ema_decay: float
    grad_accumulation_steps: int
    stream: TraceStream
    devices: Devices
    evaluation_batch_size: int
    protocol: Protocol
    num_seeds: int
    task_weight_function: TaskWeightFunction | None

    @property
    def metrics(self) -> Metrics:
        """Metrics beyond the scores, by name."""
        return self.protocol.metrics

    @property
    def selection(self) -> str:
        """Name of the score or metric that selects the best checkpoint."""
        return self.protocol.selection

    @property
    def selection_split(self) -> str:
        """The split whose scores select the best checkpoint."""
        return SELECTION_SPLIT if SELECTION_SPLIT in self.protocol.problem_sets else "val"

    @property
    def protocol_record(self) -> Mapping[str, Any]:
        """The evaluation protocol, for the result."""
        return self.protocol.record

    @property
    def input_ranges(self) -> InputRanges:
        """Ranges of the numbers in training, by task."""
        return {task.name: task.input_ranges for task in self.tasks}

    def check_metrics(self) -> None:
        """Raises ValueError if a metric fails on perfect predictions, or is not defined for a task."""
        check_protocol_metrics(self.protocol, self.tasks)

    def make_train_step(self) -> CompiledTrainStep:
        """Builds the jitted training step."""
        map_over_seeds = loop_seeds if self.devices.is_single_cpu else vmap_seeds
        return make_train_step(
            self.model,
            self.optimizer,
            self.objective,
            loss_weights=self.loss_weights,
            ema_decay=self.ema_decay,
            num_microbatches=self.grad_accumulation_steps,
            devices=self.devices if self.devices.mesh.size > 1 else None,
            map_over_seeds=map_over_seeds if self.num_seeds > 1 else None,
        )

    def unstack_seeds(self, tree: Any) -> list[Any]:
        """Splits parameters, or any tree with a leading seed axis, into one tree per seed."""
        return unstack_seeds(tree, self.num_seeds) if self.num_seeds > 1 else [tree]

    def make_evaluator(self) -> Inference:
        """Builds the inference that `score_split` takes."""
        return Inference(
            self.model,
            self.transforms,
            self.evaluation_batch_size,
            self.devices,
            capture=capture_of(self.metrics),
        )

    def score_split(self, evaluator: Inference, params: Params, split: str) -> Scores:
        """Scores on a split: "val", and "selection" if there is one, during training, "test" at the end."""
        return score_problem_sets(evaluator, params, self.protocol.problem_sets[split], self.metrics)


def build_graph_run(config: RunConfig | Mapping[str, Any], devices: Devices | None = None) -> GraphComponents:
    """Builds the components of a run.

    Args:
      config: the config, or a nested dictionary.
      devices: the devices to run on; all of them by default.

    Raises:
      ValueError: if anything in the config is invalid.
    """
    config = RunConfig.resolve(config)
    data, training = config.data, config.training
    if training.seed + training.num_seeds - 1 > MAX_SEED:
        raise ValueError(
            f"training.seed {training.seed} and the seeds after it, {training.num_seeds} in all, must be at "
            f"most {MAX_SEED}"
        )
    check_execution(config)
    transforms = make_transforms(data, config.model.execution)
    tasks = make_tasks(config, transforms)
    check_kinds(transforms, tasks)
    devices = devices or Devices.all()
    task_batch_sizes = {task.batch_size for task in tasks if task.batch_size is not None}
    for batch_size in {training.batch_size, *task_batch_sizes}:
        devices.check_batch_size(batch_size)
        check_grad_accumulation_steps(batch_size, training.grad_accumulation_steps, devices.mesh.size)
    model = make_model(make_net_config(config.model), {task.name: task.spec for task in tasks})
    objective = build_objective(training, model)
    protocol = make_protocol(config, tasks, model)
    stream = make_stream(config, tasks, devices, views_of(objective))
    weights = loss_weights(config)
    check_weights(weights, model, objective, stream)
    optimizer = build_optimizer(training)
    if len(tasks) > 1:
        check_several_tasks(optimizer)
    check_patterns(training, model, stream)
    return GraphComponents(
        tasks=tasks,
        transforms=transforms,
        model=model,
        optimizer=optimizer,
        objective=objective,
        loss_weights=weights,
        ema_decay=training.ema_decay,
        grad_accumulation_steps=stream.num_microbatches,
        stream=stream,
        devices=devices,
        evaluation_batch_size=config.evaluation.batch_size,
        protocol=protocol,
        num_seeds=training.num_seeds,
        task_weight_function=find_task_weighting(training.task_sampling),
    )


def make_stream(
    config: RunConfig, tasks: tuple[Task, ...], devices: Devices, views: Mapping[str, View]
) -> TraceStream:
    """Builds the training data stream, with the views of the objective.

    Raises:
      ValueError: if the chunk length, the windows, the task sampling, the number of seeds or a view is
        invalid.
    """
    training, task_schedule = config.training, make_task_schedule(config, tasks)
    if find_task_weighting(training.task_sampling) and training.num_seeds > 1:
        raise ValueError(
            f"training.task_sampling {training.task_sampling!r} depends on scores, which differ between "
            "seeds; train the seeds one at a time (training.num_seeds=1)"
        )
    for name in ("chunk_length", "window_length"):
        if getattr(training, name) and config.model.termination != "trace":
            raise ValueError(
                f"training.{name} {getattr(training, name)} needs model.termination=trace, "
                f"got {config.model.termination!r}"
            )
    windows = (
        Windows(training.window_length, training.window_end_fraction) if training.window_length else None
    )
    # A CPU is fastest when micro-batches fit its caches, an accelerator when batches are large. Chunks all
    # have the same number of steps, so sorting their traces by length gains nothing.
    automatic = AUTO_MICROBATCHES if devices.is_single_cpu and not training.chunk_length else 1
    num_microbatches = training.grad_accumulation_steps or automatic
    streams = [
        TrainingStream(
            tasks,
            training.batch_size,
            training.seed + number,
            devices.process,
            devices.num_processes,
            chunk_length=training.chunk_length,
            num_microbatches=num_microbatches,
            task_schedule=task_schedule,
            windows=windows,
            views=views,
            num_traces=config.data.num_traces,
        )
        for number in range(training.num_seeds)
    ]
    try:
        if views:
            _ = streams[0].chunk_examples() or streams[0].viewed_examples()
    except ValueError as error:
        raise ValueError(f"training.objective: {error}") from None
    return streams[0] if len(streams) == 1 else MultiSeedStream(streams)
