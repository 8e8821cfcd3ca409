"""Multiply-adds of the matrix products of a program, and the rate of matrix products on this machine."""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core


def count(function: Callable[..., Any], *arguments: Any) -> int:
    """Counts the multiply-adds of all matrix products in a function's jaxpr, without running it.

    Products in a loop are multiplied by its length, and a conditional counts as its most expensive branch, so
    that padding steps should be removed from the arguments.
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: core.Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: core.JaxprEqn) -> int:
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left, product = _shape(equation.invars[0]), _shape(equation.outvars[0])
        return math.prod(product) * math.prod(left[axis] for axis in contracted)
    inner = [_of_jaxpr(jaxpr) for jaxpr in _inner(equation.params)]
    if equation.primitive.name == "cond":
        return max(inner)
    return sum(inner) * equation.params.get("length", 1)


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _inner(params: dict[str, Any]) -> list[core.Jaxpr]:
    """Jaxprs nested in an equation."""
    values = [v for value in params.values() for v in (value if isinstance(value, tuple | list) else [value])]
    jaxprs = [value.jaxpr if isinstance(value, core.ClosedJaxpr) else value for value in values]
    return [value for value in jaxprs if isinstance(value, core.Jaxpr)]


def rate(rows: int, size: int, precision: str = "float32", seconds: float = 0.5) -> float:
    """Measured multiply-adds per second of a product of matrices [rows, size] and [size, size]."""
    product = jax.jit(jnp.matmul)
    left, right = jnp.ones((rows, size), precision), jnp.ones((size, size), precision)
    product(left, right).block_until_ready()
    times, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        product(left, right).block_until_ready()
        times.append(time.perf_counter() - before)
    return rows * size * size / statistics.median(times)
