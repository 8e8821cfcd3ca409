"""Training of a run: a graph network or a language model."""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from nar.runs.build import Config, state_shapes
from nar.runs.load_run import Run
from nar.runs.results import finish, validate
from nar.runs.run_kinds import assemble_kind
from nar.runs.status import check_workdir, is_finished
from nar.runs.warm_start import init_or_restore, open_init_run, print_parameter_summary
from nar.data import prefetch_first_batch
from nar.runs.run_parts import RunParts
from nar.runs.workdir import Workdir, versions
from nar.training import (
    Callback,
    Checkpoints,
    EarlyStopping,
    NonFinitePolicy,
    SaveCheckpoints,
    ShowProgress,
    Tracker,
    TrainState,
    UpdateTaskWeights,
    Validate,
    WriteMetrics,
    fit,
)
from nar.training.checkpointing import restore_on_all
from nar.training.devices import check_same_on_all, is_first_process, print_on_first, run_on_all, run_on_first
from nar.training.loop import BackgroundCompilation, Clock, Compilations, prepare_batch
from nar.training.trackers import check_trackers, open_trackers
from nar.atomic_io import read_json


DrawCurves = Callable[[pathlib.Path, pathlib.Path], Any]
"""(metrics.jsonl, file to write) -> anything; such as `nar.reports.draw_curves`."""


class Interrupted(KeyboardInterrupt):
    """Raised when SIGTERM or SIGINT has ended training; the run is saved, and the same call resumes it."""


def run(config: Config, workdir: Workdir, draw: DrawCurves | None = None) -> None:
    """Starts or resumes a run; does nothing if it is finished.

    Args:
      config: the config of the run.
      workdir: its directory.
      draw: draws the learning curves of the metrics file into a PNG file, once the result is written.

    Raises:
      ValueError: if the config is invalid, or the workdir is that of another run, in use or damaged.
      OSError: if a file cannot be written.
      FloatingPointError: if training stops at non-finite values.
      Interrupted: if SIGTERM or SIGINT ended training.
    """
    check_same_on_all("the config", config)
    parts = run_on_all(lambda: assemble_kind(config))
    training = config["training"]
    source = run_on_all(lambda: open_init_run(config, parts, workdir) if is_first_process() else None)
    run_on_first(lambda: check_workdir(workdir, config))
    if run_on_first(lambda: is_finished(workdir, training["steps"])):
        print_on_first(f"This run is finished: {workdir.path}")
        return
    run_on_first(lambda: check_trackers(training["trackers"], training["tracker_options"]))
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: lock_and_claim(workdir, config, stack))
        if not train(config, parts, workdir, source, draw, stack):
            raise Interrupted(f"{workdir.path}: interrupted; the same call resumes the run")


def lock_and_claim(workdir: Workdir, config: Config, stack: contextlib.ExitStack) -> None:
    """Locks the workdir until the stack is closed, and writes the config."""
    stack.enter_context(workdir.lock())
    workdir.claim(config)


def train(
    config: Config,
    parts: RunParts,
    workdir: Workdir,
    source: Run | None,
    draw: DrawCurves | None,
    stack: contextlib.ExitStack,
) -> bool:
    """Trains to the end, from the latest checkpoint or from step 0; returns False if interrupted.

    New parameters are partly loaded from the run `source`, if it is given. Resources are closed by `stack`.
    """
    training = config["training"]
    compilations = stack.enter_context(contextlib.closing(Compilations()))
    evaluator = parts.make_evaluator()
    checkpoints = run_on_all(lambda: Checkpoints(workdir.checkpoints) if is_first_process() else None)
    step, background_compilation = parts.make_train_step(), None
    if (
        parts.devices.num_processes == 1
    ):  # Several processes must compile the same programs in the same order.
        background_compilation = stack.enter_context(BackgroundCompilation(step, state_shapes(parts)))
    with prefetch_first_batch(
        parts.stream, functools.partial(prepare_batch, parts.stream, parts.devices, background_compilation)
    ):
        state, metadata = init_or_restore(config, parts, checkpoints, workdir, source)
    run_on_first(lambda: print_parameter_summary(parts, state, training, workdir))
    start, steps = int(state.step), training["steps"]
    trackers = list[Tracker]()
    clock, early_stopping = (
        Clock(metadata["seconds"], compilations),
        EarlyStopping(training["early_stopping_patience"], metadata),
    )
    non_finite_policy = NonFinitePolicy(
        training["on_nonfinite"],
        training["nonfinite_limit"],
        functools.partial(restore_scored, parts, checkpoints),
        metadata,
    )
    callbacks: list[Callback] = [
        Validate(
            functools.partial(validate, parts, evaluator),
            training["eval_every"],
            steps,
            early_stopping,
            clock,
        )
    ]
    parts.stream.task_schedule.load_state_dict(metadata)
    if parts.task_weight_function:
        callbacks.append(
            UpdateTaskWeights(
                parts.stream.task_schedule, [task.name for task in parts.tasks], parts.task_weight_function
            )
        )

    def first_process_callbacks() -> list[Callback]:
        """Callbacks of the first process, which write files and show progress."""
        if checkpoints is None:
            return []
        trackers.extend(start_trackers(config, workdir, start, stack))
        metrics = WriteMetrics(
            workdir.metrics,
            trackers,
            training["log_every"],
            lambda step: parts.num_seeds * parts.stream.batch_size_of(parts.stream.task(step)),
            start,
            clock,
            metadata,
        )
        stateful = (clock, early_stopping, metrics, non_finite_policy, parts.stream.task_schedule)
        return [metrics, SaveCheckpoints(checkpoints, stateful, clock), ShowProgress(start, steps)]

    callbacks += run_on_all(first_process_callbacks)
    state, interrupted = fit(
        state,
        step,
        parts.stream,
        num_steps=steps,
        devices=parts.devices,
        callbacks=callbacks,
        should_stop=early_stopping.should_stop,
        non_finite_policy=non_finite_policy,
        background_compilation=background_compilation,
    )
    if interrupted:
        return False
    finish(config, parts, state, checkpoints, evaluator, clock, workdir)
    if draw is not None:
        run_on_first(lambda: bool(draw(workdir.metrics, workdir.curves)))
    run_on_first(lambda: finish_trackers(trackers, workdir))
    run_on_first(lambda: print(compilations))
    return True


def start_trackers(
    config: Config, workdir: Workdir, start: int, stack: contextlib.ExitStack
) -> list[Tracker]:
    """Opens the trackers of a config for a session that starts at step `start`; the stack closes them."""
    training = config["training"]
    trackers = open_trackers(
        training["trackers"], training["tracker_options"], workdir.path, start, config, versions()
    )
    for tracker in trackers:
        stack.callback(tracker.close)
    return trackers


def finish_trackers(trackers: Sequence[Tracker], workdir: Workdir) -> None:
    """Passes the result and the files of the run to the trackers."""
    files = [path for path in workdir.artifacts() if path.exists()]
    for tracker in trackers:
        tracker.finish(read_json(workdir.result), files)


def restore_scored(
    parts: RunParts, checkpoints: Checkpoints | None, state: TrainState
) -> tuple[TrainState, int]:
    """Restores the last scored checkpoint, but keeps the step of `state`; also returns its own step."""
    checkpoint = restore_on_all(lambda: checkpoints and checkpoints.restore_scored(state))
    assert checkpoint is not None
    restored = parts.devices.put_state(checkpoint.state)
    return dataclasses.replace(restored, step=state.step), int(checkpoint.state.step)
