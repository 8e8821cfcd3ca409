"""Runs whose folder is moved, removed or replaced, or given to another run, while they train."""

import json
import os
import pathlib
import shutil

import pytest
from quick_runs import config_of, metrics_of, outcome, quick_runs

import nar
from experiments.sweeps.trial import Trial
from nar.ownership import LostFolderError, check_owned, own_folder
from nar.runs import train
from nar.runs.workdir import Workdir

CONFIG = config_of()
OTHER = config_of(seed=1)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return nar.train(CONFIG, tmp_path_factory.mktemp("runs") / "finished").workdir


def content(folder):
    """Bytes of the files in a folder, and its empty folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }


class Tracker:
    """A tracker that writes a file at each of its calls."""

    def __init__(self, session):
        self._path = session.workdir / "tracked"

    def _write(self, *arguments):
        with self._path.open("a") as file:
            file.write("line\n")

    add = finish = close = _write


def train_with(action, workdir, step, monkeypatch):
    """Trains a run, and calls `action` once, just after a step."""
    shown, done = train.ShowProgress.on_step, []

    def on_step(self, report):
        if report.step == step and not done:
            done.append(step)
            action()
        return shown(self, report)

    monkeypatch.setattr(train.ShowProgress, "on_step", on_step)
    nar.train(config_of(trackers=("tensorboard", f"{__name__}:Tracker")), workdir)


def moved(workdir):
    workdir.rename(workdir.with_name("moved"))


def moved_and_empty(workdir):
    moved(workdir)
    workdir.mkdir()


def moved_and_another_run(workdir):
    moved(workdir)
    nar.train(OTHER, workdir)


def removed(workdir):
    shutil.rmtree(workdir)


def removed_and_another_run(workdir):
    removed(workdir)
    nar.train(OTHER, workdir)


def emptied_and_another_run(workdir):
    for path in workdir.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    nar.train(OTHER, workdir)


def replaced_by_a_copy(workdir):
    copy = shutil.copytree(workdir, workdir.with_name("copy"))
    moved(workdir)
    copy.rename(workdir)


def parent_moved(workdir):
    workdir.parent.rename(workdir.parent.with_name("moved_parent"))
    workdir.mkdir(parents=True)


def checkpoints_replaced(workdir):
    (workdir / "checkpoints").rename(workdir.with_name("moved"))
    (workdir / "checkpoints").mkdir()


def link_to_another_run(workdir):
    moved(workdir)
    nar.train(OTHER, workdir.with_name("other"))
    workdir.symlink_to("other")


def checkpoints_linked_elsewhere(workdir):
    (workdir / "checkpoints").rename(workdir.with_name("moved"))
    shutil.copytree(workdir.with_name("moved"), workdir.with_name("copy"))
    (workdir / "checkpoints").symlink_to("../copy")


def lock_replaced(workdir):
    (workdir / ".lock").unlink()
    (workdir / ".lock").touch()


ACTIONS = (moved_and_another_run, removed, checkpoints_replaced)
RARER_ACTIONS = (
    moved,
    moved_and_empty,
    removed_and_another_run,
    emptied_and_another_run,
    replaced_by_a_copy,
    parent_moved,
    link_to_another_run,
    checkpoints_linked_elsewhere,
    lock_replaced,
)


@pytest.mark.parametrize(
    "action", [*ACTIONS, *(pytest.param(action, marks=pytest.mark.slow) for action in RARER_ACTIONS)]
)
@pytest.mark.parametrize("step", [6, pytest.param(12, marks=pytest.mark.slow)])
def test_run_that_lost_its_folder_stops_and_writes_nothing(tmp_path, monkeypatch, action, step):
    workdir, after = tmp_path / "parent" / "run", {}

    def act():
        action(workdir)
        for folder in tmp_path.rglob("*"):
            if folder.is_dir():
                after[folder] = content(folder)

    with pytest.raises(LostFolderError, match="was moved, removed or replaced while .* it stops"):
        train_with(act, workdir, step, monkeypatch)
    assert workdir.exists() == (workdir in after)
    for folder, files in after.items():
        assert content(folder) == files, folder


def test_moved_run_resumes_in_its_new_place(tmp_path, monkeypatch, finished):
    workdir = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(LostFolderError, match=f"{tmp_path}/moved, resumes"):
        train_with(lambda: moved_and_another_run(workdir), workdir, 7, patch)
    other = outcome(Workdir(workdir))
    (tmp_path / "moved" / "config.json").write_text(json.dumps(CONFIG))
    nar.train(CONFIG, tmp_path / "moved")
    assert outcome(Workdir(tmp_path / "moved")) == outcome(finished)
    assert metrics_of(Workdir(tmp_path / "moved")) == metrics_of(finished)
    assert outcome(Workdir(workdir)) == other


def test_folder_that_was_moved_away_and_back_is_still_owned(tmp_path, monkeypatch, finished):
    workdir = tmp_path / "run"

    def move_and_link():
        moved(workdir)
        workdir.symlink_to(tmp_path / "moved")

    train_with(move_and_link, workdir, 6, monkeypatch)
    assert outcome(Workdir(workdir))["scores"] == outcome(finished)["scores"]


def test_check_owned_concerns_paths_in_the_folder_only(tmp_path):
    folder, other = tmp_path / "folder", tmp_path / "folder_2"
    folder.mkdir()
    with own_folder(folder):
        moved(folder)
        check_owned(other / "file")
        for path in (folder, folder / "file", folder / "inside" / "file"):
            with pytest.raises(LostFolderError):
                check_owned(path)
    check_owned(folder / "file")
    assert not [name for name in os.listdir("/proc/self/fd") if _target(name).endswith("moved")]


def _target(name):
    try:
        return os.readlink(pathlib.Path("/proc/self/fd", name))
    except OSError:
        return ""


def test_sweep_that_lost_its_folder_starts_no_trial(tmp_path):
    root = tmp_path / "sweep"
    root.mkdir()
    with own_folder(root):
        moved(root)
        with pytest.raises(LostFolderError):
            Trial("name", {}, {}, root).prepare()
    assert not root.exists()
    Trial("name", {}, {}, root).prepare()
    assert (root / "configs" / "name.json").exists()
