"""The training step: gradients, gradient accumulation, several seeds, the parameter update."""

from nar.training.train_step.gradient_accumulation import check_grad_accumulation_steps
from nar.training.train_step.multi_seed import (
    MapOverSeeds,
    loop_seeds,
    stack_seeds,
    unstack_seeds,
    vmap_seeds,
)
from nar.training.train_step.train_step import make_train_step
from nar.training.train_step.update import CompiledTrainStep, TrainStep

__all__ = [
    "CompiledTrainStep",
    "MapOverSeeds",
    "TrainStep",
    "check_grad_accumulation_steps",
    "loop_seeds",
    "make_train_step",
    "stack_seeds",
    "unstack_seeds",
    "vmap_seeds",
]
