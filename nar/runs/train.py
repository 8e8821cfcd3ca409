"""Training of a run, from its config to its result: `nar.train`, the core of `experiments.train`.

build the network, the optimizer and the data that the config describes              build.py
check the workdir; a finished run is returned at once                                workdir.py
lock the workdir, write the config
restore the latest checkpoint, or initialize, perhaps from another run's parameters  warm_start.py
take the training steps; validation, checkpoints and metrics are callbacks           training/loop/loop.py
score the best checkpoint                                                            results.py
write the result, pass it to the trackers

With several processes, each calls all of this; only the first one reads and writes the workdir.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nar.atomic_io import local_path, write_json
from nar.data import prefetch_first_batch
from nar.ownership import LOCK, check_owned, own_folder
from nar.redaction import check_no_hidden, without_secrets
from nar.runs.build import AnyConfig, build_run, check_startup, resolve_config, state_shapes
from nar.runs.components import RunComponents
from nar.runs.files import read_result
from nar.runs.plugin_record import Record, check_plugins, plugin_record, write_record
from nar.runs.results import compute_result, validate
from nar.runs.run import Run
from nar.runs.warm_start import init_or_restore, open_init_run, print_parameter_summary
from nar.runs.workdir import Workdir, versions
from nar.training import (
    Callback,
    CheckpointStore,
    EarlyStopping,
    NonFinitePolicy,
    SaveCheckpoints,
    ShowProgress,
    TimeBudget,
    Tracker,
    UpdateTaskWeights,
    Validate,
    WriteMetrics,
    fit,
)
from nar.training.checkpointing import SharedCheckpoints
from nar.training.devices import (
    check_platform,
    check_same_on_all,
    is_first_process,
    print_on_first,
    run_on_all,
    run_on_first,
)
from nar.training.loop import (
    BackgroundCompilation,
    Clock,
    Compilations,
    make_callbacks,
    prepare_batch,
    restore_states,
)
from nar.training.loop.callbacks import CheckFolder
from nar.training.trackers import open_trackers

DrawCurves = Callable[[pathlib.Path, pathlib.Path], Any]
"""(metrics.jsonl, PNG file to write) -> anything; such as `nar.reports.draw_curves`."""


class Interrupted(KeyboardInterrupt):
    """A signal (SIGTERM, SIGINT, SIGHUP, ...) has ended training after a step that is saved.

    The same call resumes the run.
    """


def train(
    config: AnyConfig | Mapping[str, Any],
    workdir: str | os.PathLike[str],
    *,
    draw_curves: DrawCurves | None = None,
    trust: bool = False,
) -> Run:
    """Trains a run to its end: starts it, resumes it, or returns at once if it is finished.

    Everything about the run is in its directory, as if `python -m experiments.train` had trained it. In the
    main thread, SIGTERM, SIGINT (Ctrl-C), SIGHUP (a closed terminal) and the other signals of
    `nar.signals.stop_signals` let the current step finish and save it.

    Args:
      config: a `RunConfig` or a `TextRunConfig`; or a nested dictionary, as `config.to_dict()` returns it,
        whose missing keys have their defaults, or a `ConfigDict` like those of `configs/`.
      workdir: run directory. Created if missing, resumed if it exists.
      draw_curves: draws the learning curves once the result is written; by default they are not drawn.
      trust: whether code outside nar that the config of the run `training.init_from` names, but not `config`,
        may be imported and called.

    Returns:
      The run; its parameters are those of the best checkpoint.

    Raises:
      ValueError: if the config is invalid, the workdir is that of another run, in use or damaged, or jax has
        no device of the platform that `JAX_PLATFORMS` names. A `nar.ownership.LostFolderError`, which is one,
        if the workdir was moved, removed or replaced while training wrote to it.
      OSError: if a file cannot be written.
      FloatingPointError: if training stops at non-finite values.
      Interrupted: if a signal ended training.
    """
    check_platform()
    run = Run(Workdir(local_path(workdir)), resolve_config(config))
    check_same_on_all("the config", run.config.to_dict())
    components = run_on_all(lambda: build_run(run.config))
    source = run_on_all(lambda: open_init_run(run, components, trust) if is_first_process() else None)
    run_on_first(lambda: run.workdir.check(run.config.to_dict()))
    plugins = run_on_first(lambda: plugin_record(run.config.to_dict()))
    run_on_first(lambda: check_plugins(run.workdir, plugins))
    if run_on_first(lambda: run.workdir.is_finished(run.config.training.steps)):
        print_on_first(f"This run is finished: {run.workdir}")
        if draw_curves is not None:
            run_on_first(lambda: run.workdir.curves.exists() or _draw(run, draw_curves))
        return run
    check_no_hidden(run.config.to_dict())
    run_on_all(lambda: check_startup(run.config, components))
    with contextlib.ExitStack() as stack:
        run_on_first(lambda: _lock_and_claim(run, plugins, stack))
        _train_to_end(run, components, source, draw_curves, stack)
    return run


def _lock_and_claim(run: Run, plugins: Record, stack: contextlib.ExitStack) -> None:
    """Locks the workdir until the stack is closed, and writes the config and the record of plug-ins."""
    workdir = run.workdir
    stack.enter_context(workdir.lock())
    workdir.check(run.config.to_dict())  # Another process may have used it before it was locked.
    workdir.claim(run.config.to_dict())
    stack.enter_context(own_folder(workdir.path, workdir.path / LOCK, workdir.checkpoints))
    write_record(workdir, plugins)


def _train_to_end(
    run: Run,
    components: RunComponents,
    source: Run | None,
    draw_curves: DrawCurves | None,
    stack: contextlib.ExitStack,
) -> None:
    """Trains from the latest checkpoint, or from step 0, to the result.

    New parameters are partly loaded from the run `source`, if it is given. Resources are closed by `stack`.
    """
    compilations = stack.enter_context(contextlib.closing(Compilations()))
    checkpoints = SharedCheckpoints(run.workdir.open_checkpoints)
    evaluator, train_step = components.make_evaluator(), components.make_train_step()
    background = list[Callback]()
    if components.devices.num_processes == 1:  # Several must compile the same programs in the same order.
        background = [stack.enter_context(BackgroundCompilation(train_step, state_shapes(components)))]
    # While the state is initialized, the first batch is made and its programs are compiled.
    prepare = functools.partial(prepare_batch, components.stream, components.devices, background)
    with prefetch_first_batch(components.stream, prepare):
        state, metadata = init_or_restore(run, components, checkpoints, source)
    run_on_first(lambda: print_parameter_summary(run, components, state))
    session = _Session(run, components, evaluator, checkpoints, int(state.step), Clock(compilations))
    trackers = run_on_all(lambda: _open_trackers(session, stack) if is_first_process() else [])
    callbacks = run_on_all(lambda: _make_callbacks(session, background, trackers, stack))
    restore_states(callbacks, metadata)
    training, stream, devices = run.config.training, components.stream, components.devices
    state, interrupted = fit(state, train_step, stream, callbacks, num_steps=training.steps, devices=devices)
    if interrupted:
        raise Interrupted(f"{run.workdir}: interrupted; the same call resumes the run")
    budget = next(callback for callback in callbacks if isinstance(callback, TimeBudget))
    training_cpu = session.clock.cpu_seconds()  # Scoring the best checkpoint is not part of the budget.
    result = compute_result(run.config, components, state, checkpoints, evaluator)
    cost: dict[str, Any] = {"seconds": session.clock.seconds(), "cpu_seconds": session.clock.cpu_seconds()}
    if budget.should_stop():
        cost |= {"stopped_by": "max_cpu_minutes", "training_cpu_seconds": training_cpu}
    run_on_first(lambda: write_json(run.workdir.result, {**result, **cost}))
    if draw_curves is not None:
        run_on_first(lambda: _draw(run, draw_curves))
    run_on_first(lambda: _finish_trackers(trackers, run.workdir))
    run_on_first(lambda: print(compilations))


@dataclasses.dataclass(frozen=True)
class _Session:
    """A session of training: a run from its start or resumption to its end or interruption.

    Attributes:
      run: the run.
      components: what its config describes.
      evaluator: scores parameters on a split.
      checkpoints: its checkpoints.
      start: number of steps taken before.
      clock: time spent, in parts.
    """

    run: Run
    components: RunComponents
    evaluator: Any
    checkpoints: CheckpointStore
    start: int
    clock: Clock


def _make_callbacks(
    session: _Session,
    background: Sequence[Callback],
    trackers: Sequence[Tracker],
    stack: contextlib.ExitStack,
) -> list[Callback]:
    """The callbacks of a run, in the order in which each step's report passes through them.

    The display of progress is closed by `stack`, so that messages of errors begin on a line of their own.
    """
    training, components, clock = session.run.config.training, session.components, session.clock
    score = functools.partial(validate, components, session.evaluator)
    callbacks: list[Callback] = [
        NonFinitePolicy(
            training.on_nonfinite, training.nonfinite_limit, session.checkpoints, components.devices
        ),
        *background,
        Validate(score, training.eval_every, training.steps, clock),
        EarlyStopping(training.early_stopping_patience),
        TimeBudget(training.max_cpu_minutes, clock),
    ]
    if components.task_weight_function:
        schedule, names = components.stream.task_schedule, [task.name for task in components.tasks]
        callbacks.append(UpdateTaskWeights(schedule, names, components.task_weight_function))
    callbacks += make_callbacks(training.callbacks, training.callback_options)
    callbacks.append(clock)
    if is_first_process():
        callbacks.insert(0, CheckFolder(session.run.workdir.path))
        metrics = _make_metrics_writer(session, trackers)
        save = SaveCheckpoints(session.checkpoints, (*callbacks, metrics), clock)
        progress = ShowProgress(session.start, training.steps, training.log_every, clock)
        stack.callback(progress.close)
        callbacks += [metrics, save, progress]
    return callbacks


def _make_metrics_writer(session: _Session, trackers: Sequence[Tracker]) -> WriteMetrics:
    stream, num_seeds = session.components.stream, session.components.num_seeds
    return WriteMetrics(
        session.run.workdir.metrics,
        trackers,
        session.run.config.training.log_every,
        lambda step: num_seeds * stream.batch_size_of(stream.task(step)),
        session.start,
        session.clock,
    )


def _open_trackers(session: _Session, stack: contextlib.ExitStack) -> list[Tracker]:
    """Opens the trackers of a run for a session; the stack closes them."""
    run, training = session.run, session.run.config.training
    trackers = open_trackers(
        training.trackers,
        training.tracker_options,
        run.workdir.path,
        session.start,
        without_secrets(run.config.to_dict()),
        versions(),
    )
    for tracker in trackers:
        stack.callback(tracker.close)
    return trackers


def _draw(run: Run, draw_curves: DrawCurves) -> None:
    if run.workdir.metrics.exists():
        draw_curves(run.workdir.metrics, run.workdir.curves)


def _finish_trackers(trackers: Sequence[Tracker], workdir: Workdir) -> None:
    """Passes the result and the files of the run to the trackers."""
    check_owned(workdir.path)
    files = [path for path in workdir.artifacts() if path.is_file()]
    for tracker in trackers:
        tracker.finish(read_result(workdir.result), files)
