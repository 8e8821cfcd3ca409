"""The training loop. It takes steps; everything else is a callback."""

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
    """A callback of the training loop."""

    def after_step(self, step: int, state: TrainState, metrics: Metrics) -> None:
        """Called after each step, in the order of the callbacks.

        Args:
          step: number of steps taken so far.
          state: state after the step. The next step reuses its buffers, so arrays to be kept must be copied.
          metrics: metrics of the step; reading one waits for the device. Callbacks may add to them.
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
    """Trains for `num_steps` steps in total, or until `should_stop()`, SIGTERM or SIGINT.

    If several processes train together, a signal to any of them stops all of them after the same step.

    Args:
      state: initial state, on the devices; its buffers are donated.
      train_step: the training step, e.g. of `make_train_step`.
      stream: the training data.
      num_steps: total number of steps, including those that `state` has already taken.
      devices: devices to train on.
      callbacks: called in this order after each step.
      non_finite_policy: handling of non-finite steps; by default training stops.
      should_stop: called before each step; training ends if it returns True.
      background_compilation: compiles programs ahead of time; without it they are compiled when first called.

    Returns:
      The new state, and whether training was interrupted by a signal.

    Raises:
      FloatingPointError: if something is not finite and the policy is to stop.
    """
    non_finite_policy = non_finite_policy or NonFinitePolicy()
    start = int(state.step)
    batches = prefetch(
        stream,
        start,
        num_steps,
        prepare=functools.partial(prepare_batch, stream, devices, background_compilation),
    )
    agree, interrupted = _StopConsensus(devices), False
    with _SignalHandler() as signals:
        for index in range(start, num_steps):
            if should_stop():
                break
            start_time = time.perf_counter()
            device_batch: DeviceBatch = next(batches)
            batch_time = time.perf_counter()
            device_batch.wait()
            compiled_time = time.perf_counter()
            task = stream.task(index).name
            state, metrics = train_step(state, device_batch.batch, task, stream.stream_key(index))
            state = non_finite_policy.check(index + 1, task, state, metrics)
            metrics[DATA_WAIT] = np.float64(batch_time - start_time)
            metrics[COMPILATION_WAIT] = np.float64(compiled_time - batch_time)
            if devices.must_block:
                metrics["loss"].block_until_ready()
            for callback in callbacks:
                callback.after_step(index + 1, state, metrics)
            interrupted = agree(signals.received)
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
    """Puts the batch of a step on the devices and starts the compilation of the step's programs.

    Args:
      stream: the training data.
      devices: devices to train on.
      background_compilation: compiles the programs; None for compilation at the first call.
      step: index of the step, from 0.
      batch: the batch, as NumPy arrays.
    """
    on_devices = devices.put_batch(batch, stream.num_leading_axes)
    return (
        background_compilation.prepare(on_devices, stream.task(step).name, stream.stream_key(step))
        if background_compilation
        else DeviceBatch(on_devices)
    )


class _StopConsensus:
    """Agreement of all processes on stopping after the same step, if any of them received a signal.

    It is called once per step. With several processes the result is that of the previous step's call, so that
    no process waits for its devices.
    """

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._previous: bool | jax.Array = False

    def __call__(self, stop: bool) -> bool:
        if self._devices.num_processes == 1:
            return stop
        previous, self._previous = self._previous, self._devices.any(stop)
        if self._devices.must_block:
            self._previous.block_until_ready()
        return bool(previous)


class _SignalHandler:
    """Handler of SIGTERM and SIGINT that lets the current step finish; a second signal acts as usual."""

    _SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "_SignalHandler":
        try:
            self._original = {number: signal.signal(number, self._handle) for number in self._SIGNALS}
        except ValueError:  # not the main thread, which alone may handle signals
            self._original = {}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._original.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        self.received = True
        signal.signal(number, self._original[signal.Signals(number)])
