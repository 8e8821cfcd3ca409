"""Initial parameters, drawn array by array outside any program.

As a program, initialisation is one small computation for each of some hundred arrays, and takes longer to
compile than a training step. Here Haiku is only asked which arrays it wants, and numpy draws them.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

Params = Any
"""Nested dictionaries: module path -> parameter name -> array."""

NumpyInitializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""(source of random numbers, shape) -> values."""


@dataclasses.dataclass(frozen=True)
class ParameterSpec:
    """A parameter that is to be made.

    Attributes:
      shape: of it.
      dtype: of it.
      initializer: how its values are drawn; None if only its initialiser knows.
    """

    shape: tuple[int, ...]
    dtype: Any
    initializer: NumpyInitializer | None


def find_parameter_specs(forward: Callable[[], Any]) -> dict[str, ParameterSpec]:
    """The parameters that a function asks for inside a Haiku transform, by full name; nothing is computed."""
    wanted: dict[str, ParameterSpec] = {}

    def note(next_creator: Any, shape: Any, dtype: Any, init: Any, context: Any) -> jax.Array:
        del next_creator
        wanted[context.full_name] = ParameterSpec(tuple(shape), dtype, to_numpy_initializer(init))
        return jnp.zeros(shape, dtype)

    jax.eval_shape(lambda: _transformed(forward, note).init(jax.random.key(0)))
    return wanted


def draw_params(
    wanted: Mapping[str, ParameterSpec], forward: Callable[[], Any], key: jax.Array
) -> dict[str, jax.Array]:
    """Initial parameters by full name.

    Each depends on the key and its own name alone: what tasks share begins alike, whatever tasks there are.
    Under `jit` and `vmap` the values are the same.

    Args:
      wanted: some of `find_parameter_specs(forward)`.
      forward: the function that asks for them.
      key: random key.
    """
    by_recipe = {name: one for name, one in wanted.items() if one.initializer}

    def draw(words: Any) -> dict[str, np.ndarray]:
        return {name: _values(one, name, np.asarray(words)) for name, one in by_recipe.items()}

    words = jax.random.key_data(key)
    if isinstance(words, Tracer):
        shapes = {name: jax.ShapeDtypeStruct(one.shape, one.dtype) for name, one in by_recipe.items()}
        values = jax.pure_callback(draw, shapes, words, vmap_method="sequential")
    else:
        values = jax.device_put(draw(words))
    return values | _by_their_initializers([name for name in wanted if name not in by_recipe], forward, key)


def nest_params(values: Mapping[str, jax.Array]) -> Params:
    """Arrays by full name as the parameters of Haiku."""
    params: dict[str, dict[str, jax.Array]] = {}
    for name in sorted(values):
        module, _, own_name = name.rpartition("/")
        params.setdefault(module, {})[own_name] = values[name]
    return params


def to_numpy_initializer(init: Any) -> NumpyInitializer | None:
    """How numpy draws what an initialiser stands for; None if that is not known."""
    if init is jnp.zeros:
        return lambda source, shape: np.zeros(shape)
    if init is jnp.ones:
        return lambda source, shape: np.ones(shape)
    if type(init) is hk.initializers.Constant and _are_numbers(init.constant):
        constant: Any = init.constant
        return lambda source, shape: np.full(shape, constant)
    if type(init) is hk.initializers.TruncatedNormal:
        mean, deviation, *bounds = numbers = init.mean, init.stddev, init.lower, init.upper
        if _are_numbers(*numbers):
            return lambda source, shape: np.add(mean, deviation * truncated_normal(source, shape, *bounds))
    return None


def truncated_normal(
    source: np.random.Generator, shape: tuple[int, ...], lower: Any, upper: Any
) -> np.ndarray:
    """Normal variates of mean 0 and deviation 1; those outside the bounds are drawn again."""
    values = source.standard_normal(shape)
    while (outside := (values < lower) | (values > upper)).any():
        values[outside] = source.standard_normal(np.count_nonzero(outside))
    return values


def _number(name: str) -> int:
    return zlib.crc32(name.encode())


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float | np.number) for value in values)


def _values(one: ParameterSpec, name: str, words: np.ndarray) -> np.ndarray:
    assert one.initializer
    source = np.random.default_rng([*words.tolist(), _number(name)])
    return np.asarray(one.initializer(source, one.shape), one.dtype)


def _by_their_initializers(
    names: list[str], forward: Callable[[], Any], key: jax.Array
) -> dict[str, jax.Array]:
    """The arrays of these names, as a program."""

    def program(key: jax.Array) -> dict[str, jax.Array]:
        def make(next_creator: Any, shape: Any, dtype: Any, init: Any, context: Any) -> jax.Array:
            if context.full_name not in names:
                return jnp.zeros(shape, dtype)
            with hk.with_rng(jax.random.fold_in(key, _number(context.full_name))):
                return next_creator(shape, dtype, init)

        params = _transformed(forward, make).init(key)
        made = {f"{module}/{name}": array for module, name, array in hk.data_structures.traverse(params)}
        return {name: made[name] for name in names}

    return jax.jit(program)(key) if names else {}


def _transformed(forward: Callable[[], Any], creator: Callable[..., jax.Array]) -> hk.Transformed:
    """The function, with its parameters made by a creator of Haiku."""

    def run() -> None:
        with hk.custom_creator(creator):
            forward()

    return hk.transform(run)
