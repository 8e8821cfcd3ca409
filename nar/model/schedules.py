"""Schedules over training steps: from a start to an end value in a number of steps, constant afterwards."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp

from nar.plugins import Registry

Array = jax.Array


def _constant(start: float, end: float, progress: Array) -> Array:
    del end
    return jnp.full_like(progress, start)


def _linear(start: float, end: float, progress: Array) -> Array:
    return start + (end - start) * progress


def _cosine(start: float, end: float, progress: Array) -> Array:
    """Cosine annealing, half a period (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    return end + (start - end) * (1 + jnp.cos(jnp.pi * progress)) / 2


def _exponential(start: float, end: float, progress: Array) -> Array:
    """Geometric interpolation: a constant factor per step."""
    return start * (end / start) ** progress


SCHEDULE_SHAPES: Registry[Callable[[float, float, Array], Array]] = Registry(
    "schedule shape",
    {"constant": _constant, "linear": _linear, "cosine": _cosine, "exponential": _exponential},
)
"""Schedule shapes by name: (start, end, progress from 0 to 1) -> value."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A probability as a function of the training step.

    Attributes:
      shape: one of `SCHEDULE_SHAPES`.
      start: value at step 0.
      end: value at step `steps` and later; ignored by `constant`.
      steps: number of training steps from `start` to `end`.
    """

    shape: str
    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        SCHEDULE_SHAPES.find(self.shape)
        for name, value in (("start", self.start), ("end", self.end)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} of a schedule must lie between 0 and 1, got {value}")
        if self.steps < 1:
            raise ValueError(f"steps of a schedule must be at least 1, got {self.steps}")
        if self.shape == "exponential" and not (self.start > 0 and self.end > 0):
            raise ValueError(
                f"start and end of an exponential schedule must be positive, got {self.start} and {self.end}"
            )

    def __call__(self, training_step: Array | int) -> Array:
        """Returns the value at a training step, a scalar."""
        progress = jnp.clip(jnp.asarray(training_step, jnp.float32) / self.steps, 0.0, 1.0)
        return SCHEDULE_SHAPES.find(self.shape)(self.start, self.end, progress)


def value_at(value: float | Schedule, training_step: Array | int) -> float | Array:
    """The value of a constant or a schedule at a training step."""
    return value(training_step) if isinstance(value, Schedule) else value
