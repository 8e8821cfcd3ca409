"""The benchmark of memory: its figures, its table and its errors."""

import jax
import numpy as np
import pytest
from commands import run

from experiments.benchmarks import memory as memory_benchmark
from experiments.benchmarks.memory import GIB, LARGEST, Case, Subject, kept_bytes

TINY = {"batch_size": 2, "hidden_size": 4}


@pytest.mark.slow
def test_what_is_kept_is_half_in_bfloat16_and_next_to_nothing_with_remat():
    exact, half, anew = (
        kept_bytes(Case("minimum", 32, "mpnn", **TINY, **options))
        for options in ({}, {"precision": "bfloat16"}, {"remat": True})
    )
    assert 0.4 < half / exact < 0.7
    assert anew < exact / 5


@pytest.mark.parametrize(
    "what",
    [pytest.param(memory_benchmark.TRAINING, marks=pytest.mark.slow), memory_benchmark.EVALUATION],
)
def test_the_program_runs_on_its_state_and_batch(what):
    """And its figure counts at least the parameters, at most what it is given, as arguments."""
    subject = Subject(Case("bfs", 4, "mpnn", what, **TINY))
    state, batch, compiled = jax.jit(subject.make_state)(), subject.batch(), subject.compiled()
    params = state.params if what == memory_benchmark.TRAINING else state
    least, most = (sum(leaf.nbytes for leaf in jax.tree.leaves(x)) for x in (params, (state, batch)))
    assert least <= compiled.memory_analysis().argument_size_in_bytes <= most
    result = compiled(state, batch)
    found = result[1] if what == memory_benchmark.TRAINING else result
    assert found and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))


def test_table(monkeypatch, capsys):
    """A cell a size; what needs too much is marked, and not run."""
    monkeypatch.setattr(memory_benchmark, "compiled_bytes", lambda case: case.size * GIB)
    monkeypatch.setattr(memory_benchmark, "kept_bytes", lambda case: GIB // 2)
    monkeypatch.setattr(memory_benchmark, "resident_bytes", lambda case: 3 * GIB)
    limit = LARGEST // GIB
    table = memory_benchmark.memory(["bfs"], [4, limit, limit + 1], ["mpnn"], 8, 1, [limit, limit + 1])
    rows = [line.split("  ") for line in table.splitlines()]
    assert "n = 17" in table.splitlines()[0] and "batch size 8" in table.splitlines()[0]
    first = [cell.strip() for cell in rows[2] if cell.strip()]
    assert first == [
        "bfs, mpnn, training, float32",
        "4.00, kept 0.50",
        "16.00, kept 0.50, process 3.00",
        "17.00 *, kept 0.50",
    ]
    assert len(rows) == 2 + len(memory_benchmark.KINDS)
    assert len(capsys.readouterr().out.splitlines()) == 3 * len(memory_benchmark.KINDS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["speed"], "name one benchmark: traces, text, memory"),
        (["memory", "--sizes=big"], "sizes must be whole numbers from 1, separated by commas, got 'big'"),
        (["memory", "--parts=5"], "grad_accumulation_steps must divide the batch_size 32, got 5"),
    ],
)
def test_errors(arguments, message):
    code, _, errors = run("benchmark", *arguments)
    assert code == 1 and message in errors
