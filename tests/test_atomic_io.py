"""Writing: only regular files are replaced or extended, and only own temporary files are removed."""

import functools
import os
import pathlib
import re

import pytest

from nar import atomic_io
from nar.atomic_io import (
    atomic_write,
    open_to_append,
    remove_abandoned_files,
    remove_temporary_files,
    set_aside,
    temporary_files,
    unused_path,
    write_json,
    write_text,
)
from nar.ownership import LostFolderError, own_folder
from nar.traces import export_json_lines, sample_traces, save_traces

ROOT = pathlib.Path(__file__).parents[1]


def append(path):
    with open_to_append(path) as file:
        file.write(b"new")


WRITERS = [lambda path: write_text(path, "new"), lambda path: write_json(path, {"a": 1}), append]


@pytest.mark.parametrize("write", WRITERS)
def test_nothing_but_a_regular_file_is_replaced(tmp_path, write):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inside").write_text("mine")
    (tmp_path / "to_pipe").symlink_to("pipe")
    (tmp_path / "to_folder").symlink_to("folder")
    (tmp_path / "to_device").symlink_to("/dev/full")
    before = {path.name: path.lstat() for path in tmp_path.iterdir()}
    for name in before:
        with pytest.raises(ValueError, match=f"{name} is a .*, not a regular file"):
            write(tmp_path / name)
    assert {path.name: path.lstat().st_ino for path in tmp_path.iterdir()} == {
        name: status.st_ino for name, status in before.items()
    }
    assert (tmp_path / "folder" / "inside").read_text() == "mine"


@pytest.mark.parametrize("write", WRITERS)
def test_link_is_followed(tmp_path, write):
    (tmp_path / "there").mkdir()
    for name in ("old", "missing"):
        (tmp_path / name).symlink_to(pathlib.Path("there") / name)
    (tmp_path / "there" / "old").write_text("old")
    for name in ("old", "missing"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "there" / name).read_text() not in ("", "old")
    assert sorted(os.listdir(tmp_path / "there")) == ["missing", "old"]


def test_file_that_is_not_locked_yet_is_created_again_if_it_was_removed(tmp_path, monkeypatch):
    """Another process may take a temporary file for an abandoned one before it is locked."""
    lock, removed = atomic_io._lock, []

    def lock_late(file, **options):
        if options and len(removed) < 2:
            monkeypatch.setattr(atomic_io, "_lock", lock)
            removed.append(len(os.listdir(tmp_path)))
            remove_abandoned_files(tmp_path)
            removed[-1] -= len(os.listdir(tmp_path))
            monkeypatch.setattr(atomic_io, "_lock", lock_late)
        return lock(file, **options)

    monkeypatch.setattr(atomic_io, "_lock", lock_late)
    with atomic_write(tmp_path / "file") as file:
        remove_abandoned_files(tmp_path)  # It is locked now.
        file.write(b"new")
    assert removed == [1, 1] and os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "new"


def test_pipe_that_appears_while_writing_stays(tmp_path):
    path = tmp_path / "file"

    def write():
        with atomic_write(path) as file:
            file.write(b"new")
            os.mkfifo(path)

    with pytest.raises(ValueError, match="is a named pipe"):
        write()
    assert os.listdir(tmp_path) == ["file"] and path.is_fifo()


def test_only_own_temporary_files_are_removed(tmp_path):
    own = [".a.json.0123456789abcdef.part", ".b.0123456789abcdef.part"]
    other = [
        ".env",
        ".a.json.part",
        ".a.json.12.part",
        ".a.json.0123456789ABCDEF.part",
        ".a.json.0123456789abcdef.part~",
        "a.json.0123456789abcdef.part",
        ".c.0123456789abcdef.part",
        "a.json",
    ]
    for name in (*own, *other):
        (tmp_path / name).write_text("")
    (tmp_path / ".b.ffffffffffffffff.part").mkdir()
    (tmp_path / ".b.eeeeeeeeeeeeeeee.part").symlink_to("a.json")
    remove_temporary_files(tmp_path, re.compile(r"a\.json|b"))
    left = {*other, ".b.ffffffffffffffff.part", ".b.eeeeeeeeeeeeeeee.part"}
    assert set(os.listdir(tmp_path)) == left


WRITING = re.compile(
    r"\.(write_text|write_bytes|savefig|savez\w*|rmtree|unlink|rename|remove)\(|\bopen\([^()]*[\"'][wax]"
)
"""Calls that write or remove files."""

WRITTEN_ELSEWHERE = {
    "nar/evaluation/suite_files.py": 1,  # savez into a file of atomic_write
    "nar/training/checkpointing/checkpoints.py": 1,  # removes checkpoints
    "nar/training/devices/compilation_cache.py": 1,  # removes damaged entries of the cache
    "nar/runs/evaluation_files.py": 1,  # removes the arrays of an evaluation that is replaced
    "nar/runs/export.py": 1,  # renames the folder that it has made
    "nar/reports/plotting.py": 2,  # savefig into a buffer
    "nar/reports/run_report/drawing.py": 2,  # savefig into a buffer
}


@pytest.mark.parametrize("moment", ["open", "rename"])
def test_folder_that_is_replaced_while_a_file_is_opened_or_renamed(tmp_path, monkeypatch, moment):
    folder = tmp_path / "folder"
    folder.mkdir()
    act = getattr(pathlib.Path, "open" if moment == "open" else "replace")

    def replaced_before(self, *arguments):
        monkeypatch.undo()
        folder.rename(tmp_path / "moved")
        folder.mkdir()
        (folder / "file").write_text("another run's")
        return act(self, *arguments)

    write = append if moment == "open" else functools.partial(write_text, text="mine")
    monkeypatch.setattr(pathlib.Path, act.__name__, replaced_before)
    with own_folder(folder), pytest.raises(LostFolderError):
        write(folder / "file")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [("file", "another run's")]


def test_part_of_a_lock_is_an_own_file(tmp_path):
    """A process may be killed while it writes who holds the lock."""
    part = tmp_path / "..lock_holder.0123456789abcdef.part"
    part.touch()
    assert temporary_files(tmp_path, re.compile("a")) == [part]
    remove_temporary_files(tmp_path, re.compile("a"))
    assert not part.exists()


def test_files_are_set_aside_under_unused_names(tmp_path):
    (tmp_path / "aside").symlink_to("nowhere")
    for number in (2, 3):
        (tmp_path / "file").write_text(str(number))
        aside = set_aside(tmp_path / "file", "aside")
        assert aside == tmp_path / f"aside.{number}" and aside.read_text() == str(number)
    assert sorted(os.listdir(tmp_path)) == ["aside", "aside.2", "aside.3"]
    assert unused_path(tmp_path / "new") == tmp_path / "new"


def test_everything_in_nar_is_written_by_atomic_io():
    counts = {
        path.relative_to(ROOT).as_posix(): len(WRITING.findall(path.read_text()))
        for path in (ROOT / "nar").rglob("*.py")
        if path.name != "atomic_io.py"
    }
    assert {name: count for name, count in counts.items() if count} == WRITTEN_ELSEWHERE


def test_traces_are_not_written_over_special_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    batch = sample_traces("minimum", 4, 1, 0)
    with pytest.raises(ValueError, match="not a regular file"):
        save_traces(tmp_path / "pipe", batch, name="minimum")
    with pytest.raises(ValueError, match="not a regular file"):
        export_json_lines(tmp_path / "pipe", batch, name="minimum")
    assert (tmp_path / "pipe").is_fifo()
