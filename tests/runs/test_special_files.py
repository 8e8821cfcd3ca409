"""Pipes, devices and links in place of the files of a run: an error in words or a damaged file; no hang."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from quick_runs import config_of, outcome, quick_runs
from saved_checkpoints import saved_file

import nar
from nar.reading import read_bytes
from nar.reports import draw_curves
from nar.reports.run_report import read_records
from nar.runs.evaluation_files import evaluation_files
from nar.runs.train import _finish_trackers
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


def folder(path):
    path.mkdir()
    (path / "mine").write_text("mine")


def socket_file(path):
    # In a child process: the path of a socket is short, and relative to its working directory.
    bind = "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])"
    subprocess.run([sys.executable, "-c", bind, path.name], cwd=path.parent, check=True)


def dangling_link(path):
    path.symlink_to("nowhere/at_all")


KINDS = [pipe, device, link_to_itself, folder, socket_file]

FILES = [
    "config.json",
    "plugins.json",
    "start.json",
    "result.json",
    "metrics.jsonl",
    "curves.png",
    "versions.json",
    "evaluation.json",
    "evaluation.csv",
    ".lock",
    ".lock_holder",
]

CASES = [("plugins.json", link_to_itself), ("curves.png", device)]
SLOW_CASES = [
    pytest.param(name, kind, marks=pytest.mark.slow)
    for name in FILES
    for kind in KINDS
    if (name, kind) not in CASES
]


def call(function, *arguments, **options):
    """The user error of a call; None if it ends without one."""
    try:
        function(*arguments, **options)
    except (ValueError, OSError) as error:
        return str(error)
    return None


@pytest.mark.parametrize(("name", "make"), [*CASES, *SLOW_CASES])
def test_special_file_in_a_workdir(finished, tmp_path, name, make):
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    path = workdir.path / name
    path.unlink(missing_ok=True)
    make(path)
    before = path.lstat()
    for message in (call(read_records, [workdir.path]), call(nar.load_run, workdir.path)):
        assert message is None or str(path) in message
    if name != "result.json":
        workdir.result.unlink()
    message = call(nar.train, config_of(), workdir, draw_curves=draw_curves)
    if name.startswith("evaluation"):
        assert message is None
    else:
        assert str(path) in message
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert make is not folder or (path / "mine").read_text() == "mine"


@pytest.mark.parametrize("name", ["checkpoints", "tensorboard"])
@pytest.mark.parametrize("make", [pipe, device, link_to_itself, dangling_link])
def test_special_file_in_place_of_a_folder(finished, tmp_path, name, make):
    workdir = Workdir(shutil.copytree(finished.path, tmp_path / "copy"))
    path = workdir.path / name
    shutil.rmtree(path)
    make(path)
    with pytest.raises(ValueError, match=f"{path} is damaged: it is not a directory; move it away"):
        workdir.check(config_of())


@pytest.mark.parametrize("make", [*KINDS, dangling_link])
@pytest.mark.parametrize("name", ["evaluation.json", "evaluation.csv", "evaluation"])
def test_special_file_in_place_of_an_evaluation(tmp_path, name, make):
    make(tmp_path / name)
    if (name, make) == ("evaluation", folder):
        assert evaluation_files(tmp_path, "evaluation", overwrite=True).arrays == tmp_path / name
        return
    with pytest.raises(ValueError, match=rf"{name} is .*, and is not overwritten; choose another --name"):
        evaluation_files(tmp_path, "evaluation", overwrite=True)


@pytest.mark.parametrize("make", [pipe, device, folder, socket_file])
def test_special_file_is_not_passed_to_trackers(finished, tmp_path, make):
    """A tracker may upload the files that it gets, whatever appears in their place while a run trains."""
    workdir, passed = Workdir(shutil.copytree(finished.path, tmp_path / "copy")), []
    make(workdir.curves)

    class Spy:
        def finish(self, result, files):
            passed.extend(path.name for path in files)

    _finish_trackers([Spy()], workdir)
    assert "result.json" in passed and "curves.png" not in passed


@pytest.mark.parametrize("make", [pipe, device, folder, socket_file])
def test_special_file_says_what_it_is(tmp_path, make):
    make(tmp_path / "file")
    with pytest.raises(ValueError, match="is a .*, not a regular file"):
        read_bytes(tmp_path / "file")


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
