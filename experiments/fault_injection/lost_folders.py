"""Lost folders and full disks: the folder of a run is moved, removed or replaced while it trains."""

import contextlib
import errno
import os
import pathlib
import random
import shutil
from collections.abc import Callable, Iterator
from unittest import mock

import nar
from experiments.fault_injection.compare_runs import metrics_of, outcome
from experiments.fault_injection.quick_runs import STEPS, config_of
from nar.ownership import LostFolderError
from nar.runs import train
from nar.runs.workdir import Workdir
from nar.training import ShowProgress, StepReport

OTHER_SEED = 1


def moved(folder: pathlib.Path) -> None:
    """Moves the folder."""
    folder.rename(folder.with_name("moved"))


def removed(folder: pathlib.Path) -> None:
    """Removes the folder."""
    shutil.rmtree(folder)


def moved_and_replaced(folder: pathlib.Path) -> None:
    """Moves the folder, and trains another run in its place."""
    moved(folder)
    nar.train(config_of(seed=OTHER_SEED), folder)


def removed_and_replaced(folder: pathlib.Path) -> None:
    """Removes the folder, and trains another run in its place."""
    removed(folder)
    nar.train(config_of(seed=OTHER_SEED), folder)


def replaced_by_a_copy(folder: pathlib.Path) -> None:
    """Replaces the folder by a copy of it."""
    shutil.copytree(folder, folder.with_name("copy"))
    moved(folder)
    folder.with_name("copy").rename(folder)


def checkpoints_replaced(folder: pathlib.Path) -> None:
    """Replaces the folder of checkpoints by an empty one."""
    (folder / "checkpoints").rename(folder.with_name("moved"))
    (folder / "checkpoints").mkdir()


LOSSES = (moved, removed, moved_and_replaced, removed_and_replaced, replaced_by_a_copy, checkpoints_replaced)


def lose_folder(root: pathlib.Path, rng: random.Random) -> tuple[str, list[str]]:
    """Takes the folder from a run at a random step; what is there then must not change.

    Returns:
      A description, and what is wrong, if anything.
    """
    folder, lose, step = root / "run", rng.choice(LOSSES), rng.randint(1, STEPS)
    root.mkdir()
    before: dict[str, bytes] = {}

    def act() -> None:
        lose(folder)
        before.update(_contents(root))

    name = f"folder {lose.__name__.replace('_', ' ')}"
    try:
        with _at_step(step, act):
            nar.train(config_of(), folder)
    except LostFolderError:
        return name, [] if _contents(root) == before else [f"files changed after step {step}: {root}"]
    return name, [f"the run did not stop after step {step}: {root}"]


def fill_disk(root: pathlib.Path, finished: Workdir, rng: random.Random) -> tuple[str, list[str]]:
    """Lets a random write and all later ones fail as on a full disk; then resumes the run.

    Returns:
      A description, and what is wrong, if anything.
    """
    number, left = rng.choice((errno.ENOSPC, errno.EDQUOT)), [rng.randint(0, 60)]
    sync = os.fsync

    def full(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    name, wrong = "full disk", list[str]()
    try:
        with mock.patch.object(os, "fsync", full):
            nar.train(config_of(), root)
    except OSError as error:
        if error.errno != number or str(root) not in str(error.filename):
            wrong.append(f"another error: {error}")
    nar.train(config_of(), root)
    if outcome(Workdir(root)) != outcome(finished) or metrics_of(Workdir(root)) != metrics_of(finished):
        wrong.append(f"result or metrics: {root}")
    return name, wrong


def _contents(root: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")
    }


@contextlib.contextmanager
def _at_step(step: int, action: Callable[[], None]) -> Iterator[None]:
    """Context in which `action` is called once, after a step of training."""
    shown, done = train.ShowProgress.on_step, list[bool]()

    def on_step(bar: ShowProgress, report: StepReport) -> None:
        if report.step == step and not done:
            done.append(True)
            action()
        shown(bar, report)

    with mock.patch.object(train.ShowProgress, "on_step", on_step):
        yield
