"""Benchmarks of training, evaluation, padding and time to score: counts, summaries and smoke tests."""

import json
import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from commands import run

from experiments.benchmarks import padding as padding_benchmark
from experiments.benchmarks import time_to_score as time_to_score_benchmark
from experiments.benchmarks import train as train_benchmark
from experiments.benchmarks.lib import multiply_adds
from experiments.benchmarks.lib.interleaved_timing import summary
from experiments.benchmarks.lib.matched_networks import Case, NarNetwork
from experiments.benchmarks.train import InterleavedTimes, TimedCall
from nar.algorithms import ALGORITHMS
from nar.data import Task, TrainingStream
from nar.data.padding import SHORTEST_BUCKET

TINY = ["--processors=mpnn", "--sizes=4", "--batch_size=2", "--hidden_size=4", "--repeats=2"]


def test_multiply_adds_of_loops_conditions_and_gradients():
    def power(x, w):
        def body(x, index):
            return jax.lax.cond(index > 1, lambda x: x, lambda x: x @ w, x), None

        return jax.lax.scan(jax.checkpoint(body), x, jnp.arange(5))[0].sum()

    x, w = jnp.ones((3, 7)), jnp.ones((7, 7))
    per_product = 3 * 7 * 7
    assert multiply_adds.count(power, x, w) == 5 * per_product
    assert multiply_adds.count(jax.grad(power, argnums=1), x, w) == 3 * 5 * per_product
    assert multiply_adds.count(lambda x: jnp.einsum("bij,bjk->bik", x, x), jnp.ones((2, 3, 3))) == 2 * 27
    assert multiply_adds.rate(8, 4, seconds=0.01) > 0


def test_multiply_adds_of_an_evaluation_are_mostly_those_of_messages():
    """Messages have two layers, between all pairs of nodes in each step."""
    messages = 4 * 31 * 32**2 * 2 * 128**2
    total = NarNetwork(Case("minimum", "mpnn", 32, batch_size=4)).multiply_adds_of_evaluation()
    assert messages < total < 1.2 * messages


def test_steps_after_the_end_of_a_trace_have_no_multiply_adds():
    """Extending all traces to the longest adds the multiply-adds of the additional steps."""
    nar = NarNetwork(Case("bfs", "mpnn", 16, batch_size=8))
    steps = np.maximum(nar._batch.lengths - 1, 1)
    assert steps.min() < steps.max()
    total = nar.multiply_adds_of_evaluation()
    nar._batch.lengths[:] = steps.max() + 1
    per_step = (nar.multiply_adds_of_evaluation() - total) / (8 * steps.max() - steps.sum())
    assert 16**2 * 2 * 128**2 < per_step < 1.5 * 16**2 * 2 * 128**2


def test_calls_alternate_after_a_first_call_of_each():
    calls = []
    timed = train_benchmark.time_interleaved(lambda: calls.append("nar"), lambda: calls.append("dm-clrs"), 3)
    assert calls == ["nar", "dm-clrs"] * 4
    assert len(timed.ratios) == 3


def test_ratios_and_their_summary():
    timed = InterleavedTimes([1.0, 2.0], [3.0, 4.0], (TimedCall(1.0, 5.0), TimedCall(1.0, 5.1)))
    assert timed.ratios == [3.0, 2.0]
    assert summary({"one": 8.0, "other": 2.0}) == "geometric mean: 4×, lowest: 2× (other)"
    with pytest.raises(ValueError, match="the networks differ: their losses are 5.0 and 5.1"):
        train_benchmark.check_same(Case("bfs", "mpnn", 4), timed, 0.01)
    train_benchmark.check_same(Case("bfs", "mpnn", 4), timed, 0.05)
    assert timed._replace(work_factor=5).ratios == [15.0, 10.0]


@pytest.mark.slow
def test_train_benchmark_runs():
    code, output, errors = run("benchmark", "train", "--algorithms=minimum", *TINY)
    assert code == 0, errors
    lines = output.splitlines()
    assert re.fullmatch(r"geometric mean: [\d.]+×, lowest: [\d.]+× \(minimum, mpnn, n = 4\)", lines[-1])
    assert re.search(r"minimum, mpnn, n = 4 .* ms .*×  [\d.]+ to [\d.]+  .* s  [\d.]+×", output)


@pytest.mark.slow
def test_train_benchmark_runs_with_several_seeds_in_bfloat16(tmp_path):
    options = ["--num_seeds=1,2", "--precision=bfloat16", f"--profile={tmp_path}"]
    code, output, errors = run("benchmark", "train", "--algorithms=minimum", *TINY, *options)
    assert code == 0, errors
    assert "minimum, mpnn, n = 4, bfloat16 " in output
    assert "minimum, mpnn, n = 4, bfloat16, 2 seeds " in output
    assert output.startswith("on ") and output.splitlines()[-1].startswith("profiles: ")
    folders = sorted(path.name for path in tmp_path.iterdir())
    assert folders == ["minimum-mpnn-n=4-bfloat16", "minimum-mpnn-n=4-bfloat16-2seeds"]
    for folder in folders:
        assert list((tmp_path / folder).rglob("perfetto_trace.json.gz"))


@pytest.mark.slow
def test_evaluate_benchmark_runs():
    code, output, errors = run("benchmark", "evaluate", "--algorithms=minimum", *TINY)
    assert code == 0, errors
    assert re.search(r" s  [\d.]+×  [\d,]+ and [\d,]+ MiB", output)
    assert re.search(r"memory, .*: geometric mean: [\d.]+×", output)
    assert output.splitlines()[-1].startswith("time: geometric mean")


