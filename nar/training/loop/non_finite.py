"""Policies for steps whose losses, gradients or new parameters are not finite."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nar.model.params_by_task import select_task
from nar.plugins import Registry
from nar.training.checkpointing.store import CheckpointStore
from nar.training.devices.mesh import Devices
from nar.training.loop.callback import Callback, StepReport
from nar.training.optim.parameter_patterns import parameter_names
from nar.training.state import TrainState

_logger = logging.getLogger(__name__)


class NonFinitePolicy(Callback):
    """Checks each step for non-finite values and applies a policy: stop, skip or restore.

    The compiled step itself rejects a non-finite update, so a step can be checked after the next one has been
    dispatched, and no step waits for the host. Before a checkpoint is saved, and if the policy is to restore,
    steps are checked immediately.

    It comes first among the callbacks, so that the others receive the state to continue from.
    """

    def __init__(
        self,
        policy: str = "stop",
        limit: int = 10,
        checkpoints: CheckpointStore | None = None,
        devices: Devices | None = None,
    ) -> None:
        """Makes the callback.

        Args:
          policy: a name in `POLICIES`.
          limit: maximum number of consecutive skips, or of restores without a new checkpoint in between.
          checkpoints: the checkpoints of the run; required by the policy "restore".
          devices: the devices of the run; required by the policy "restore".

        Raises:
          ValueError: if the policy or the limit is not valid.
        """
        check_policy(policy, limit)
        self._policy = POLICIES.find(policy)
        self._is_immediate = policy == "restore"
        self._limit = limit
        self._checkpoints, self._devices = checkpoints, devices
        self._num_consecutive = 0
        self._last_bad_step = -1
        self._pending: StepReport | None = None

    def on_step(self, report: StepReport) -> StepReport | None:
        """Checks the step before this one, or this one if the policy is to restore.

        Raises:
          FloatingPointError: if training is to stop.
        """
        if self._is_immediate:
            return dataclasses.replace(report, state=self._apply(report))
        self.flush()
        self._pending = report
        return None

    def on_end(self, state: TrainState, interrupted: bool) -> None:
        """Checks the last step.

        Raises:
          FloatingPointError: if training is to stop.
        """
        self.flush()

    def flush(self) -> None:
        """Checks the last step, if that has not been done yet.

        Raises:
          FloatingPointError: if training is to stop.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            self._apply(pending)

    def state_dict(self) -> Mapping[str, Any]:
        """Counter of non-finite steps, after a check of the last step."""
        self.flush()
        return {"num_consecutive": self._num_consecutive, "last_bad_step": self._last_bad_step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores the counter."""
        self._num_consecutive, self._last_bad_step = state["num_consecutive"], state["last_bad_step"]

    def _apply(self, pending: StepReport) -> TrainState:
        if np.asarray(pending.finite).all():
            self._num_consecutive = self._num_consecutive if self._is_immediate else 0
            return pending.state
        return self._policy(self, pending)

    def stop(self, pending: StepReport, history: str = "") -> TrainState:
        """Raises FloatingPointError."""
        raise FloatingPointError(
            f"{describe(pending)}{history}. The step was not applied, and the checkpoints are intact. "
            "Resume with --config.training.on_nonfinite=skip or =restore, or start over in another workdir, "
            "e.g. with a smaller learning rate or grad_clip_norm"
        )

    def skip(self, pending: StepReport) -> TrainState:
        """Continues with the state before the step."""
        self._num_consecutive += 1
        if self._num_consecutive > self._limit:
            self.stop(pending, f"; the {self._limit} steps before it were skipped already")
        _logger.warning("%s: the step is skipped", describe(pending))
        return pending.state

    def restore(self, pending: StepReport) -> TrainState:
        """Restores the last scored checkpoint, and continues with the data after the bad step.

        The count starts over if that checkpoint is later than the previous bad step, i.e. if training has
        progressed since then.
        """
        assert self._checkpoints is not None and self._devices is not None
        checkpoint = self._checkpoints.restore(pending.state, scored_only=True)
        assert checkpoint is not None
        step = int(checkpoint.state.step)
        restored = dataclasses.replace(self._devices.put_state(checkpoint.state), step=pending.state.step)
        self._num_consecutive = 1 if step > self._last_bad_step else self._num_consecutive + 1
        self._last_bad_step = pending.step
        if self._num_consecutive > self._limit:
            self.stop(pending, f"; a checkpoint was restored {self._limit} times already")
        _logger.warning("%s: the state of step %d is restored", describe(pending), step)
        return restored


POLICIES: Registry[Callable[[NonFinitePolicy, StepReport], TrainState]] = Registry(
    "on_nonfinite",
    {"stop": NonFinitePolicy.stop, "skip": NonFinitePolicy.skip, "restore": NonFinitePolicy.restore},
)
"""Registry of policies: (policy object, bad step) -> the state to continue from."""


def check_policy(policy: Any, limit: Any) -> None:
    """Raises ValueError unless the policy is known and the limit a non-negative integer."""
    POLICIES.find(policy)
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise ValueError(f"nonfinite_limit must be an integer of at least 0, got {limit!r}")


def describe(pending: StepReport) -> str:
    """Names the non-finite values of a step: losses, else gradients, else new parameters."""
    where = f"step {pending.step} ({pending.task})"
    losses = {name: np.asarray(value) for name, value in pending.metrics.items() if name.startswith("loss")}
    bad = {name: value for name, value in losses.items() if not np.isfinite(value).all()}
    probes = [f"{name} is {value}" for name, value in bad.items() if name != "loss"]
    if bad:
        return f"{where}: {', '.join(probes) or 'the total loss is ' + str(bad['loss'])}"
    # Flags are ordered: losses, each gradient, each parameter. With several seeds there is a leading axis.
    flags = np.atleast_2d(np.asarray(pending.finite))
    names = parameter_names(select_task(pending.state.params, pending.task))
    by_leaf = np.asarray(np.all(flags, axis=0))[1:].reshape(2, -1)
    gradients, params = ([names[index] for index in np.flatnonzero(~row)] for row in by_leaf)
    if gradients:
        return f"{where}: all losses are finite, but not the gradients of {_some(gradients)}"
    return f"{where}: losses and gradients are finite, but not the new values of {_some(params)}"


def _some(names: list[str], count: int = 5) -> str:
    rest = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + rest
