"""Workdirs: config checks, the lock, atomic writes, full disks."""

import contextlib
import errno
import json
import os
import subprocess
import sys

import pytest

from nar.atomic_io import atomic_write, read_json, write_json
from nar.runs.lock import Lock
from nar.runs.workdir import Workdir
from nar.training import Checkpoints

TRAINING = {"steps": 5, "seed": 0, "schedule": "constant", "schedule_options": {}}
CONFIG = {"training": TRAINING, "algorithms": ("bfs",)}


def claim(workdir, config=CONFIG):
    workdir.check(config)
    with workdir.lock():
        workdir.claim(config)


def test_run_that_was_killed_while_it_was_locked_starts_again(tmp_path):
    part = tmp_path / "..lock_holder.0123456789abcdef.part"
    part.touch()
    claim(Workdir(tmp_path))
    assert not part.exists()


def test_workdir_rejects_another_config(tmp_path):
    workdir = Workdir(tmp_path / "runs" / "a")
    claim(workdir)
    claim(workdir)
    assert json.loads(workdir.config.read_text())["algorithms"] == ["bfs"]
    assert {"nar", "jax", "git"} <= set(json.loads((workdir.path / "versions.json").read_text()))
    with pytest.raises(ValueError, match=r"training.seed: 0 saved, 1 given"):
        claim(workdir, {**CONFIG, "training": {**TRAINING, "seed": 1}})


def test_run_can_be_extended_but_not_shortened(tmp_path):
    workdir = Workdir(tmp_path)
    claim(workdir)
    claim(workdir, {**CONFIG, "training": {**TRAINING, "steps": 9}})
    assert json.loads(workdir.config.read_text())["training"]["steps"] == 9
    with pytest.raises(ValueError, match="training.steps: 9 saved, 5 given"):
        claim(workdir)


def test_directory_with_other_files_is_rejected(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="not the workdir of a run"):
        claim(Workdir(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(ValueError, match="is not a directory"):
        claim(Workdir(tmp_path / "thesis.tex"))


def test_run_killed_before_its_first_file_can_be_started(tmp_path):
    (tmp_path / ".config.json.0123456789abcdef.part").write_text("{")
    (tmp_path / ".lock").write_text("process 77")
    claim(Workdir(tmp_path))
    assert not list(tmp_path.glob("*.part"))


# ---------------------------------------------------------------------------------------------------
# Damage


@pytest.mark.parametrize("text", ["{", "[]", "", "\x00\xff", '{"training": {"steps": 5, "seed": 1}}', None])
def test_damaged_config_is_read_from_its_copy(tmp_path, caplog, text):
    workdir = Workdir(tmp_path)
    claim(workdir)
    if text is None:
        workdir.config.unlink()
    else:
        checksum = json.loads(workdir.config.read_text())["sha256"]
        workdir.config.write_text(text.replace("}}", f'}}, "sha256": "{checksum}"}}'), encoding="latin-1")
    assert workdir.read_config() == json.loads(json.dumps(CONFIG))
    assert "its copy" in caplog.text
    with pytest.raises(ValueError, match=r"training.seed: 0 saved, 1 given"):
        claim(workdir, {**CONFIG, "training": {**TRAINING, "seed": 1}})
    claim(workdir)
    assert read_json(workdir.config) == json.loads(json.dumps(CONFIG))


def test_damaged_config_without_a_copy_is_an_error(tmp_path):
    workdir = Workdir(tmp_path)
    claim(workdir)
    workdir.config.write_text("{")
    (workdir.checkpoints / "config.json").unlink()
    with pytest.raises(ValueError, match="config.json cannot be read, .* is damaged: .*Put a copy"):
        claim(workdir)


def test_json_checksum_detects_damage(tmp_path):
    path, content = tmp_path / "a.json", {"scores": {16: 0.5, 4: (1, 2)}, "name": "é"}
    write_json(path, content)
    assert read_json(path) == json.loads(json.dumps(content))
    written = path.read_bytes()
    for place in range(len(written)):
        path.write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
        # Reading may succeed if the content is intact: damaged white space, or the key of the checksum.
        with contextlib.suppress(ValueError):
            restored = read_json(path)
            assert {key: restored[key] for key in content} == json.loads(json.dumps(content))


# ---------------------------------------------------------------------------------------------------
# Locks


HOLDER = """
import pathlib, sys
from nar.runs.lock import Lock
with Lock(pathlib.Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("content", [b"mine", b"", b"\xff"])
def test_file_of_others_in_place_of_the_name_of_the_holder_is_kept(tmp_path, content):
    path, target = tmp_path / ".lock_holder", tmp_path / "target"
    with Lock(tmp_path):
        assert path.read_text().startswith(f"process {os.getpid()} on ")
    for is_link in (False, True):
        path.unlink()
        target.write_bytes(content)
        path.symlink_to(target) if is_link else path.write_bytes(content)
        with Lock(tmp_path):
            assert path.read_bytes() == target.read_bytes() == content


def test_lock_excludes_other_processes_and_ends_with_its_holder(tmp_path):
    """The lock is released at once when its holder is killed."""
    workdir = Workdir(tmp_path / "run")
    workdir.path.mkdir()
    arguments = [sys.executable, "-c", HOLDER, str(workdir.path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout.readline() == "locked\n"
            message = rf"{workdir.path} is in use by process {holder.pid} on \S+ \(since 2"
            with pytest.raises(ValueError, match=message), workdir.lock():
                pass
        finally:
            holder.kill()
    with workdir.lock(), pytest.raises(ValueError, match=f"in use by process {os.getpid()}"), workdir.lock():
        pass
    with workdir.lock():
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_file_system_without_locks_gives_a_warning(tmp_path, monkeypatch, caplog, number):
    def no_locks(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", no_locks)
    claim(Workdir(tmp_path))
    assert "make sure that no other process writes to it" in caplog.text
    assert (tmp_path / "config.json").exists()


# ---------------------------------------------------------------------------------------------------
# Full disks


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("where", ["os.fsync", "pathlib.Path.replace"])
def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch, number, where):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(where, full)
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_json(path, {"a": 2})
    assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert read_json(path) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_write_to_dev_full_names_the_file(tmp_path):
    """`/dev/full` accepts no bytes."""
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")

    def write():
        with open("/dev/full", "wb") as full, atomic_write(tmp_path / "a") as file:
            os.dup2(full.fileno(), file.fileno())
            file.write(b"1" * 100_000)

    with pytest.raises(OSError, match="No space left") as caught:
        write()
    assert caught.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_claim_leaves_the_hidden_files_of_others(tmp_path):
    claim(Workdir(tmp_path))
    names = [".env", ".gitignore", ".notes.part", ".config.json.12.part", ".thesis.0123456789abcdef.part"]
    for name in names:
        (tmp_path / name).write_text("mine")
        (tmp_path / "checkpoints" / name).write_text("mine")
    (tmp_path / ".result.json.0123456789abcdef.part").write_text("{")
    claim(Workdir(tmp_path))
    Checkpoints(tmp_path / "checkpoints")
    for folder in (tmp_path, tmp_path / "checkpoints"):
        assert {path.name for path in folder.glob(".*")} - {".lock", ".lock_holder"} == set(names)
