"""The memory benchmark: measurements, table and errors."""

import jax
import numpy as np
import pytest
from commands import run

from experiments.benchmarks import memory as memory_benchmark
from experiments.benchmarks.memory import GIB, MEMORY_LIMIT, BenchmarkProgram, Case, residual_bytes

TINY = {"batch_size": 2, "hidden_size": 4}


@pytest.mark.slow
def test_residuals_are_halved_by_bfloat16_and_mostly_removed_by_remat():
    full, half, remat = (
        residual_bytes(Case("minimum", 32, "mpnn", **TINY, **options))
        for options in ({}, {"precision": "bfloat16"}, {"remat": True})
    )
    assert 0.4 < half / full < 0.7
    assert remat < full / 5


@pytest.mark.parametrize(
    "mode",
    [pytest.param(memory_benchmark.TRAINING, marks=pytest.mark.slow), memory_benchmark.EVALUATION],
)
def test_compiled_program_runs_on_its_state_and_batch(mode):
    """The reported size of its arguments is between that of the parameters and that of all arguments."""
    subject = BenchmarkProgram(Case("bfs", 4, "mpnn", mode, **TINY))
    state, batch, compiled = jax.jit(subject.make_state)(), subject.batch(), subject.compiled()
    params = state.params if mode == memory_benchmark.TRAINING else state
    least, most = (sum(leaf.nbytes for leaf in jax.tree.leaves(x)) for x in (params, (state, batch)))
    assert least <= compiled.memory_analysis().argument_size_in_bytes <= most
    result = compiled(state, batch)
    outputs = result[1] if mode == memory_benchmark.TRAINING else result
    assert outputs and all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(outputs))


def test_table_marks_programs_above_the_memory_limit(monkeypatch, capsys):
    """The table has one cell per size; programs above the limit are not run."""
    monkeypatch.setattr(memory_benchmark, "case_program_bytes", lambda case: case.size * GIB)
    monkeypatch.setattr(memory_benchmark, "residual_bytes", lambda case: GIB // 2)
    monkeypatch.setattr(memory_benchmark, "resident_bytes", lambda case: 3 * GIB)
    limit = MEMORY_LIMIT // GIB
    table = memory_benchmark.memory(["bfs"], [4, limit, limit + 1], ["mpnn"], 8, 1, [limit, limit + 1])
    rows = [line.split("  ") for line in table.splitlines()]
    assert "n = 17" in table.splitlines()[0] and "batch size 8" in table.splitlines()[0]
    first = [cell.strip() for cell in rows[2] if cell.strip()]
    assert first == [
        "bfs, mpnn, training, float32",
        "4.00, residuals 0.50",
        "16.00, residuals 0.50, process 3.00",
        "17.00 *, residuals 0.50",
    ]
    assert len(rows) == 2 + len(memory_benchmark.MODES)
    assert len(capsys.readouterr().out.splitlines()) == 3 * len(memory_benchmark.MODES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["memory", "--sizes=big"], "--sizes=big: must be positive integers separated by commas, got 'big'"),
        (
            ["memory", "--grad_accumulation_steps=5"],
            "grad_accumulation_steps must divide the batch_size 32, got 5",
        ),
    ],
)
def test_invalid_arguments_are_rejected(arguments, message):
    code, _, errors = run("benchmark", *arguments)
    assert code == 1 and message in errors
