"""Recording in plain Python while numba compiles: immediate, bit-identical, and only where that is known."""

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

NOT_CANONICAL = ("graham_scan", "jarvis_march", "optimal_bst")
BIT_IDENTICAL = [name for name in nar.ALGORITHMS if name not in NOT_CANONICAL]
QUICK_TO_COMPILE = ("insertion_sort",)
"""Algorithms that `make test` compiles."""


def compiled_cases(names):
    """Cases that numba compiles; most are marked slow."""
    slow = (pytest.mark.jit, pytest.mark.slow)
    return [pytest.param(name, marks=pytest.mark.jit if name in QUICK_TO_COMPILE else slow) for name in names]


def bytes_of(batch):
    """Content of a batch, bit by bit."""
    arrays = {"lengths": batch.lengths, **batch.inputs, **batch.hints, **batch.outputs}
    return {name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()}


def draw_bytes(name, size, **options):
    return bytes_of(sample_traces(name, size, 4, 5, wait_for_compilation=False, **options))


@pytest.fixture
def calling_threads(monkeypatch):
    """Names of the threads that call compiled loops, with the state of background compilation reset."""
    names = []

    def recording(algorithm, call):
        names.append(threading.current_thread().name)
        return with_compiled_loops(algorithm, call)

    monkeypatch.setattr(while_compiling, "_FINISHED", {})
    monkeypatch.setattr(while_compiling, "_COMPILE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(while_compiling, "_COMPILE_LOCK", threading.Lock())
    monkeypatch.setattr(record, "with_compiled_loops", recording)
    return names


@pytest.fixture
def may_compile(calling_threads, monkeypatch):
    """Event that compilation waits for."""
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
# Bit-identical traces


@pytest.mark.slow
@pytest.mark.parametrize("name", compiled_cases(BIT_IDENTICAL))
def test_plain_and_compiled_traces_are_bit_identical(name, monkeypatch):
    monkeypatch.setattr(record, "poll_compilation", lambda what, compile: False)
    for size, starts in ((4, (0, 1000, 2**63 - 2, 2**64 - 5)), (7, (0, 2**64 - 5)), (16, (1000,))):
        for first in starts:
            expected = bytes_of(sample_traces(name, size, 4, 5, first=first))
            assert draw_bytes(name, size, first=first) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", compiled_cases(BIT_IDENTICAL))
def test_plain_and_compiled_splits_are_bit_identical(name, monkeypatch):
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
def test_plain_and_compiled_traces_with_options_are_bit_identical(name, options, monkeypatch):
    expected = bytes_of(sample_traces(name, 9, 4, 5, **options))
    monkeypatch.setattr(record, "poll_compilation", lambda what, compile: False)
    assert draw_bytes(name, 9, **options) == expected


def test_only_sums_and_sines_are_not_canonical():
    assert {name for name in nar.ALGORITHMS if not nar.ALGORITHMS[name].problem.canonical} == {*NOT_CANONICAL}


# ---------------------------------------------------------------------------------------------------
# No waiting


def test_sampling_does_not_wait_for_numba(calling_threads, may_compile):
    first = [draw_bytes("minimum", 5), draw_bytes("minimum", 5), draw_bytes("minimum", 6)]
    assert calling_threads == []
    may_compile.set()
    wait_for_compilations()
    assert calling_threads == ["nar-numba"]
    assert [draw_bytes("minimum", 5), draw_bytes("minimum", 5), draw_bytes("minimum", 6)] == first
    assert calling_threads == ["nar-numba", *["MainThread"] * 3]


def test_compilation_starts_after_enough_time_in_plain_python(calling_threads, may_compile, monkeypatch):
    monkeypatch.setattr(while_compiling, "_PLAIN_SECONDS", collections.defaultdict(float))
    monkeypatch.setattr(while_compiling, "_COMPILE_AFTER_SECONDS", 0.05)
    draw_bytes("minimum", 5)
    assert while_compiling._FINISHED == {}
    for draws in itertools.count():
        draw_bytes("minimum", 16)
        if while_compiling._FINISHED:
            break
        assert draws < 10_000
    assert 0.05 <= sum(while_compiling._PLAIN_SECONDS.values()) < 5
    assert calling_threads == []


def test_task_draws_do_not_wait_for_numba(calling_threads, may_compile):
    task = Task(nar.ALGORITHMS["minimum"], (5,))
    traces = task.draw(5, 5, 0, 4)
    assert calling_threads == []
    may_compile.set()
    assert bytes_of(traces) == bytes_of(sample_traces("minimum", 5, 4, 5))


def test_validation_does_not_wait_for_numba(calling_threads, may_compile):
    traces = clrs30_split("minimum", "val", cache=False, wait_for_compilation=False)
    assert calling_threads == []
    may_compile.set()
    assert bytes_of(traces) == bytes_of(clrs30_split("minimum", "val", cache=False))


@pytest.mark.usefixtures("may_compile")
def test_concurrent_draws_start_one_compilation():
    """Streams of several seeds may sample at the same time."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: draw_bytes("minimum", 5), range(16)))
    assert all(batch == batches[0] for batch in batches)
    assert len(while_compiling._FINISHED) == 1


def test_each_combination_of_option_types_is_compiled_once(calling_threads):
    for max_deadline in (None, 3, 4):
        draw_bytes("task_scheduling", 4, max_deadline=max_deadline)
    num_types = len(while_compiling._FINISHED)
    wait_for_compilations()
    assert num_types == 2
    assert calling_threads.count("nar-numba") == 2


def test_process_exits_without_waiting_for_numba(tmp_path):
    code = """
import nar, nar.traces.recorder.while_compiling
nar.traces.recorder.while_compiling._COMPILE_AFTER_SECONDS = 0.0
nar.sample_traces("heapsort", 3, 1, 0, wait_for_compilation=False)
print(*(end.is_set() for end in nar.traces.recorder.while_compiling._FINISHED.values()))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"False\n", b"")
    assert not list(tmp_path.rglob("*.nbi"))


