"""Paths in flags and in the library: home directories and addresses."""

import pathlib
import re

import pytest
from commands import ROOT, run

import nar
from experiments.cli.launch import _CONFIG_IN_HOME, _error_message
from experiments.cli.paths import PathParser
from nar.atomic_io import local_path

ADDRESSES = ["gs://bucket/run", "s3://bucket", "file:///tmp/run", "HTTP://host/run", "hdfs://x"]


def test_home_directories_are_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert local_path("~/runs") == tmp_path / "runs" and local_path("~") == tmp_path
    assert local_path(pathlib.Path("~/runs")) == tmp_path / "runs"
    assert PathParser().parse("~/runs") == str(tmp_path / "runs")
    assert local_path("a~b/~c") == pathlib.Path("a~b/~c")
    with pytest.raises(ValueError, match=f"{tmp_path}/runs is not the workdir of a run"):
        nar.load_run("~/runs")
    assert _CONFIG_IN_HOME.sub("<>", "--config=~/c.py") == "<>/c.py"
    assert _CONFIG_IN_HOME.sub("<>", "--config.x=~/c.py") == "--config.x=~/c.py"


def test_invalid_folder_of_the_cache_ends_a_command_with_one_line(monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    monkeypatch.setenv("NAR_CACHE", "gs://bucket")
    message = _error_message(lambda: None, compiles=True)
    assert message is not None and message.startswith("NAR_CACHE=gs://bucket: gs://bucket is an address")
    assert _error_message(lambda: None, compiles=False) is None


@pytest.mark.parametrize("text", ["a:b/run", "runs/x:y", "16:30:00"])
def test_colons_are_part_of_a_path(text):
    assert str(local_path(text)) == text


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses_are_errors_in_flags_and_in_the_library(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for read in (local_path, PathParser().parse, nar.load_run, lambda path: nar.train({}, path)):
        with pytest.raises(ValueError, match="is an address, not a path of this machine"):
            read(text)
    with pytest.raises(ValueError, match="is an address"):
        local_path(pathlib.Path("gs://bucket/run"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "a\0b", "~no_such_user_here/x"])
def test_no_path_is_an_error(text):
    with pytest.raises(ValueError, match=r"is not a path|there is no such home directory"):
        local_path(text)


def test_every_path_of_a_script_is_a_path_flag():
    wrong = re.compile(r"DEFINE_string\(\s*\"(workdir|output|answers|references|profile|picture|sweep)\"")
    for path in (ROOT / "experiments").glob("*.py"):
        assert not wrong.search(path.read_text()), path


@pytest.mark.parametrize(
    ("script", "names"), [("make_text", ["output"]), ("evaluate", ["workdir", "output"])]
)
def test_help_shows_paths(script, names):
    _, output, _ = run(script, "--help")
    for name in names:
        assert f"  --{name}: " in output
