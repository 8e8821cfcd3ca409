"""Canonical splits on disk: equal, never stale, made again when damaged, safe to share."""

import concurrent.futures
import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tasks
from test_io import assert_identical
from trace_checks import run_python

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.traces import cache, clrs30_split, sample


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NAR_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def made(monkeypatch):
    """Names of the algorithms whose splits are made, one after the other."""
    names, make = [], sample.clrs30_sample

    def counted(algorithm, **origin):
        names.append(algorithm.name)
        return make(algorithm, **origin)

    monkeypatch.setattr(sample, "clrs30_sample", counted)
    return names


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


CLRS30 = [name for name, algorithm in nar.ALGORITHMS.items() if algorithm.in_clrs30]
LARGE = [name for name in CLRS30 if nar.ALGORITHMS[name].clrs30_multiplier > 1 and name != "minimum"]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LARGE or name not in tasks.COVERING else ())
        for name in CLRS30
    ],
)
def test_the_second_time_it_is_read(folder, made, name):
    first, second = clrs30_split(name, "val"), clrs30_split(name, "val")
    assert made == [name]
    assert files(folder) == [f"{name}-val.npz"]
    assert_identical(second, first)
    assert_identical(clrs30_split(name, "val", cache=False), first)


def test_splits_have_files_of_their_own(folder, made):
    assert clrs30_split("bfs", "train").batch_size != clrs30_split("bfs", "val").batch_size
    assert files(folder) == ["bfs-train.npz", "bfs-val.npz"]
    assert clrs30_split("bfs", "val").batch_size == 32
    assert made == ["bfs", "bfs"]


def test_it_can_be_turned_off(folder, made, monkeypatch):
    clrs30_split("bfs", "val", cache=False)
    monkeypatch.setenv("NAR_CACHE", "")
    clrs30_split("bfs", "val")
    assert made == ["bfs", "bfs"]
    assert not files(folder)


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("NAR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "nar"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.cache_folder() == pathlib.Path.home() / ".cache" / "nar"


def test_other_sources_have_other_files(folder, made, monkeypatch):
    clrs30_split("bfs", "val")
    monkeypatch.setattr(cache, "_DIGEST", "0123")
    clrs30_split("bfs", "val")
    assert made == ["bfs", "bfs"]
    assert len(files(folder)) == 2


def test_the_digest_covers_all_that_makes_a_trace():
    code = """if True:
        import json, sys, nar
        nar.clrs30_split("bfs", "val")
        print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.startswith("nar.")]))
    """
    loaded = {pathlib.Path(path) for path in json.loads(run_python(code))}
    assert loaded <= set(cache._sources())


def test_a_changed_source_changes_the_digest(monkeypatch, tmp_path):
    source = tmp_path / "source.py"
    monkeypatch.setattr(cache, "_sources", lambda: [source])
    digests = set()
    for text in ("a = 1", "a = 2"):
        source.write_text(text)
        digests.add(cache._digest())
    assert len(digests) == 2
    monkeypatch.setattr(cache, "_sources", list)
    assert cache._digest() == ""


def test_nothing_is_kept_without_sources(folder, made, monkeypatch):
    monkeypatch.setattr(cache, "_DIGEST", "")
    clrs30_split("bfs", "val")
    assert not files(folder)


@pytest.mark.parametrize(
    "algorithm",
    [dataclasses.replace(TARJAN_SCC, in_clrs30=True), dataclasses.replace(nar.ALGORITHMS["bfs"])],
    ids=repr,
)
def test_what_one_registers_is_not_kept(folder, made, algorithm):
    clrs30_split(algorithm, "val")
    clrs30_split(algorithm, "val")
    assert len(made) == 2
    assert not files(folder)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda content: b"", lambda content: b"x" * 999]
)
def test_a_damaged_file_is_made_again(folder, made, damage):
    batch = clrs30_split("bfs", "val")
    (path,) = folder.rglob("*.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="traces are made again: .*bfs-val.npz is damaged"):
        assert_identical(clrs30_split("bfs", "val"), batch)
    assert_identical(clrs30_split("bfs", "val"), batch)
    assert made == ["bfs", "bfs"]


def test_a_file_under_a_wrong_name_is_made_again(folder):
    clrs30_split("bfs", "val")
    (path,) = folder.rglob("*.npz")
    path.rename(path.with_name("minimum-val.npz"))
    with pytest.warns(UserWarning, match="traces are made again: .*holds other traces, of bfs"):
        assert "min" in clrs30_split("minimum", "val").outputs


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAR_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="traces are (not kept|made again)"):
        assert clrs30_split("bfs", "val").batch_size == 32


def test_processes_share_it(folder):
    code = "import nar, sys; print(nar.clrs30_split('bfs', 'val').hints['pi_h'].sum())"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sums = set(pool.map(lambda _: run_python(code), range(3)))
    assert sums == {f"{np.sum(clrs30_split('bfs', 'val').hints['pi_h'])}\n"}
    assert files(folder) == ["bfs-val.npz"]
