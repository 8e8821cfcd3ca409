"""Traces in plain Python while numba compiles: the same to the last bit, at once, where that is sure."""

import collections
import concurrent.futures
import dataclasses
import itertools
import os
import subprocess
import sys
import threading

import pytest
from numba.core.errors import NumbaError

import nar
from nar.data import Task
from nar.traces import clrs30_sample, clrs30_split, sample_traces
from nar.traces.recorder import record, while_compiling
from nar.traces.recorder.compiled_loops import with_compiled_loops

SUMS_OR_SINES = ("graham_scan", "jarvis_march", "optimal_bst")
SAME_IN_PYTHON = [name for name in nar.ALGORITHMS if name not in SUMS_OR_SINES]
COMPILED_FIRST = ("insertion_sort",)
"""Those that `make test` compiles."""


def compiled_in_part(names):
    """Cases that numba compiles, most of them slow."""
    slow = (pytest.mark.jit, pytest.mark.slow)
    return [pytest.param(name, marks=pytest.mark.jit if name in COMPILED_FIRST else slow) for name in names]


def bytes_of(batch):
    """All that a batch holds."""
    arrays = {"lengths": batch.lengths, **batch.inputs, **batch.hints, **batch.outputs}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def drawn(name, size, **options):
    return bytes_of(sample_traces(name, size, 4, 5, wait_for_compilation=False, **options))


@pytest.fixture
def compiles(monkeypatch):
    """Names of the threads that compile or run what is compiled; nothing has been asked for yet."""
    names = []

    def counted(algorithm, call):
        names.append(threading.current_thread().name)
        return with_compiled_loops(algorithm, call)

    monkeypatch.setattr(while_compiling, "_FINISHED", {})
    monkeypatch.setattr(while_compiling, "_COMPILE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(while_compiling, "_COMPILE_LOCK", threading.Lock())
    monkeypatch.setattr(record, "with_compiled_loops", counted)
    return names


@pytest.fixture
def may_compile(compiles, monkeypatch):
    """Nothing is compiled before this is set."""
    event, compile = threading.Event(), record.with_compiled_loops

    def slow(algorithm, call):
        assert event.wait(60)
        return compile(algorithm, call)

    monkeypatch.setattr(record, "with_compiled_loops", slow)
    yield event
    event.set()
    wait_for_compilations()


def wait_for_compilations():
    for end in while_compiling._FINISHED.values():
        assert end.wait(300)


# ---------------------------------------------------------------------------------------------------
# The same


@pytest.mark.parametrize("name", compiled_in_part(SAME_IN_PYTHON))
def test_plain_and_compiled_traces_are_the_same_to_the_last_bit(name, monkeypatch):
    monkeypatch.setattr(record, "poll_compilation", lambda what, compile: False)
    for size in (4, 7, 16):
        for first in (0, 1000, 2**63 - 2, 2**64 - 5):
            expected = bytes_of(sample_traces(name, size, 4, 5, first=first))
            assert drawn(name, size, first=first) == expected


@pytest.mark.parametrize("name", compiled_in_part(SAME_IN_PYTHON))
def test_splits_are_the_same_to_the_last_bit(name, monkeypatch):
    expected = bytes_of(clrs30_sample(name, 16, 4, 2))
    monkeypatch.setattr(record, "poll_compilation", lambda what, compile: False)
    monkeypatch.setattr(record, "with_compiled_loops", None)
    assert bytes_of(clrs30_sample(name, 16, 4, 2, wait_for_compilation=False)) == expected


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bellman_ford", {"p": 0.9, "low": 2.0, "high": 5.0}),
        ("dag_shortest_paths", {"p": 0.9, "low": -5.0, "high": 5.0}),
        ("insertion_sort", {"low": -1e9, "high": 1e9}),
        ("lcs_length", {"chars": 2}),
        ("minimum", {"low": -1e-9, "high": 1e-9}),
    ],
)
def test_problem_options(name, options, monkeypatch):
    expected = bytes_of(sample_traces(name, 9, 4, 5, **options))
    monkeypatch.setattr(record, "poll_compilation", lambda what, compile: False)
    assert drawn(name, 9, **options) == expected


def test_all_but_sums_and_sines():
    assert {name for name in nar.ALGORITHMS if not nar.ALGORITHMS[name].problem.canonical} == {*SUMS_OR_SINES}


# ---------------------------------------------------------------------------------------------------
# At once


