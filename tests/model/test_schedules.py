"""Schedules over training steps."""

import jax
import numpy as np
import pytest

from nar.model import Schedule
from nar.model.schedules import SCHEDULE_SHAPES


@pytest.mark.parametrize(
    ("shape", "halfway"), [("linear", 0.5), ("cosine", 0.5), ("exponential", 0.4), ("constant", 0.8)]
)
def test_schedule_values(shape, halfway):
    schedule = Schedule(shape, start=0.8, end=0.2, steps=10)
    compiled = jax.jit(schedule)
    values = [float(compiled(step)) for step in (0, 5, 10, 1000)]
    last = 0.8 if shape == "constant" else 0.2
    assert values == pytest.approx([0.8, halfway, last, last], rel=1e-5)
    changes = np.diff([float(compiled(step)) for step in range(11)])
    assert (changes < 0).all() or shape == "constant"
    if shape == "cosine":
        assert abs(changes[0]) < abs(changes[4])


def test_every_schedule_shape_is_tested():
    assert set(SCHEDULE_SHAPES) == {"linear", "cosine", "exponential", "constant"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("steep", 1.0, 0.0, 5), "unknown schedule shape 'steep'; known: constant, linear, cosine, exp"),
        (("linear", 1.5, 0.0, 5), "start of a schedule must lie between 0 and 1, got 1.5"),
        (("linear", 1.0, -0.5, 5), "end of a schedule must lie between 0 and 1, got -0.5"),
        (("linear", 1.0, 0.0, 0), "steps of a schedule must be at least 1, got 0"),
        (("exponential", 1.0, 0.0, 5), "start and end of an exponential schedule must be positive"),
    ],
)
def test_invalid_schedules_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        Schedule(*arguments)
