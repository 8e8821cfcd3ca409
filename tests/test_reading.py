"""Reading: regular files only, archives that fit in memory, and JSON of bounded depth."""

import os
import socket
import time

import numpy as np
import pytest

import nar
from nar import reading
from nar.atomic_io import read_json, write_json
from nar.reading import MAX_DEPTH, open_regular, parse_json, read_bytes, read_text
from nar.runs.weights_file import read_weights, write_weights
from nar.traces import load_traces, save_traces
from nar.training.checkpointing.checkpoint_file import read_checkpoint, write_checkpoint
from nar.training.state import digest


@pytest.fixture
def special(tmp_path):
    """Things that are no regular files, by their description in messages."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    return {
        "directory": tmp_path,
        "FIFO": tmp_path / "pipe",
        "pipe": tmp_path / "link",
        "device": "/dev/zero",
    }


@pytest.mark.parametrize("kind", ["directory", "FIFO", "pipe", "device"])
@pytest.mark.parametrize("read", [open_regular, read_bytes, read_text])
def test_only_regular_files_are_read_and_nothing_waits(special, kind, read):
    with pytest.raises(ValueError, match=rf"is a .*{kind}.*, not a regular file"):
        read(special[kind])


def test_socket_and_missing_file_are_errors(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        with pytest.raises(ValueError, match="socket is a socket, not a regular file"):
            open_regular(tmp_path / "socket")
    with pytest.raises(FileNotFoundError, match="missing"):
        open_regular(tmp_path / "missing")


def test_link_to_a_regular_file_is_read(tmp_path):
    (tmp_path / "file").write_text("ä")
    (tmp_path / "link").symlink_to("file")
    assert read_text(tmp_path / "link") == "ä"
    (tmp_path / "file").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="file is damaged: it is not UTF-8"):
        read_text(tmp_path / "file")


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 50_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_deep_json_is_an_error(depth, start, end):
    with pytest.raises(ValueError, match="more than 100 levels"):
        parse_json(start * depth + "1" + end * depth)


@pytest.mark.parametrize(
    "text", ["", "[" * 50_000, "{1}", b"\xff\xfe", "1" * 5000, '"\ud800'.encode("utf-8", "surrogatepass")]
)
def test_anything_else_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_values_of_any_depth_up_to_the_limit():
    assert parse_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert parse_json('{"a": [1, 2.5, null, true, "x"]}') == {"a": [1, 2.5, None, True, "x"]}


def test_a_key_that_an_object_has_twice_is_an_error():
    for text in ('{"a": 1, "b": 2, "a": 1}', '[{"b": {"a": null, "a": 2}}]'):
        with pytest.raises(ValueError, match="an object has the key 'a' twice"):
            parse_json(text)


def test_a_key_twice_among_very_many_takes_linear_time():
    keys = "".join(f'"k{number}": 1, ' for number in range(50_000))
    start = time.process_time()
    with pytest.raises(ValueError, match="an object has the key 'k49999' twice"):
        parse_json(f'{{{keys}"k49999": 2}}')
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "change", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")]
)
def test_marks_and_line_ends_of_other_editors_are_read(tmp_path, change):
    path = tmp_path / "file.json"
    write_json(path, {"a": [1, 2]})
    path.write_bytes(change(path.read_bytes()))
    assert read_json(path) == {"a": [1, 2]}


def test_archives_larger_than_memory_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    """An archive of zeros is a thousandth of what it unpacks to."""
    trace = nar.sample_traces("bfs", 4, 2, 0)
    save_traces(tmp_path / "traces.npz", trace, name="bfs")
    arrays = {"zeros": np.zeros(10**6), "step": np.int32(0)}
    write_checkpoint(tmp_path / "step_0.npz", arrays, {"step": 0}, compressed=True)
    params = {"processor": {"m": {"w": np.zeros(10**6, np.float32)}}}
    write_weights(tmp_path / "weights.npz", params, 3)
    readers = {
        "traces.npz": load_traces,
        "step_0.npz": read_checkpoint,
        "weights.npz": lambda path: read_weights(path, digest(params)),
    }
    for name, read in readers.items():
        read(tmp_path / name)
    monkeypatch.setattr(reading, "memory_size", lambda: 1000)
    for name, read in readers.items():
        with pytest.raises(ValueError, match=r"unpacked, it has 0.0 GB, more than half of this machine's"):
            read(tmp_path / name)


@pytest.mark.parametrize("array", [np.array([{}, None]), np.array([(1, {})], "i4,O"), np.array([print])])
def test_arrays_of_objects_are_refused(tmp_path, array):
    for name, read in {"traces.npz": load_traces, "step_0.npz": read_checkpoint}.items():
        np.savez(tmp_path / name, about=array, sha256=array, metadata=array)
        with pytest.raises(ValueError, match=r"allow_pickle|Object arrays"):
            read(tmp_path / name)