def test_draws_do_not_wait_for_numba(compiles, may_compile):
    first = [drawn("minimum", 5), drawn("minimum", 5), drawn("minimum", 6)]
    assert compiles == []
    may_compile.set()
    wait_for_compilations()
    assert compiles == ["nar-numba"]
    assert [drawn("minimum", 5), drawn("minimum", 5), drawn("minimum", 6)] == first
    assert compiles == ["nar-numba", *["MainThread"] * 3]


def test_numba_begins_when_plain_python_has_taken_long_enough(compiles, may_compile, monkeypatch):
    monkeypatch.setattr(while_compiling, "_PLAIN_SECONDS", collections.defaultdict(float))
    monkeypatch.setattr(while_compiling, "_COMPILE_AFTER_SECONDS", 0.05)
    drawn("minimum", 5)
    assert while_compiling._FINISHED == {}
    for draws in itertools.count():
        drawn("minimum", 16)
        if while_compiling._FINISHED:
            break
        assert draws < 10_000
    assert 0.05 <= sum(while_compiling._PLAIN_SECONDS.values()) < 5
    assert compiles == []


def test_a_task_draws_at_once(compiles, may_compile):
    task = Task(nar.ALGORITHMS["minimum"], (5,))
    traces = task.draw(5, 5, 0, 4)
    assert compiles == []
    may_compile.set()
    assert bytes_of(traces) == bytes_of(sample_traces("minimum", 5, 4, 5))


def test_validation_does_not_wait_for_numba(compiles, may_compile):
    traces = clrs30_split("minimum", "val", cache=False, wait_for_compilation=False)
    assert compiles == []
    may_compile.set()
    assert bytes_of(traces) == bytes_of(clrs30_split("minimum", "val", cache=False))


@pytest.mark.usefixtures("may_compile")
def test_one_thread_compiles_for_all_who_draw():
    """Replicas may draw at the same time."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: drawn("minimum", 5), range(16)))
    assert all(batch == batches[0] for batch in batches)
    assert len(while_compiling._FINISHED) == 1


def test_options_of_other_types_are_compiled_anew(compiles):
    for max_deadline in (None, 3, 4):
        drawn("task_scheduling", 4, max_deadline=max_deadline)
    num_types = len(while_compiling._FINISHED)
    wait_for_compilations()
    assert num_types == 2
    assert compiles.count("nar-numba") == 2


def test_a_process_ends_without_waiting_for_numba(tmp_path):
    code = """
import nar, nar.traces.recorder.while_compiling
nar.traces.recorder.while_compiling._COMPILE_AFTER_SECONDS = 0.0
nar.sample_traces("bfs", 8, 4, 0, wait_for_compilation=False)
print(*(end.is_set() for end in nar.traces.recorder.while_compiling._FINISHED.values()))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"False\n", b"")
    assert not list(tmp_path.rglob("*.nbi"))


def test_there_are_no_warnings(compiles, may_compile, recwarn):
    """Compiled code does not warn either."""
    for name in SAME_IN_PYTHON:
        drawn(name, 7)
    assert not recwarn.list


# ---------------------------------------------------------------------------------------------------
# Only where it is sure


MINIMUM = nar.ALGORITHMS["minimum"]


@pytest.mark.parametrize(
    "algorithm",
    [
        dataclasses.replace(MINIMUM, name="own"),
        dataclasses.replace(MINIMUM, problem=dataclasses.replace(MINIMUM.problem)),
    ],
)
def test_algorithms_of_a_user_are_waited_for(algorithm, compiles):
    sample_traces(algorithm, 5, 4, 5, wait_for_compilation=False)
    assert compiles == ["MainThread"]


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [("minimum", 33, {}), ("lcs_length", 4, {"length_2": 33}), *((name, 5, {}) for name in SUMS_OR_SINES)],
)
def test_what_is_large_or_not_the_same_is_waited_for(name, size, options, compiles):
    drawn(name, size, **options)
    assert compiles == ["MainThread"]


def test_sample_traces_waits_unless_told_otherwise(compiles):
    sample_traces("minimum", 5, 4, 5)
    assert compiles == ["MainThread"]


def test_an_error_of_numba_is_raised_by_the_first_draw_behind_it(compiles, monkeypatch):
    may_fail = threading.Event()

    def fail(algorithm, call):
        assert may_fail.wait(60)
        raise NumbaError(f"not from {threading.current_thread().name}")

    monkeypatch.setattr(record, "with_compiled_loops", fail)
    drawn("minimum", 5)
    may_fail.set()
    wait_for_compilations()
    with pytest.raises(NumbaError, match="not from MainThread"):
        drawn("minimum", 5)


def test_errors_of_requests_are_raised_at_once(compiles):
    with pytest.raises(ValueError, match="unknown problem option 'k'"):
        drawn("minimum", 5, k=3)
    assert compiles == []
