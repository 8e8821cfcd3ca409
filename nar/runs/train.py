"""Training of a run: a graph network or a language model."""

import contextlib
import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

from nar.atomic_io import read_json
from nar.data import prefetch_first_batch
from nar.runs.build import Config, state_shapes
from nar.runs.load_run import Run
from nar.runs.results import finish, validate
from nar.runs.run_kinds import assemble_kind
from nar.runs.run_parts import RunParts
from nar.runs.status import check_workdir, is_finished
from nar.runs.warm_start import init_or_restore, open_init_run, print_parameter_summary
from nar.runs.workdir import Workdir, versions
from nar.training import (
    Callback,
    Checkpoints,
    EarlyStopping,
    NonFinitePolicy,
    SaveCheckpoints,
    ShowProgress,
    Tracker,
    UpdateTaskWeights,
    Validate,
    WriteMetrics,
    fit,
)
from nar.training.checkpointing import SharedCheckpoints
from nar.training.devices import check_same_on_all, is_first_process, print_on_first, run_on_all, run_on_first
from nar.training.loop import (
    BackgroundCompilation,
    Clock,
    Compilations,
    check_callbacks,
    make_callbacks,
    prepare_batch,
    restore_states,
)
from nar.training.trackers import check_trackers, open_trackers

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
    run_on_all(lambda: check_callbacks(training["callbacks"], training["callback_options"]))
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
    checkpoints = SharedCheckpoints(lambda: Checkpoints(workdir.checkpoints))
    step, background = parts.make_train_step(), list[Callback]()
    if parts.devices.num_processes == 1:  # Several must compile the same programs in the same order.
        background = [stack.enter_context(BackgroundCompilation(step, state_shapes(parts)))]
    prepare = functools.partial(prepare_batch, parts.stream, parts.devices, background)
    with prefetch_first_batch(parts.stream, prepare):
        state, metadata = init_or_restore(config, parts, checkpoints, workdir, source)
    run_on_first(lambda: print_parameter_summary(parts, state, training, workdir))
    start, steps, clock = int(state.step), training["steps"], Clock(compilations)
    score = functools.partial(validate, parts, evaluator)
    callbacks: list[Callback] = [
        NonFinitePolicy(training["on_nonfinite"], training["nonfinite_limit"], checkpoints, parts.devices),
        *background,
        Validate(score, training["eval_every"], steps, clock),
        EarlyStopping(training["early_stopping_patience"]),
    ]
    if parts.task_weight_function:
        tasks = [task.name for task in parts.tasks]
        callbacks.append(UpdateTaskWeights(parts.stream.task_schedule, tasks, parts.task_weight_function))
    callbacks += run_on_all(lambda: make_callbacks(training["callbacks"], training["callback_options"]))
    callbacks.append(clock)
    trackers = list[Tracker]()

    def first_process_callbacks() -> list[Callback]:
        """Callbacks of the first process, which write files and show progress."""
        if not is_first_process():
            return []
        trackers.extend(start_trackers(config, workdir, start, stack))
        metrics = WriteMetrics(
            workdir.metrics,
            trackers,
            training["log_every"],
            lambda step: parts.num_seeds * parts.stream.batch_size_of(parts.stream.task(step)),
            start,
            clock,
        )
        save = SaveCheckpoints(checkpoints, (*callbacks, metrics), clock)
        return [metrics, save, ShowProgress(start, steps)]

    callbacks += run_on_all(first_process_callbacks)
    restore_states(callbacks, metadata)
    state, interrupted = fit(state, step, parts.stream, callbacks, num_steps=steps, devices=parts.devices)
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
