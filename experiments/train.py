"""Trains a network on a config: a graph network, or a language model.

    python -m experiments.train --config=configs/bfs.py --workdir=runs/bfs
    python -m experiments.train --config=configs/bfs.py --workdir=runs/wide --config.model.hidden_size=192
    python -m experiments.train --config=configs/text_small.py --workdir=runs/text

The same command on the same workdir goes on where the run stopped; on a finished run it shows the result.
"""

import contextlib
import dataclasses
import functools
import pathlib
import sys
from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from experiments import distributed
from experiments.assembly import Config, shapes_of_state
from experiments.command_line import launch
from experiments.finished import check_workdir, is_finished
from experiments.kinds import assemble_kind
from experiments.parts import RunParts
from experiments.restore import Run
from experiments.scoring import finish, summary, validate
from experiments.transfer import describe, open_source, start_state
from nar.batches import drawing_first
from nar.training import (
    Ahead,
    Checkpoints,
    Clock,
    Compilations,
    Guard,
    Hook,
    Patience,
    Reweigh,
    Save,
    ShowProgress,
    Tracker,
    TrainState,
    Validate,
    Workdir,
    WriteMetrics,
    check_same,
    check_trackers,
    fit,
    is_first,
    make_ready,
    on_all,
    on_first,
    open_trackers,
    read_json,
    restore_on_all,
    versions,
)

_CONFIG = config_flags.DEFINE_config_file("config", None, "A file of configs/; --config.KEY=VALUE overrides.")
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run: made if missing, gone on with if there.", required=True
)
flags.adopt_module_key_flags(distributed)


def main() -> None:
    """Checks the config, then trains, or says that the run is finished."""
    run(_CONFIG.value.to_dict(), Workdir(pathlib.Path(_WORKDIR.value)))


def run(config: Config, workdir: Workdir) -> None:
    """Begins a run, or goes on with it, or shows its result.

    Raises:
      ValueError: if the config is not valid, or the workdir not that of this run, in use or damaged.
      OSError: if a file cannot be written.
      FloatingPointError: if training stops at what is not finite.
      SystemExit: if training was interrupted.
    """
    check_same("the config", config)
    parts = on_all(lambda: assemble_kind(config))
    training = config["training"]
    source = on_all(lambda: open_source(config, parts, workdir) if is_first() else None)
    on_first(lambda: check_workdir(workdir, config))
    if on_first(lambda: is_finished(workdir, training["steps"])):
        on_first(lambda: print(f"This run is finished: {workdir.path}\n\n{summary(workdir)}"))
        return
    on_first(lambda: check_trackers(training["trackers"], training["tracker_options"]))
    with contextlib.ExitStack() as held:
        on_first(lambda: take(workdir, config, held))
        if not train(config, parts, workdir, source, held):
            sys.exit(f"Interrupted; the same command goes on. Run: {workdir.path}" if is_first() else 1)
    on_first(lambda: print(f"\n{summary(workdir)}\nRun: {workdir.path}"))


def take(workdir: Workdir, config: Config, held: contextlib.ExitStack) -> None:
    """Locks the folder for as long as the stack is open, and writes the config."""
    held.enter_context(workdir.lock())
    workdir.claim(config)


def train(
    config: Config, parts: RunParts, workdir: Workdir, source: Run | None, held: contextlib.ExitStack
) -> bool:
    """Trains from the latest checkpoint, or from the start, to the end; False if interrupted.

    The start is new parameters, some of them those of the run `source`. The stack closes what is opened.
    """
    training = config["training"]
    compilations = held.enter_context(contextlib.closing(Compilations()))
    evaluator = parts.make_evaluator()
    checkpoints = on_all(lambda: Checkpoints(workdir.checkpoints) if is_first() else None)
    step, ahead = parts.make_step(), None
    if parts.devices.num_processes == 1:  # Several must compile the same in the same order.
        ahead = held.enter_context(Ahead(step, shapes_of_state(parts)))
    with drawing_first(parts.stream, functools.partial(make_ready, parts.stream, parts.devices, ahead)):
        state, notes = start_state(config, parts, checkpoints, workdir, source)
    on_first(lambda: describe(parts, state, training, workdir))
    start, steps = int(state.step), training["steps"]
    trackers = list[Tracker]()
    clock, patience = Clock(notes["seconds"], compilations), Patience(training["patience"], notes)
    guard = Guard(
        training["on_nonfinite"],
        training["nonfinite_limit"],
        functools.partial(restore_scored, parts, checkpoints),
        notes,
    )
    hooks: list[Hook] = [
        Validate(
            functools.partial(validate, parts, evaluator),
            training["checkpoint_every"],
            steps,
            patience,
            clock,
        )
    ]
    parts.stream.turns.resume(notes)
    if parts.weigh:
        hooks.append(Reweigh(parts.stream.turns, [task.name for task in parts.tasks], parts.weigh))

    def write_and_show() -> list[Hook]:
        """What the first process alone does."""
        if checkpoints is None:
            return []
        trackers.extend(start_trackers(config, workdir, start, held))
        metrics = WriteMetrics(
            workdir.metrics,
            trackers,
            training["log_every"],
            lambda step: parts.num_replicas * parts.stream.batch_size_of(parts.stream.task(step)),
            start,
            clock,
            notes,
        )
        memories = (clock, patience, metrics, guard, parts.stream.turns)
        return [metrics, Save(checkpoints, memories, clock), ShowProgress(start, steps)]

    hooks += on_all(write_and_show)
    state, interrupted = fit(
        state,
        step,
        parts.stream,
        num_steps=steps,
        devices=parts.devices,
        hooks=hooks,
        is_over=patience.is_over,
        guard=guard,
        ahead=ahead,
    )
    if interrupted:
        return False
    finish(config, parts, state, checkpoints, evaluator, clock, workdir)
    on_first(lambda: finish_trackers(trackers, workdir))
    on_first(lambda: print(compilations))
    return True


def start_trackers(config: Config, workdir: Workdir, start: int, held: contextlib.ExitStack) -> list[Tracker]:
    """The trackers of a config, for a session that begins after step `start`; the stack closes them."""
    training = config["training"]
    trackers = open_trackers(
        training["trackers"], training["tracker_options"], workdir.path, start, config, versions()
    )
    for tracker in trackers:
        held.callback(tracker.close)
    return trackers


def finish_trackers(trackers: Sequence[Tracker], workdir: Workdir) -> None:
    """Hands them what came of the run."""
    files = [path for path in workdir.worth_keeping() if path.exists()]
    for tracker in trackers:
        tracker.finish(read_json(workdir.result), files)


def restore_scored(
    parts: RunParts, checkpoints: Checkpoints | None, state: TrainState
) -> tuple[TrainState, int]:
    """The state of the last checkpoint that was scored, but at the step of `state`, and its own step."""
    found = restore_on_all(lambda: checkpoints and checkpoints.restore_scored(state))
    assert found is not None
    restored = parts.devices.put_state(found.state)
    return dataclasses.replace(restored, step=state.step), int(found.state.step)


if __name__ == "__main__":
    flags.mark_flag_as_required("config")
    launch(distributed.together(main))
