"""The benchmarks of training and evaluation: what they count, how they sum up, and that they run."""

import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from experiments import multiply_adds, train_benchmark
from experiments.pair import Case
from experiments.side_by_side import summary
from experiments.train_benchmark import Timed, Turn

TINY = ["--processors=mpnn", "--sizes=4", "--batch_size=2", "--hidden_size=4", "--repeats=2"]


def test_multiply_adds_of_loops_conditions_and_gradients():
    def power(x, w):
        def body(x, index):
            return jax.lax.cond(index > 1, lambda x: x, lambda x: x @ w, x), None

        return jax.lax.scan(jax.checkpoint(body), x, jnp.arange(5))[0].sum()

    x, w = jnp.ones((3, 7)), jnp.ones((7, 7))
    once = 3 * 7 * 7
    assert multiply_adds.count(power, x, w) == 5 * once
    assert multiply_adds.count(jax.grad(power, argnums=1), x, w) == 3 * 5 * once
    assert multiply_adds.count(lambda x: jnp.einsum("bij,bjk->bik", x, x), jnp.ones((2, 3, 3))) == 2 * 27
    assert multiply_adds.rate(8, 4, seconds=0.01) > 0


def test_turns_alternate_after_a_first_call_of_each():
    calls = []
    timed = train_benchmark.take_turns(lambda: calls.append("ours"), lambda: calls.append("theirs"), 3)
    assert calls == ["ours", "theirs"] * 4
    assert len(timed.ratios) == 3


def test_ratios_and_their_summary():
    timed = Timed([1.0, 2.0], [3.0, 4.0], (Turn(1.0, 5.0), Turn(1.0, 5.1)))
    assert timed.ratios == [3.0, 2.0]
    assert summary({"one": 8.0, "other": 2.0}) == "geometric mean: 4×, lowest: 2× (other)"
    with pytest.raises(ValueError, match="the networks are not the same, for their losses are 5.0 and 5.1"):
        train_benchmark.check_same(Case("bfs", "mpnn", 4), timed)


def run(*arguments):
    command = [sys.executable, "-m", "experiments.benchmark", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.slow
def test_train_runs():
    done = run("train", "--algorithms=minimum", *TINY)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"geometric mean: [\d.]+×, lowest: [\d.]+× \(minimum, mpnn, n = 4\)", lines[-1])
    assert re.search(r"minimum, mpnn, n = 4 .* ms .*×  [\d.]+ to [\d.]+  .* s  [\d.]+×", done.stdout)


@pytest.mark.slow
def test_evaluate_runs():
    done = run("evaluate", "--algorithms=minimum", *TINY)
    assert done.returncode == 0, done.stderr
    assert re.search(r"[\d,]+ and [\d,]+ MiB", done.stdout)
    assert re.search(r"memory, .*: geometric mean: [\d.]+×", done.stdout)
    assert done.stdout.splitlines()[-1].startswith("time: geometric mean")


def test_what_dm_clrs_does_not_have():
    done = run("train", "--processors=floydnet")
    assert done.returncode == 1 and "dm-clrs has no processor 'floydnet'" in done.stderr
