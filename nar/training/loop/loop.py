"""The loop. It takes steps; everything else is a callback."""

import functools
import signal
import time
import types
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from nar.data import Stream, prefetch
from nar.training.devices.mesh import Devices
from nar.training.loop.background_compilation import BackgroundCompilation, DeviceBatch
from nar.training.loop.metrics import COMPILATION_WAIT, DATA_WAIT
from nar.training.loop.non_finite import NonFinitePolicy
from nar.training.state import TrainState
from nar.training.train_step.update import Metrics, TrainStep


class Callback(Protocol):
    """Something that is done beside training."""

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Called after each step, in the order of the callbacks.

        Args:
          step: number of steps taken so far.
          state: after the step. Its memory is reused by the next one: copy what is to be kept.
          metrics: of the step; reading one waits for the device. A callback may add to them.
        """
        ...

    def at_end(self, state: TrainState, interrupted: bool) -> None:
        """Called once, after the last step or where the run was interrupted."""
        ...


def fit(
    state: TrainState,
    train_step: TrainStep,
    stream: Stream,
    *,
    num_steps: int,
    devices: Devices,
    callbacks: Sequence[Callback] = (),
    should_stop: Callable[[], bool] = lambda: False,
    non_finite_policy: NonFinitePolicy | None = None,
    background_compilation: BackgroundCompilation | None = None,
) -> tuple[TrainState, bool]:
    """Trains until the state has taken `num_steps` steps, training is over, or until SIGTERM or SIGINT.

    Where several processes train together, a signal to any of them ends all after the same step.

    Args:
      state: where to start, on the devices; it is used up.
      step_function: as `make_train_step` returns it.
      stream: the data.
      num_steps: at how many steps, counted from the very first, to stop.
      devices: where to train.
      callbacks: called in this order after each step.
      non_finite_policy: against what is not finite; by default it stops training.
      is_over: asked before each step whether training should end without it.
      background_compilation: compiles the programs of the step; without it they are compiled when they are
        needed.

    Returns:
      The new state, and whether training was interrupted.

    Raises:
      FloatingPointError: if something is not finite and the guard stops training.
    """
    non_finite_policy = non_finite_policy or NonFinitePolicy()
    start = int(state.step)
    batches = prefetch(
        stream,
        start,
        num_steps,
        prepare=functools.partial(prepare_batch, stream, devices, background_compilation),
    )
    agree, interrupted = _Agreement(devices), False
    with _Interruption() as interruption:
        for index in range(start, num_steps):
            if should_stop():
                break
            asked = time.perf_counter()
            device_batch: DeviceBatch = next(batches)
            there = time.perf_counter()
            device_batch.wait()
            compiled = time.perf_counter()
            task = stream.task(index).name
            state, metrics = train_step(state, device_batch.batch, task, stream.stream_key(index))
            state = non_finite_policy.check(index + 1, task, state, metrics)
            metrics[DATA_WAIT] = np.float64(there - asked)
            metrics[COMPILATION_WAIT] = np.float64(compiled - there)
            if devices.must_block:
                metrics["loss"].block_until_ready()
            for callback in callbacks:
                callback.after_step(index + 1, state, metrics)
            interrupted = agree(interruption.asked)
            if interrupted:
                break
        batches.close()
        non_finite_policy.flush()
        for callback in callbacks:
            callback.at_end(state, interrupted)
    return state, interrupted


def prepare_batch(
    stream: Stream,
    devices: Devices,
    background_compilation: BackgroundCompilation | None,
    step: int,
    batch: Any,
) -> DeviceBatch:
    """The batch of a step on its devices; what the step needs is compiled from now on."""
    on_devices = devices.put_batch(batch, stream.num_leading_axes)
    return (
        background_compilation.prepare(on_devices, stream.task(step).name, stream.stream_key(step))
        if background_compilation
        else DeviceBatch(on_devices)
    )


class _Agreement:
    """Whether any process was asked to stop; called once a step, and the answer is the same in all.

    With several processes the answer is that of the step before, so that none waits for its devices.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._before: bool | jax.Array = False

    def __call__(self, asked: bool) -> bool:
        if self._devices.num_processes == 1:
            return asked
        before, self._before = self._before, self._devices.any(asked)
        if self._devices.must_block:
            self._before.block_until_ready()
        return bool(before)


class _Interruption:
    """Notes SIGTERM and SIGINT, so that the step in progress ends; a second signal acts as usual."""

    _SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "_Interruption":
        try:
            self._before = {number: signal.signal(number, self._note) for number in self._SIGNALS}
        except ValueError:  # not the main thread, which alone may handle signals
            self._before = {}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        self.asked = True
        signal.signal(number, self._before[signal.Signals(number)])