def test_plain_python_does_not_warn(calling_threads, may_compile, recwarn):
    """Compiled code does not warn of overflows and the like, so neither must plain Python."""
    for name in BIT_IDENTICAL:
        draw_bytes(name, 7)
    assert not recwarn.list


# ---------------------------------------------------------------------------------------------------
# Where recording waits for numba


MINIMUM = nar.ALGORITHMS["minimum"]


@pytest.mark.parametrize(
    "algorithm",
    [
        dataclasses.replace(MINIMUM, name="own"),
        dataclasses.replace(MINIMUM, problem=dataclasses.replace(MINIMUM.problem)),
    ],
)
def test_custom_algorithms_wait_for_compilation(algorithm, calling_threads):
    sample_traces(algorithm, 5, 4, 5, wait_for_compilation=False)
    assert calling_threads == ["MainThread"]


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [("minimum", 33, {}), ("lcs_length", 4, {"length_2": 33}), *((name, 5, {}) for name in NOT_CANONICAL)],
)
def test_large_or_non_canonical_problems_wait_for_compilation(name, size, options, calling_threads):
    draw_bytes(name, size, **options)
    assert calling_threads == ["MainThread"]


def test_sample_traces_waits_for_compilation_by_default(calling_threads):
    sample_traces("minimum", 5, 4, 5)
    assert calling_threads == ["MainThread"]


def test_compilation_error_is_raised_by_the_next_draw(calling_threads, monkeypatch):
    may_fail = threading.Event()

    def fail(algorithm, call):
        assert may_fail.wait(60)
        raise NumbaError(f"not from {threading.current_thread().name}")

    monkeypatch.setattr(record, "with_compiled_loops", fail)
    draw_bytes("minimum", 5)
    may_fail.set()
    wait_for_compilations()
    with pytest.raises(NumbaError, match="not from MainThread"):
        draw_bytes("minimum", 5)


def test_invalid_requests_raise_before_compilation(calling_threads):
    with pytest.raises(ValueError, match="unknown problem option 'k'"):
        draw_bytes("minimum", 5, k=3)
    assert calling_threads == []
