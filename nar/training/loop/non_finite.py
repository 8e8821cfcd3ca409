"""Policies for steps whose losses, gradients or new parameters are not finite."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nar.training.optim.parameter_patterns import parameter_names
from nar.training.state import TrainState
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.update import Metrics

_logger = logging.getLogger(__name__)

Restore = Callable[[TrainState], tuple[TrainState, int]]
"""state -> (state of the last scored checkpoint, with the step number of `state`; step of the checkpoint)."""


@dataclasses.dataclass(frozen=True)
class _PendingStep:
    """A dispatched step.

    Attributes:
      step: number of the step, from 1.
      task: task of the step.
      state: state after it; its buffers may have been donated.
      flags: the metric `FINITE`.
      metrics: the other metrics of the step.
    """

    step: int
    task: str
    state: TrainState
    flags: Any
    metrics: Metrics


class NonFinitePolicy:
    """Checks each step for non-finite values and applies a policy: stop, skip or restore.

    The compiled step itself rejects a non-finite update, so a step can be checked after the next one has been
    dispatched, and no step waits for the host. Before a checkpoint is saved, and if the policy is to restore,
    steps are checked immediately.
    """

    def __init__(
        self,
        policy: str = "stop",
        limit: int = 10,
        restore: Restore | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Starts from scratch, or from the metadata of a checkpoint.

        Args:
          policy: a name in `POLICIES`.
          limit: maximum number of consecutive skips, or of restores without a new checkpoint in between.
          restore: restores the last scored checkpoint; required by the policy "restore".
          metadata: metadata of the checkpoint from which training resumes.

        Raises:
          ValueError: if the policy or the limit is not valid.
        """
        check_policy(policy, limit)
        saved = (metadata or {}).get("nonfinite", {})
        self._policy = POLICIES[policy]
        self._is_immediate = policy == "restore"
        self._limit = limit
        self._restore = restore
        self._num_consecutive = saved.get("in_a_row", 0)
        self._last_bad_step = saved.get("step", -1)
        self._pending: _PendingStep | None = None

    def check(self, step: int, task: str, state: TrainState, metrics: Metrics) -> TrainState:
        """Registers a dispatched step and returns the state to continue from.

        Args:
          step: number of steps so far.
          task: task of the step.
          state: state after the step.
          metrics: metrics of the step. `FINITE` is removed; a step without it counts as finite.

        Raises:
          FloatingPointError: if training is to stop.
        """
        pending = _PendingStep(step, task, state, metrics.pop(FINITE, np.True_), metrics)
        if self._is_immediate:
            return self._apply(pending)
        self.flush()
        self._pending = pending
        return state

    def flush(self) -> None:
        """Checks the last registered step, if that has not been done yet.

        Raises:
          FloatingPointError: if training is to stop.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            self._apply(pending)

    def state_dict(self) -> dict[str, Any]:
        """State for the metadata of a checkpoint, after a check of the last step."""
        self.flush()
        return {"nonfinite": {"in_a_row": self._num_consecutive, "step": self._last_bad_step}}

    def _apply(self, pending: _PendingStep) -> TrainState:
        if np.asarray(pending.flags).all():
            self._num_consecutive = self._num_consecutive if self._is_immediate else 0
            return pending.state
        return self._policy(self, pending)

    def stop(self, pending: _PendingStep, history: str = "") -> TrainState:
        """Raises FloatingPointError."""
        raise FloatingPointError(
            f"{describe(pending)}{history}. The step was not applied, and the checkpoints are intact. "
            "Resume with --config.training.on_nonfinite=skip or =restore, or start over in another workdir, "
            "e.g. with a smaller learning rate or grad_clip_norm"
        )

    def skip(self, pending: _PendingStep) -> TrainState:
        """Continues with the state before the step."""
        self._num_consecutive += 1
        if self._num_consecutive > self._limit:
            self.stop(pending, f"; the {self._limit} steps before it were skipped already")
        _logger.warning("%s: the step is skipped", describe(pending))
        return pending.state

    def restore(self, pending: _PendingStep) -> TrainState:
        """Restores the last scored checkpoint, and continues with the data after the bad step.

        The count starts over if that checkpoint is later than the previous bad step, i.e. if training has
        progressed since then.
        """
        assert self._restore is not None
        restored, step = self._restore(pending.state)
        self._num_consecutive = 1 if step > self._last_bad_step else self._num_consecutive + 1
        self._last_bad_step = pending.step
        if self._num_consecutive > self._limit:
            self.stop(pending, f"; a checkpoint was restored {self._limit} times already")
        _logger.warning("%s: the state of step %d is restored", describe(pending), step)
        return restored


POLICIES: Mapping[str, Callable[[NonFinitePolicy, _PendingStep], TrainState]] = MappingProxyType(
    {"stop": NonFinitePolicy.stop, "skip": NonFinitePolicy.skip, "restore": NonFinitePolicy.restore}
)
"""Registry of policies: (policy object, bad step) -> the state to continue from."""


def check_policy(policy: Any, limit: Any) -> None:
    """Raises ValueError unless the policy is known and the limit a non-negative integer."""
    if policy not in POLICIES:
        raise ValueError(f"unknown on_nonfinite {policy!r}; known: {', '.join(POLICIES)}")
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ValueError(f"nonfinite_limit must be an integer of at least 0, got {limit!r}")


def describe(pending: _PendingStep) -> str:
    """Names the non-finite values of a step: losses, else gradients, else new parameters."""
    where = f"step {pending.step} ({pending.task})"
    losses = {name: np.asarray(value) for name, value in pending.metrics.items() if name.startswith("loss")}
    bad = {name: value for name, value in losses.items() if not np.isfinite(value).all()}
    probes = [f"{name} is {value}" for name, value in bad.items() if name != "loss"]
    if bad:
        return f"{where}: {', '.join(probes) or 'the total loss is ' + str(bad['loss'])}"
    # Flags are ordered: losses, each gradient, each parameter. With several seeds there is a leading axis.
    flags, names = np.atleast_2d(np.asarray(pending.flags)), parameter_names(pending.state.params)
    by_leaf = np.asarray(np.all(flags, axis=0))[1:].reshape(2, -1)
    gradients, params = ([names[index] for index in np.flatnonzero(~row)] for row in by_leaf)
    if gradients:
        return f"{where}: all losses are finite, but not the gradients of {_some(gradients)}"
    return f"{where}: losses and gradients are finite, but not the new values of {_some(params)}"


def _some(names: list[str], count: int = 5) -> str:
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest
