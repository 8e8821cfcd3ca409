"""Training of a run, from its config to its result: `nar.train`, the core of `experiments.train`."""

import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.atomic_io import read_json
from nar.data import prefetch_first_batch
from nar.runs.build import AnyConfig, build_run, resolve_config, state_shapes
from nar.runs.components import RunComponents
from nar.runs.results import finish, validate
from nar.runs.run import Run
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
"""(metrics.jsonl, PNG file to write) -> anything; such as `nar.reports.draw_curves`."""


class Interrupted(KeyboardInterrupt):
    """SIGTERM or SIGINT has ended training after a step that is saved; the same call resumes the run."""


def train(
    config: AnyConfig | Mapping[str, Any],
    workdir: str | os.PathLike[str],
    *,
    draw_curves: DrawCurves | None = None,
) -> Run:
    """Trains a run to its end: starts it, resumes it, or returns at once if it is finished.

    Everything about the run is in its directory, as if `python -m experiments.train` had trained it. In the
    main thread, SIGTERM and SIGINT (Ctrl-C) let the current step finish and save it.

    Args:
      config: a `RunConfig` or a `TextRunConfig`; or a nested dictionary, as `config.to_dict()` returns it,
        whose missing keys have their defaults.
      workdir: run directory. Created if missing, resumed if it exists.
      draw_curves: draws the learning curves once the result is written; by default they are not drawn.

    Returns:
      The run; its parameters are those of the best checkpoint.

    Raises:
      ValueError: if the config is invalid, or the workdir is that of another run, in use or damaged.
      OSError: if a file cannot be written.
      FloatingPointError: if training stops at non-finite values.
      Interrupted: if SIGTERM or SIGINT ended training.
    """
    run = Run(Workdir(pathlib.Path(workdir)), resolve_config(config))
    check_same_on_all("the config", run.config.to_dict())
    components = run_on_all(lambda: build_run(run.config))
    source = run_on_all(lambda: open_init_run(run, components) if is_first_process() else None)
    run_on_first(lambda: run.workdir.check(run.config.to_dict()))
    if run_on_first(lambda: run.workdir.is_finished(run.config.training.steps)):
        print_on_first(f"This run is finished: {run.workdir}")
        if draw_curves is not None:
            run_on_first(lambda: run.workdir.curves.exists() or _draw(run, draw_curves))
        return run
    training = run.config.training
    run_on_first(lambda: check_trackers(training.trackers, training.tracker_options))
    run_on_all(lambda: check_callbacks(training.callbacks, training.callback_options))
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: _lock_and_claim(run, stack))
        _train_to_end(run, components, source, draw_curves, stack)
    return run


def _lock_and_claim(run: Run, stack: contextlib.ExitStack) -> None:
    """Locks the workdir until the stack is closed, and writes the config."""
    stack.enter_context(run.workdir.lock())
    run.workdir.claim(run.config.to_dict())


def _train_to_end(
    run: Run,
    components: RunComponents,
    source: Run | None,
    draw_curves: DrawCurves | None,
    stack: contextlib.ExitStack,
) -> None:
    """Trains to the end, from the latest checkpoint or from step 0.

    New parameters are partly loaded from the run `source`, if it is given. Resources are closed by `stack`.
    """
    training, workdir = run.config.training, run.workdir
    compilations = stack.enter_context(contextlib.closing(Compilations()))
    evaluator = components.make_evaluator()
    checkpoints = SharedCheckpoints(lambda: Checkpoints(workdir.checkpoints))
    step, background = components.make_train_step(), list[Callback]()
    if components.devices.num_processes == 1:  # Several must compile the same programs in the same order.
        background = [stack.enter_context(BackgroundCompilation(step, state_shapes(components)))]
    prepare = functools.partial(prepare_batch, components.stream, components.devices, background)
    with prefetch_first_batch(components.stream, prepare):
        state, metadata = init_or_restore(run, components, checkpoints, source)
    run_on_first(lambda: print_parameter_summary(run, components, state))
    start, clock = int(state.step), Clock(compilations)
    score = functools.partial(validate, components, evaluator)
    callbacks: list[Callback] = [
        NonFinitePolicy(training.on_nonfinite, training.nonfinite_limit, checkpoints, components.devices),
        *background,
        Validate(score, training.eval_every, training.steps, clock),
        EarlyStopping(training.early_stopping_patience),
    ]
    if components.task_weight_function:
        tasks = [task.name for task in components.tasks]
        callbacks.append(
            UpdateTaskWeights(components.stream.task_schedule, tasks, components.task_weight_function)
        )
    callbacks += run_on_all(lambda: make_callbacks(training.callbacks, training.callback_options))
    callbacks.append(clock)
    trackers = list[Tracker]()

    def first_process_callbacks() -> list[Callback]:
        """Callbacks of the first process, which write files and show progress."""
        if not is_first_process():
            return []
        trackers.extend(_start_trackers(run, start, stack))
        metrics = WriteMetrics(
            workdir.metrics,
            trackers,
            training.log_every,
            lambda step: components.num_seeds * components.stream.batch_size_of(components.stream.task(step)),
            start,
            clock,
        )
        save = SaveCheckpoints(checkpoints, (*callbacks, metrics), clock)
        return [metrics, save, ShowProgress(start, training.steps)]

    callbacks += run_on_all(first_process_callbacks)
    restore_states(callbacks, metadata)
    state, interrupted = fit(
        state, step, components.stream, callbacks, num_steps=training.steps, devices=components.devices
    )
    if interrupted:
        raise Interrupted(f"{workdir}: interrupted; the same call resumes the run")
    finish(training, components, state, checkpoints, evaluator, clock, workdir)
    if draw_curves is not None:
        run_on_first(lambda: _draw(run, draw_curves))
    run_on_first(lambda: _finish_trackers(trackers, workdir))
    run_on_first(lambda: print(compilations))


def _start_trackers(run: Run, start: int, stack: contextlib.ExitStack) -> list[Tracker]:
    """Opens the trackers of a run for a session that starts at step `start`; the stack closes them."""
    training = run.config.training
    trackers = open_trackers(
        training.trackers, training.tracker_options, run.workdir.path, start, run.config.to_dict(), versions()
    )
    for tracker in trackers:
        stack.callback(tracker.close)
    return trackers


def _draw(run: Run, draw_curves: DrawCurves) -> None:
    if run.workdir.metrics.exists():
        draw_curves(run.workdir.metrics, run.workdir.curves)


def _finish_trackers(trackers: Sequence[Tracker], workdir: Workdir) -> None:
    """Passes the result and the files of the run to the trackers."""
    files = [path for path in workdir.artifacts() if path.exists()]
    for tracker in trackers:
        tracker.finish(read_json(workdir.result), files)