def test_processor_unknown_to_dm_clrs_is_rejected():
    code, _, errors = run("benchmark", "train", "--processors=floydnet")
    assert code == 1 and "dm-clrs has no processor 'floydnet'" in errors


def test_bucket_steps_after_the_longest_trace_are_skipped():
    """Traces of one size have equal lengths here, so that only buckets add padding."""
    stream = TrainingStream([Task(ALGORITHMS["bubble_sort"], (2, 3))], batch_size=4, seed=0)
    padding = padding_benchmark.measure_padding(stream, 4)
    assert padding.programs == 2 and padding.nodes == 0 and padding.steps == 0
    lengths = [stream.batch(step).lengths.max() - 1 for step in range(4)]
    assert padding.skipped == pytest.approx(1 - np.sum(lengths) / (4 * (SHORTEST_BUCKET - 1)))


def test_steps_after_the_end_of_a_trace_are_padding():
    stream = TrainingStream([Task(ALGORITHMS["bfs"], (8,), {"p": (0.3,)})], batch_size=8, seed=0)
    steps = np.maximum(stream.batch(0).lengths - 1, 1)
    assert steps.min() < steps.max()
    assert padding_benchmark.measure_padding(stream, 1).steps == pytest.approx(1 - steps.mean() / steps.max())


def test_wait_for_score_returns_at_the_goal_or_the_end_of_the_run(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [
        {"step": 50, "loss": 1.0},
        {"step": 50, "validation/score": 0.5},
        {"step": 100, "validation/score": 0.9},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 15')
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        reached = time_to_score_benchmark.wait_for_score(child, path, "validation/score", 0.9, 0.0)
        missed = time_to_score_benchmark.wait_for_score(child, path, "validation/score", 0.95, 0.0)
        unscored = time_to_score_benchmark.wait_for_score(
            child, tmp_path / "none.jsonl", "validation/score", 0.9, 0.0
        )
    assert (reached.steps, reached.score, reached.done) == (100, 0.9, True)
    assert (missed.steps, missed.done) == (100, False) and "missed the goal" in str(missed)
    assert unscored is None


@pytest.mark.slow
def test_dm_clrs_training_reaches_a_score(tmp_path):
    """Runs in a fresh process, as in the benchmark, since dm-clrs needs rank promotion."""
    arguments = ("minimum", 0.0, 3, 0, str(tmp_path), True, 4)
    code = f"from experiments.benchmarks.lib.dm_clrs_training import train; train(*{arguments!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600
    )
    outcome, steps, score = done.stdout.split()[-3:]
    assert outcome == "reached" and steps == "1" and 0 <= float(score) <= 1
    assert (tmp_path / "best.pkl").exists()


@pytest.mark.slow
def test_time_to_score_runs_the_training_command(monkeypatch, capsys):
    monkeypatch.setattr(time_to_score_benchmark, "GOALS", {"bfs": 0.0})
    monkeypatch.setattr(time_to_score_benchmark, "measure_start_up", lambda name: None)
    monkeypatch.setattr(
        time_to_score_benchmark, "environment_without_caches", lambda folder: dict(os.environ)
    )
    dm_clrs = time_to_score_benchmark.RunOutcome(1000.0, 1, 0.5, done=True)
    monkeypatch.setattr(time_to_score_benchmark, "run_dm_clrs", lambda *arguments: dm_clrs)
    time_to_score_benchmark.time_to_score(["bfs"], 50, [7], 4)
    text = capsys.readouterr().out
    assert re.search(r"bfs to 0% of validation, seed 7: nar \d+ s, 50 steps, .*; dm-clrs 1000 s, 1 ", text)
    assert text.splitlines()[-1].startswith("geometric mean: ")
    with pytest.raises(ValueError, match="no goal is set for 'minimum'; known: bfs"):
        time_to_score_benchmark.time_to_score(["minimum"], 50, [0], 4)


def test_time_to_score_reports_the_median_over_seeds(monkeypatch, capsys):
    """Runs that miss the goal are excluded and listed."""
    monkeypatch.setattr(time_to_score_benchmark, "measure_start_up", lambda name: None)
    seconds = {0: 30.0, 1: 10.0, 2: 20.0, 3: 999.0}

    def dm_clrs(name, num_steps, seed, hidden_size):
        return time_to_score_benchmark.RunOutcome(seconds[seed], 51, 0.99, done=seed != 3)

    def nar(*arguments):
        return time_to_score_benchmark.RunOutcome(10.0, 50, 0.99, done=True)

    monkeypatch.setattr(time_to_score_benchmark, "run_nar", nar)
    monkeypatch.setattr(time_to_score_benchmark, "run_dm_clrs", dm_clrs)
    time_to_score_benchmark.time_to_score(["bfs", "minimum"], 2000, range(4), 128)
    *lines, bfs, minimum, missed, last = capsys.readouterr().out.splitlines()
    assert [line.count("×") for line in lines if "seed 3:" in line] == [0, 0]
    assert bfs == "bfs: 2.00×, 1.00 to 3.00 in 3 runs" and minimum.startswith("minimum: 2.00×")
    assert missed.endswith("bfs with seed 3, minimum with seed 3")
    assert last == "geometric mean: 2×, lowest: 2× (bfs)"
