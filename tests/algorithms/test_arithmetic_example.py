"""The arithmetic task of the example: values, refused operations, metric."""

import types

import numpy as np
import pytest

import nar
from experiments.examples.arithmetic import ARITHMETIC, mean_squared_error
from nar.evaluation.inference import InferenceResult
from nar.traces import check_algorithm


def test_values_are_those_of_the_operations():
    traces = nar.sample_traces(ARITHMETIC, 3, 50, 0, num_operations=12)
    assert (traces.lengths == 13).all()
    operations, digits = traces.hints["operation"].argmax(-1), traces.hints["digit"]
    assert not operations[-1].any() and not digits[-1].any()
    assert not digits[..., [0, 2]].any()
    value = np.zeros(50)
    for step in range(12):
        np.testing.assert_array_equal(traces.hints["value"][step], np.stack([value, 0 * value, 0 * value], 1))
        np.testing.assert_array_equal(traces.hints["result"][step], value)
        digit = digits[step, :, 1]
        value = np.choose(operations[step], [value + digit, value - digit, value * digit])
    np.testing.assert_array_equal(traces.hints["result"][12], value)
    assert np.bincount(operations[:-1].ravel(), minlength=3).min() > 150
    np.testing.assert_allclose(digits[:-1, :, 1] * 100, np.round(digits[:-1, :, 1] * 100), atol=1e-9)


@pytest.mark.jit
@pytest.mark.slow
def test_contract():
    check_algorithm(ARITHMETIC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, [0], [0.5]), "num_nodes must be an integer of at least 2, got 1"),
        ((2, [3], [0.5]), "operations must be a list of 0, 1 and 2"),
        ((2, [0, 1], [0.5]), "digits must be a number for each operation"),
        ((2, [0], [float("nan")]), "digits must be a number for each operation"),
    ],
)
def test_wrong_operations_are_refused(arguments, message):
    names = ("num_nodes", "operations", "digits")
    with pytest.raises(ValueError, match=message):
        nar.run_algorithm(ARITHMETIC, **dict(zip(names, arguments, strict=True)))
    with pytest.raises(ValueError, match="num_operations must be an integer of at least 1, got 0"):
        nar.sample_traces(ARITHMETIC, 2, 1, 0, num_operations=0)


def test_squared_error_by_hand():
    hints = {"result": np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])}
    batch = types.SimpleNamespace(hints=hints, lengths=np.array([3, 2]))
    answers = {"result": np.array([[1.5, 2.0], [3.0, 9.0]])}
    result = InferenceResult(
        "arithmetic", ARITHMETIC.spec, batch, {}, np.array([2, 1]), {}, None, answers=answers
    )
    assert mean_squared_error(result) == pytest.approx(0.25 / 3)
