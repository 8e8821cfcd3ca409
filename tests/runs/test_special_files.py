"""Pipes, devices and links in place of the files of a run: an error in words or a damaged file; no hang."""

import json
import os
import shutil

import pytest
from quick_runs import config_of, outcome, quick_runs
from saved_checkpoints import saved_file

import nar
from nar.reports import draw_curves
from nar.reports.run_report import read_records
from nar.runs.workdir import Workdir
from nar.traces import load_traces
from nar.training.checkpointing import LostCheckpointError


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with quick_runs():
        workdir = nar.train(config_of(), tmp_path_factory.mktemp("runs") / "finished").workdir
        (workdir.path / "evaluation.json").write_text(json.dumps({"summary": []}))
        yield workdir


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def link_to_itself(path):
    path.symlink_to(path.name)


FILES = [
    "config.json",
    "result.json",
    "metrics.jsonl",
    "versions.json",
    "evaluation.json",
    ".lock",
    ".lock_holder",
]


def call(function, *arguments, **options):
    """The user error of a call; None if it ends without one."""
    try:
        function(*arguments, **options)
    except (ValueError, OSError) as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("make", [pipe, device, link_to_itself])
@pytest.mark.parametrize("name", FILES)
def test_special_file_in_a_workdir(finished, tmp_path, name, make):
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    path = workdir.path / name
    path.unlink()
    make(path)
    before = path.lstat()
    for message in (call(read_records, [workdir.path]), call(nar.load_run, workdir.path)):
        assert message is None or str(path) in message
    if name != "result.json":
        workdir.result.unlink()
    message = call(nar.train, config_of(), workdir, draw_curves=draw_curves)
    if name == "evaluation.json":
        assert message is None
    else:
        assert str(path) in message
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)


@pytest.mark.parametrize("make", [pipe, device, link_to_itself])
def test_special_file_in_place_of_a_checkpoint_is_a_damaged_one(finished, tmp_path, make):
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    path = saved_file(workdir.path, 12)
    path.unlink()
    make(path)
    workdir.result.unlink()
    with pytest.raises(LostCheckpointError, match="step 12, is damaged or missing; .* is step 8"):
        nar.load_run(workdir.path, "last")
    assert nar.load_run(workdir.path, "last", checkpoint_fallback=True).step == 8
    nar.train(config_of(), workdir)
    assert outcome(workdir)["parameters_sha256"] == outcome(finished)["parameters_sha256"]
    assert path.is_file() and not path.is_symlink()
    assert os.path.lexists(path.with_name(f"damaged_{path.name}"))


def test_traces_and_folders(tmp_path):
    pipe(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is a named pipe"):
        load_traces(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is not a directory"):
        nar.train(config_of(), tmp_path / "pipe")


def test_folder_of_others_in_place_of_a_checkpoint_is_kept(finished, tmp_path):
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    mine = workdir.checkpoints / "step_1.npz" / "mine"
    mine.parent.mkdir()
    mine.write_text("mine")
    damaged = workdir.checkpoints / "damaged_step_1.npz"
    damaged.mkdir()
    (damaged / "mine").write_text("mine")
    workdir.result.unlink()
    nar.train(config_of(), workdir)
    kept = [path for path in workdir.checkpoints.rglob("mine") if path.read_text() == "mine"]
    assert len(kept) == 2
