"""The training loop. It takes steps; everything else is a callback.

for each step:
    stop if a callback's `should_stop()` returns True
    wait for the prefetched batch, and for what the callbacks' `on_batch` started
    dispatch the training step
    pass the report of the step through the callbacks' `on_step`, in their order
    continue from the state of the report
call each callback's `on_end`
"""

import dataclasses
import functools
import signal
import time
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax

from nar.data import Stream, prefetch
from nar.signals import stop_signals
from nar.training.devices.mesh import Devices
from nar.training.loop.callback import Callback, StepReport
from nar.training.loop.non_finite import NonFinitePolicy
from nar.training.state import TrainState
from nar.training.train_step.finite_updates import FINITE
from nar.training.train_step.update import TrainStep


def fit(
    state: TrainState,
    train_step: TrainStep,
    stream: Stream,
    callbacks: Sequence[Callback] = (),
    *,
    num_steps: int,
    devices: Devices,
) -> tuple[TrainState, bool]:
    """Trains for `num_steps` steps in total, or until a callback stops training, or a signal.

    The signals are those of `nar.signals.stop_signals`: SIGTERM, SIGINT, SIGHUP, ...

    If several processes train together, a signal to any of them stops all of them after the same step.

    Args:
      state: initial state, on the devices; its buffers are donated.
      train_step: the training step, e.g. of `make_train_step`.
      stream: the training data.
      callbacks: called in this order. Without a `NonFinitePolicy` among them, training stops at non-finite
        values.
      num_steps: total number of steps, including those that `state` has already taken.
      devices: devices to train on.

    Returns:
      The new state, and whether training was interrupted by a signal.

    Raises:
      FloatingPointError: if something is not finite and the policy is to stop.
      ValueError: if a callback returns no report.
    """
    if not any(isinstance(callback, NonFinitePolicy) for callback in callbacks):
        callbacks = (NonFinitePolicy(), *callbacks)
    start = int(state.step)
    prepare = functools.partial(prepare_batch, stream, devices, callbacks)
    batches = prefetch(stream, start, num_steps, prepare=prepare)
    agree, interrupted = _StopConsensus(devices), False
    with _SignalHandler() as signals:
        for index in range(start, num_steps):
            if any(callback.should_stop() for callback in callbacks):
                break
            report = _take_step(state, train_step, stream, index, batches)
            if devices.must_block:
                report.metrics["loss"].block_until_ready()
            for callback in callbacks:
                report = _pass_through(callback, report)
            state = report.state
            interrupted = agree(signals.received)
            if interrupted:
                break
        batches.close()
        for callback in callbacks:
            callback.on_end(state, interrupted)
    return state, interrupted


def _pass_through(callback: Callback, report: StepReport) -> StepReport:
    changed = callback.on_step(report)
    if changed is not None and not isinstance(changed, StepReport):
        raise ValueError(
            f"callback {callback.name!r}: on_step must return None or a StepReport, such as "
            f"report.add_metrics(...), got {changed!r:.100}"
        )
    return report if changed is None else changed


def _take_step(
    state: TrainState, train_step: TrainStep, stream: Stream, index: int, batches: "Iterator[DeviceBatch]"
) -> StepReport:
    """Waits for the next batch and dispatches step `index`, counted from 0."""
    start_time = time.perf_counter()
    device_batch = next(batches)
    batch_time = time.perf_counter()
    device_batch.wait()
    compiled_time = time.perf_counter()
    task = stream.task(index).name
    state, metrics = train_step(state, device_batch.batch, task, stream.stream_key(index))
    return StepReport(
        step=index + 1,
        task=task,
        state=state,
        metrics={name: value for name, value in metrics.items() if name != FINITE},
        finite=metrics.get(FINITE, True),
        data_wait=batch_time - start_time,
        compilation_wait=compiled_time - batch_time,
    )


@dataclasses.dataclass(frozen=True)
class DeviceBatch:
    """A batch on its devices.

    Attributes:
      batch: JAX arrays.
      waits: functions to call before its step.
    """

    batch: Any
    waits: tuple[Callable[[], object], ...] = ()

    def wait(self) -> None:
        """Waits for the background work of the batch, and raises its errors."""
        for wait in self.waits:
            wait()


def prepare_batch(
    stream: Stream, devices: Devices, callbacks: Sequence[Callback], step: int, batch: Any
) -> DeviceBatch:
    """Puts the batch of a step on the devices and passes it to the callbacks.

    Args:
      stream: the training data.
      devices: devices to train on.
      callbacks: the callbacks of the run.
      step: index of the step, from 0.
      batch: the batch, as NumPy arrays.
    """
    on_devices = devices.put_batch(batch, stream.num_leading_axes)
    task, stream_key = stream.task(step).name, stream.stream_key(step)
    waits = [callback.on_batch(on_devices, task, stream_key) for callback in callbacks]
    return DeviceBatch(on_devices, tuple(wait for wait in waits if wait is not None))


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
    """Handler of `stop_signals` that lets the current step finish; a second signal acts as usual."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "_SignalHandler":
        try:
            self._original = {number: signal.signal(number, self._handle) for number in stop_signals()}
        except ValueError:  # not the main thread, which alone may handle signals
            self._original = {}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._original.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: types.FrameType | None) -> None:
        del frame
        self.received = True
        signal.signal(number, self._original[number])
