"""What is done about steps whose loss, gradients or update are not finite."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from absl import logging

from nar.training.optim.parameter_patterns import parameter_names
from nar.training.state import TrainState
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.update import Metrics

Restore = Callable[[TrainState], tuple[TrainState, int]]
"""state -> (the last one that was saved with a score, at the step of `state`; its own step)."""


@dataclasses.dataclass(frozen=True)
class _PendingStep:
    """A step that was started.

    Attributes:
      step: its number, from 1.
      task: its task.
      state: after it; its numbers may be gone.
      flags: as `FINITE` says.
      metrics: of the step.
    """

    step: int
    task: str
    state: TrainState
    flags: Any
    metrics: Metrics


class NonFinitePolicy:
    """Looks at each step for what is not finite, and then does as its policy says.

    The step itself has left parameters, optimizer and average as they were. So it is enough to look at a step
    when the next one has been started, and no step waits for the host; only before a checkpoint is saved, and
    where the policy is to restore, each step is looked at in its turn.
    """

    def __init__(
        self,
        policy: str = "stop",
        limit: int = 10,
        restore: Restore | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Starts anew, or where the notes of a checkpoint say.

        Args:
          policy: one of `POLICIES`.
          limit: of skips in a row, or of returns without a checkpoint in between.
          restore: where the policy is to restore.
          notes: of the checkpoint that training goes on from.

        Raises:
          ValueError: if the policy or the limit is not valid.
        """
        check_policy(policy, limit)
        memory = (metadata or {}).get("nonfinite", {})
        self._policy = POLICIES[policy]
        self._waits = policy == "restore"
        self._limit = limit
        self._restore = restore
        self._in_a_row = memory.get("in_a_row", 0)
        self._bad = memory.get("step", -1)
        self._last: _PendingStep | None = None

    def check(self, step: int, task: str, state: TrainState, metrics: Metrics) -> TrainState:
        """Hears of a step that was started; the state to go on with.

        Args:
          step: number of steps so far.
          task: of the step.
          state: after it.
          metrics: of it; `FINITE` is taken out, and believed if a step function does not say.

        Raises:
          FloatingPointError: if training is to stop.
        """
        seen = _PendingStep(step, task, state, metrics.pop(FINITE, np.True_), metrics)
        if self._waits:
            return self._judge(seen)
        self.flush()
        self._last = seen
        return state

    def flush(self) -> None:
        """Looks at the step that was heard of last, if that was not done.

        Raises:
          FloatingPointError: if training is to stop.
        """
        last, self._last = self._last, None
        if last is not None:
            self._judge(last)

    def state_dict(self) -> dict[str, Any]:
        """To be saved with a checkpoint, once the step before it was looked at."""
        self.flush()
        return {"nonfinite": {"in_a_row": self._in_a_row, "step": self._bad}}

    def _judge(self, seen: _PendingStep) -> TrainState:
        if np.asarray(seen.flags).all():
            self._in_a_row = self._in_a_row if self._waits else 0
            return seen.state
        return self._policy(self, seen)

    def stop(self, seen: _PendingStep, times: str = "") -> TrainState:
        """Raises FloatingPointError."""
        raise FloatingPointError(
            f"{describe(seen)}{times}. Nothing of that step was kept, and the checkpoints are as they were. "
            "Go on with --config.training.on_nonfinite=skip or =restore, or start anew in another workdir, "
            "e.g. with a smaller learning rate or grad_clip_norm"
        )

    def skip(self, seen: _PendingStep) -> TrainState:
        """Goes on with the state as it was before the step."""
        self._in_a_row += 1
        if self._in_a_row > self._limit:
            self.stop(seen, f"; {self._limit} steps before it were skipped already")
        logging.warning("%s: the step is skipped", describe(seen))
        return seen.state

    def restore(self, seen: _PendingStep) -> TrainState:
        """Goes back to the last checkpoint that was scored, and on with the data behind the step.

        A checkpoint behind the last return, which training reached by itself, begins the count anew.
        """
        assert self._restore is not None
        restored, step = self._restore(seen.state)
        self._in_a_row = 1 if step > self._bad else self._in_a_row + 1
        self._bad = seen.step
        if self._in_a_row > self._limit:
            self.stop(seen, f"; training went back {self._limit} times already")
        logging.warning("%s: the state of step %d is restored", describe(seen), step)
        return restored


POLICIES: Mapping[str, Callable[[NonFinitePolicy, _PendingStep], TrainState]] = MappingProxyType(
    {"stop": NonFinitePolicy.stop, "skip": NonFinitePolicy.skip, "restore": NonFinitePolicy.restore}
)
"""What may be done: (guard, the step) -> the state to go on with."""


def check_policy(policy: Any, limit: Any) -> None:
    """Raises ValueError unless they are a policy and a number of times."""
    if policy not in POLICIES:
        raise ValueError(f"unknown on_nonfinite {policy!r}; known: {', '.join(POLICIES)}")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ValueError(f"nonfinite_limit must be an integer of at least 0, got {limit!r}")


def describe(seen: _PendingStep) -> str:
    """What of a step is not finite: losses by probe; or, if all are finite, gradients; or else parameters."""
    where = f"step {seen.step} ({seen.task})"
    losses = {name: np.asarray(value) for name, value in seen.metrics.items() if name.startswith("loss")}
    bad = {name: value for name, value in losses.items() if not np.isfinite(value).all()}
    probes = [f"{name} is {value}" for name, value in bad.items() if name != "loss"]
    if bad:
        return f"{where}: {', '.join(probes) or 'the total loss is ' + str(bad['loss'])}"
    # Behind that of the losses: each gradient, then each parameter. Replicas, if any, are an axis before.
    flags, names = np.atleast_2d(np.asarray(seen.flags)), parameter_names(seen.state.params)
    by_leaf = np.asarray(np.all(flags, axis=0))[1:].reshape(2, -1)
    gradients, params = ([names[index] for index in np.flatnonzero(~row)] for row in by_leaf)
    if gradients:
        return f"{where}: all losses are finite, but not the gradients of {_some(gradients)}"
    return f"{where}: losses and gradients are finite, but not the new values of {_some(params)}"


def _some(names: list[str], most: int = 5) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
