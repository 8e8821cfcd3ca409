"""Trace files: exact round trips, clear errors; export as JSON lines."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from trace_checks import assert_same

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.data import Transforms, pad_nodes
from nar.traces import export_json_lines, load_traces, sample_traces, save_traces
from nar.traces import io as trace_io

every_algorithm = pytest.mark.parametrize("name", nar.ALGORITHMS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "traces.npz"


def saved(path, **origin):
    batch = sample_traces("bfs", 5, 3, 0)
    save_traces(path, batch, name="bfs", **origin)
    return batch


# ---------------------------------------------------------------------------------------------------
# Round trips


@every_algorithm
def test_round_trip(name, path):
    batch = sample_traces(name, 6, 4, 1)
    save_traces(path, batch, name=name, size=6, seed=1, options={})
    stored = load_traces(path)
    assert (stored.name, stored.spec, stored.nar_version) == (
        name,
        nar.ALGORITHMS[name].spec,
        nar.__version__,
    )
    assert stored.origin == {"size": 6, "seed": 1, "options": {}}
    assert_identical(stored.batch, batch)


def assert_identical(one, other):
    assert_same(one, other)
    for stage in ("inputs", "hints", "outputs"):
        first, second = getattr(one, stage), getattr(other, stage)
        assert list(first) == list(second)
        assert [value.dtype for value in first.values()] == [value.dtype for value in second.values()]
    assert one.lengths.dtype == other.lengths.dtype


def test_round_trip_of_transformed_and_padded_traces(path):
    transforms, algorithm = Transforms(), nar.ALGORITHMS["insertion_sort"]
    batch = transforms.apply(algorithm, sample_traces("insertion_sort", 6, 4, 1))
    spec = transforms.spec(algorithm)
    batch = pad_nodes(batch, spec, 8)
    save_traces(path, batch, name="insertion_sort", spec=spec)
    stored = load_traces(path)
    assert stored.spec == spec
    assert_identical(stored.batch, batch)
    np.testing.assert_array_equal(stored.batch.num_nodes, batch.num_nodes)


def test_round_trip_of_a_custom_algorithm(path):
    batch = sample_traces(TARJAN_SCC, 5, 2, 0)
    save_traces(path, batch, name=TARJAN_SCC)
    assert load_traces(path).name == "tarjan_scc"


def test_files_are_deterministic(path, tmp_path):
    saved(path, seed=0)
    saved(tmp_path / "again.npz", seed=0)
    assert path.read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_numpy_can_read_the_file(path):
    batch = saved(path)
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["hints/pi_h"], batch.hints["pi_h"])
        assert json.loads(arrays["about"].tobytes())["algorithm"] == "bfs"


# ---------------------------------------------------------------------------------------------------
# Errors


def test_save_rejects_a_batch_that_does_not_match_the_spec(path):
    batch = sample_traces("bfs", 5, 3, 0)
    with pytest.raises(ValueError, match=r"the spec has \['hints/d', .* the traces have \['hints/pi_h'"):
        save_traces(path, batch, name="bellman_ford")
    wrong = dataclasses.replace(batch, outputs={"pi": batch.outputs["pi"][:, :2]})
    with pytest.raises(ValueError, match=r"outputs/pi must have the shape \(3, 5\), got \(3, 2\)"):
        save_traces(path, wrong, name="bfs")
    longer = {**batch.hints, "pi_h": np.concatenate([batch.hints["pi_h"], batch.hints["pi_h"][-1:]])}
    num_steps = batch.num_steps
    with pytest.raises(
        ValueError, match=rf"hints/pi_h must have the shape \({num_steps}, 3, 5\), got \({num_steps + 1}"
    ):
        save_traces(path, dataclasses.replace(batch, hints=longer), name="bfs")
    with pytest.raises(ValueError, match="the origin of traces must be JSON-serializable"):
        save_traces(path, batch, name="bfs", options={"p": np.ones(2)})
    assert not list(path.parent.iterdir())


def test_save_rejects_time_chunks(path):
    chunk = dataclasses.replace(sample_traces("bfs", 5, 3, 0), offsets=np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="only whole traces can be saved, not time chunks"):
        save_traces(path, chunk, name="bfs")


def test_failed_write_leaves_the_old_file(path, monkeypatch):
    saved(path)
    before = path.read_bytes()

    def full(file, array, allow_pickle):
        raise OSError("no space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OSError, match="no space"):
        saved(path, seed=1)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_missing_file(path):
    with pytest.raises(FileNotFoundError):
        load_traces(path)


@pytest.mark.parametrize("content", [b"", b"PK", b"hello", b"\x93NUMPY", b"\0" * 1000])
def test_files_that_are_no_archives(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="traces.npz is damaged or not a trace file"):
        load_traces(path)


def test_path_of_a_folder(tmp_path):
    with pytest.raises(ValueError, match="is a directory, not a regular file"):
        load_traces(tmp_path)


def test_archives_of_other_formats(path):
    np.savez(path, a=np.arange(3))
    with pytest.raises(ValueError, match="is not a trace file of nar"):
        load_traces(path)
    np.savez(path, about=np.frombuffer(b'{"format": "other"}', np.uint8))
    with pytest.raises(ValueError, match="is not a trace file of nar"):
        load_traces(path)
    np.savez(path, about=np.array([{}], object))
    with pytest.raises(ValueError, match="damaged or not a trace file"):
        load_traces(path)


def test_truncated_and_corrupted_files(path):
    """A truncated file is rejected; one with a flipped bit is rejected or still has the same content."""
    batch = saved(path, seed=0)
    whole = path.read_bytes()
    random = np.random.RandomState(0)
    for cut in (*range(1, 30), *random.randint(30, len(whole), size=60)):
        path.write_bytes(whole[:-cut])
        with pytest.raises(ValueError, match="traces.npz"):
            load_traces(path)
    num_rejected = 0
    for position in random.randint(len(whole), size=400):
        corrupted = bytearray(whole)
        corrupted[position] ^= 1 << random.randint(8)
        path.write_bytes(corrupted)
        try:
            assert_identical(load_traces(path).batch, batch)
        except ValueError as error:
            assert "traces.npz" in str(error)  # noqa: PT017
            num_rejected += 1
    assert num_rejected > 200


def test_missing_and_unknown_arrays(path, tmp_path):
    saved(path)
    for keep, add in ((lambda name: "pi_h" not in name, {}), (lambda name: True, {"hints/x.npy": b""})):
        other = tmp_path / "other.npz"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
            for name in filter(keep, source.namelist()):
                target.writestr(name, source.read(name))
            for name, content in add.items():
                target.writestr(name, content or source.read("lengths.npy"))
        with pytest.raises(ValueError, match=r"other.npz is damaged: the spec has"):
            load_traces(other)


def rewrite(path, arrays=None, **about):
    """Replaces arrays of a trace file, and values of its description."""
    with np.load(path) as source:
        content = dict(source)
    described = {**json.loads(content["about"].tobytes()), **about}
    content["about"] = np.frombuffer(json.dumps(described).encode(), np.uint8)
    np.savez(path, **{**content, **(arrays or {})})


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, -1, 2], "lengths must lie between 0 and [0-9]+, got -1"),
        ([1, 2, 1000], "lengths must lie between 0 and [0-9]+, got 1000"),
        ([1.0, 2.0, 2.0], r"lengths must be an array of integers with one axis, got float64 of shape \(3,\)"),
        ([1.0, np.nan, np.inf], "lengths must be an array of integers"),
        ([True, True, False], "lengths must be an array of integers with one axis, got bool"),
        (["1", "2", "2"], "lengths must be an array of integers"),
        (np.array([1, 2, 2], "datetime64[s]"), "lengths must be an array of integers"),
        (np.array([1, 2, 2], "timedelta64[s]"), "lengths must be an array of integers"),
        ([[1, 2, 2]], r"lengths must be an array of integers with one axis, got int64 of shape \(1, 3\)"),
        (2, "lengths must be an array of integers with one axis"),
        ([1, 2], r"inputs/pos must have the shape \(2, 5\), got \(3, 5\)"),
    ],
)
def test_wrong_lengths(path, lengths, message):
    saved(path)
    rewrite(path, {"lengths": np.array(lengths)})
    with pytest.raises(ValueError, match=f"traces.npz is damaged: {message}"):
        load_traces(path)


@pytest.mark.parametrize(
    ("name", "dtype", "expected"),
    [
        ("inputs/A", "datetime64[s]", "float64"),
        ("inputs/A", "complex128", "float64"),
        ("inputs/adj", "U1", "int8"),
        ("hints/pi_h", "float32", "int32"),
        ("outputs/pi", "timedelta64[s]", "int32"),
    ],
)
def test_wrong_dtypes(path, name, dtype, expected):
    batch = saved(path)
    stage, probe = name.split("/")
    rewrite(path, {name: getattr(batch, stage)[probe].astype(np.int64).astype(dtype)})
    with pytest.raises(ValueError, match=f"{name} must have the dtype {expected}, got"):
        load_traces(path)


def test_wrong_numbers_of_nodes(path):
    batch = pad_nodes(sample_traces("bfs", 5, 3, 2), nar.ALGORITHMS["bfs"].spec, 8)
    save_traces(path, batch, name="bfs")
    for wrong, message in (([5, 5, 9], "between 0 and 8, got 9"), ([5, 5], r"shape \(3,\), got \(2,\)")):
        rewrite(path, {"num_nodes": np.array(wrong)})
        with pytest.raises(ValueError, match=f"num_nodes must .*{message}"):
            load_traces(path)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../bfs", "/bfs", "a\\b", "bfs\n", ".bfs", "b:fs", "2sat", "b-fs", "é", None, 3, ["bfs"]],
)
def test_wrong_names_of_algorithms(path, name):
    saved(path)
    rewrite(path, algorithm=name)
    with pytest.raises(
        ValueError, match="is damaged: the name of an algorithm must consist of ASCII letters"
    ):
        load_traces(path)


def test_names_of_unregistered_algorithms_are_loaded(path):
    saved(path)
    rewrite(path, algorithm="my_algorithm_2")
    assert load_traces(path).name == "my_algorithm_2"


@pytest.mark.parametrize(
    "about", [{"origin": None}, {"origin": [1]}, {"nar": 3}, {"spec": 3}, {"spec": [[1]]}]
)
def test_wrong_descriptions(path, about):
    saved(path)
    rewrite(path, **about)
    with pytest.raises(ValueError, match="traces.npz is damaged"):
        load_traces(path)


@pytest.mark.parametrize("version", [2, 0, "1", None])
def test_other_format_versions(path, monkeypatch, version):
    monkeypatch.setattr(trace_io, "FORMAT_VERSION", version)
    saved(path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=f"format version {version}; nar .* reads 1"):
        load_traces(path)


# ---------------------------------------------------------------------------------------------------
# JSON lines


@every_algorithm
def test_export_json_lines(name, tmp_path):
    path = tmp_path / "traces.jsonl"
    batch = sample_traces(name, 5, 3, 2)
    export_json_lines(path, batch, name=name)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == 3
    for index, row in enumerate(rows):
        trace = batch.trace(index)
        assert (row["algorithm"], row["length"]) == (name, trace.length)
        assert row["num_nodes"] == batch.inputs["pos"].shape[1]
        for stage in ("inputs", "hints", "outputs"):
            assert list(row[stage]) == list(getattr(trace, stage))
            for key, value in getattr(trace, stage).items():
                np.testing.assert_array_equal(np.array(row[stage][key], value.dtype), value)


def test_export_rejects_padded_nodes(tmp_path):
    batch = pad_nodes(sample_traces("bfs", 5, 3, 2), nar.ALGORITHMS["bfs"].spec, 8)
    with pytest.raises(ValueError, match="without padded nodes"):
        export_json_lines(tmp_path / "traces.jsonl", batch, name="bfs")
    assert not list(tmp_path.iterdir())
