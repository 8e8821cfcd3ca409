"""Display of the progress of training."""

import io
import sys

import jax.numpy as jnp
import pytest

from nar.training import ShowProgress, StepReport
from nar.training.loop import Clock, Evaluation


def report(step, compilation_wait=0.0, evaluation=None):
    metrics = {"loss": jnp.full((), 1 / step)}
    return StepReport(step, "bfs", None, metrics, compilation_wait=compilation_wait, evaluation=evaluation)


@pytest.fixture
def time(monkeypatch):
    """Time in seconds, as a list of one number."""
    now = [1_000.0]
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    return now


def test_compilation_is_not_a_step(time, monkeypatch):
    """In files there is a line per log interval, whose time left does not count compilation."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    clock = Clock()
    show = ShowProgress(0, 1_000, 50, clock)
    time[0] += 70
    for step in range(1, 121):
        compilation_wait = 60.0 if step == 1 else 0.0
        clock.on_step(report(step, compilation_wait))
        evaluation = Evaluation({"validation/score": 0.5}, 1.0) if step == 75 else None
        show.on_step(report(step, compilation_wait, evaluation))
        time[0] += 0.1
    show.on_end(None, False)
    assert sys.stderr.getvalue().splitlines() == [
        "compiling",
        "training: 50/1000, 01:14 elapsed, 04:43 left,  3.36step/s, loss=0.020",
        "training: 75/1000, 01:17 elapsed, 03:34 left,  4.31step/s, loss=0.013, validation=50.00%",
        "training: 100/1000, 01:19 elapsed, 02:59 left,  5.03step/s, loss=0.010, validation=50.00%",
    ]


def test_terminals_show_that_the_first_step_is_compiled(time, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    show = ShowProgress(0, 10, 5, Clock())
    time[0] += 30
    assert "compiling:   0%" in sys.stderr.getvalue() and "training" not in sys.stderr.getvalue()
    show.on_step(report(1))
    assert "training:  10%" in sys.stderr.getvalue()
    show.close()
