"""Reading: regular files only, and JSON of bounded depth."""

import os
import socket

import pytest

from nar.reading import MAX_DEPTH, open_regular, parse_json, read_bytes, read_text


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


def test_socket_and_missing_file_are_errors_of_the_system(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for name in ("socket", "missing"):
            with pytest.raises(OSError, match=name):
                open_regular(tmp_path / name)


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
