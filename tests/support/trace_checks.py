"""Comparison of traces, and Python code in a subprocess."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

plain_and_compiled = pytest.mark.parametrize(
    "mode", ["plain", pytest.param("compiled", marks=[pytest.mark.jit, pytest.mark.slow])]
)


STAGES = ("inputs", "hints", "outputs")


def assert_same(ours, theirs, tolerance=0.0):
    """Asserts that two traces or batches have the same probes and values; scalars up to `tolerance`."""
    for stage in STAGES:
        mine, other = getattr(ours, stage), getattr(theirs, stage)
        assert set(mine) == set(other)
        for name, value in mine.items():
            assert value.shape == other[name].shape, name
            if value.dtype.kind == "f":
                np.testing.assert_allclose(value, other[name], rtol=tolerance, atol=tolerance, err_msg=name)
            else:
                np.testing.assert_array_equal(value, other[name], err_msg=name)
    if hasattr(theirs, "lengths"):
        np.testing.assert_array_equal(ours.lengths, theirs.lengths)


def run_python(code, *arguments, **environment):
    root = pathlib.Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
