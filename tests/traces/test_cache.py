"""Disk cache of the canonical splits: exact, never stale, regenerated when damaged, safe to share."""

import concurrent.futures
import dataclasses
import fcntl
import json
import os
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
def cache_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("NAR_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def generated(monkeypatch):
    """Names of the algorithms whose splits were generated, in order."""
    names, generate = [], sample.clrs30_sample

    def recording(algorithm, **origin):
        names.append(algorithm.name)
        return generate(algorithm, **origin)

    monkeypatch.setattr(sample, "clrs30_sample", recording)
    return names


def files(cache_dir):
    return sorted(path.name for path in cache_dir.rglob("*") if path.is_file())


CLRS30 = [name for name, algorithm in nar.ALGORITHMS.items() if algorithm.in_clrs30]
LARGE = [name for name in CLRS30 if nar.ALGORITHMS[name].clrs30_multiplier > 1 and name != "minimum"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in LARGE or name not in tasks.COVERING else ())
        for name in CLRS30
    ],
)
def test_second_call_reads_the_cache(cache_dir, generated, name):
    first, second = clrs30_split(name, "val"), clrs30_split(name, "val")
    assert generated == [name]
    assert files(cache_dir) == [f"{name}-val.npz"]
    assert_identical(second, first)
    assert_identical(clrs30_split(name, "val", cache=False), first)


def test_each_split_has_its_own_file(cache_dir, generated):
    assert clrs30_split("bfs", "train").batch_size != clrs30_split("bfs", "val").batch_size
    assert files(cache_dir) == ["bfs-train.npz", "bfs-val.npz"]
    assert clrs30_split("bfs", "val").batch_size == 32
    assert generated == ["bfs", "bfs"]


def test_cache_can_be_disabled(cache_dir, generated, monkeypatch):
    clrs30_split("bfs", "val", cache=False)
    monkeypatch.setenv("NAR_CACHE", "")
    clrs30_split("bfs", "val")
    assert generated == ["bfs", "bfs"]
    assert not files(cache_dir)


def test_changed_digest_regenerates_the_split(cache_dir, generated, monkeypatch):
    clrs30_split("bfs", "val")
    monkeypatch.setattr(cache, "SOURCE_DIGEST", "0123")
    clrs30_split("bfs", "val")
    assert generated == ["bfs", "bfs"]
    assert len(files(cache_dir)) == 2


def test_digest_covers_every_imported_source():
    code = """if True:
        import json, sys, nar
        nar.clrs30_split("bfs", "val")
        print(json.dumps([m.__file__ for name, m in sys.modules.items() if name.startswith("nar.")]))
    """
    loaded = {pathlib.Path(path) for path in json.loads(run_python(code))}
    assert loaded <= set(cache._sources())


def test_digest_changes_with_the_sources(monkeypatch, tmp_path):
    source = tmp_path / "source.py"
    monkeypatch.setattr(cache, "_sources", lambda: [source])
    digests = set()
    for text in ("a = 1", "a = 2"):
        source.write_text(text)
        digests.add(cache._digest())
    assert len(digests) == 2
    monkeypatch.setattr(cache, "_sources", list)
    assert cache._digest() == ""


def test_nothing_is_cached_without_sources(cache_dir, generated, monkeypatch):
    monkeypatch.setattr(cache, "SOURCE_DIGEST", "")
    clrs30_split("bfs", "val")
    assert not files(cache_dir)


@pytest.mark.parametrize(
    "algorithm",
    [dataclasses.replace(TARJAN_SCC, in_clrs30=True), dataclasses.replace(nar.ALGORITHMS["bfs"])],
    ids=repr,
)
def test_registered_algorithms_are_not_cached(cache_dir, generated, algorithm):
    clrs30_split(algorithm, "val")
    clrs30_split(algorithm, "val")
    assert len(generated) == 2
    assert not files(cache_dir)


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-100], lambda content: b"", lambda content: b"x" * 999]
)
def test_damaged_file_is_regenerated(cache_dir, generated, damage):
    batch = clrs30_split("bfs", "val")
    (path,) = cache_dir.rglob("*.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.warns(UserWarning, match="regenerating cached traces: .*bfs-val.npz is damaged"):
        assert_identical(clrs30_split("bfs", "val"), batch)
    assert_identical(clrs30_split("bfs", "val"), batch)
    assert generated == ["bfs", "bfs"]


def test_misnamed_file_is_regenerated(cache_dir):
    clrs30_split("bfs", "val")
    (path,) = cache_dir.rglob("*.npz")
    path.rename(path.with_name("minimum-val.npz"))
    with pytest.warns(UserWarning, match="regenerating cached traces: .*contains other traces: bfs"):
        assert "min" in clrs30_split("minimum", "val").outputs


def test_unwritable_folder_only_warns(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("NAR_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="cannot cache traces|regenerating cached traces"):
        assert clrs30_split("bfs", "val").batch_size == 32


def test_pipe_in_place_of_a_file_only_warns(cache_dir):
    batch = clrs30_split("bfs", "val")
    (path,) = cache_dir.rglob("*.npz")
    path.unlink()
    os.mkfifo(path)
    with pytest.warns(UserWarning, match="named pipe"):
        assert_identical(clrs30_split("bfs", "val"), batch)
    assert path.is_fifo()


@pytest.mark.slow
def test_processes_share_the_cache(cache_dir):
    code = "import nar, sys; print(nar.clrs30_split('bfs', 'val').hints['pi_h'].sum())"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        sums = set(pool.map(lambda _: run_python(code), range(3)))
    assert sums == {f"{np.sum(clrs30_split('bfs', 'val').hints['pi_h'])}\n"}
    assert files(cache_dir) == ["bfs-val.npz"]


def test_parts_that_killed_processes_left_are_removed(cache_dir):
    """Parts that another process is still writing remain."""
    clrs30_split("bfs", "val")
    folder = next(cache_dir.rglob("*.npz")).parent
    left, written = folder / ".a.npz.0123456789abcdef.part", folder / ".b.npz.0123456789abcdef.part"
    left.write_bytes(b"half")
    with written.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        clrs30_split("dfs", "val")
        assert not left.exists() and written.exists()
    clrs30_split("dijkstra", "val")
    assert not list(folder.glob(".*"))
