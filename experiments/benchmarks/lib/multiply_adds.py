"""How many multiply-adds the matrix products of a program take, and how many a machine makes in a second."""

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import core


def count(function: Callable[..., Any], *arguments: Any) -> int:
    """Multiply-adds of all matrix products of a function, as it is written; nothing is computed.

    Products in a loop count as often as the loop runs, and of the branches of a condition the one that has
    most: give it arguments of which no step is padding.
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
    """The programs within an equation."""
    values = [v for value in params.values() for v in (value if isinstance(value, tuple | list) else [value])]
    open_ones = [value.jaxpr if isinstance(value, core.ClosedJaxpr) else value for value in values]
    return [value for value in open_ones if isinstance(value, core.Jaxpr)]


def rate(rows: int, size: int, precision: str = "float32", seconds: float = 0.5) -> float:
    """Multiply-adds per second of a product of matrices [rows, size] and [size, size], measured."""
    product = jax.jit(jnp.matmul)
    left, right = jnp.ones((rows, size), precision), jnp.ones((size, size), precision)
    product(left, right).block_until_ready()
    taken, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        product(left, right).block_until_ready()
        taken.append(time.perf_counter() - before)
    return rows * size * size / statistics.median(taken)
