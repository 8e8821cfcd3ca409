"""Parameter initialization with numpy.

A jitted `init` consists of one small computation for each of a hundred or so arrays, and takes longer to
compile than a training step. Here Haiku only provides the parameter specs, and numpy draws the values.
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

from nar.processors.layers.float32_parameters import float32_parameters

Params = Any
"""Nested dictionaries of arrays: task or `processor` -> module -> parameter name -> array.

Those of a language model, and of a Haiku transform: module -> parameter name -> array."""

NumpyInitializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
"""(random generator, shape) -> values."""


@dataclasses.dataclass(frozen=True)
class ParameterSpec:
    """Specification of a parameter.

    Attributes:
      shape: shape of the array.
      dtype: dtype of the array.
      initializer: equivalent of its Haiku initializer in numpy; None if there is none.
    """

    shape: tuple[int, ...]
    dtype: Any
    initializer: NumpyInitializer | None


def find_parameter_specs(forward: Callable[[], Any]) -> dict[str, ParameterSpec]:
    """Specs of the parameters that a function uses inside a Haiku transform, by full name.

    The function is only traced.
    """
    specs: dict[str, ParameterSpec] = {}

    def record(next_creator: Any, shape: Any, dtype: Any, init: Any, context: Any) -> jax.Array:
        del next_creator
        specs[context.full_name] = ParameterSpec(tuple(shape), dtype, to_numpy_initializer(init))
        return jnp.zeros(shape, dtype)

    jax.eval_shape(lambda: _transformed(forward, record).init(jax.random.key(0)))
    return specs


def draw_params(
    specs: Mapping[str, ParameterSpec], forward: Callable[[], Any], key: jax.Array
) -> dict[str, jax.Array]:
    """Draws initial parameters by full name.

    Each depends only on the key and its own name: shared parameters have the same initial values for any set
    of tasks. Values under `jit` and `vmap` are the same as outside.

    Args:
      specs: a subset of `find_parameter_specs(forward)`.
      forward: function that uses the parameters.
      key: random key.
    """
    by_numpy = {name: spec for name, spec in specs.items() if spec.initializer}

    def draw(words: Any) -> dict[str, np.ndarray]:
        return {name: _draw(spec, name, np.asarray(words)) for name, spec in by_numpy.items()}

    words = jax.random.key_data(key)
    if isinstance(words, Tracer):
        shapes = {name: jax.ShapeDtypeStruct(spec.shape, spec.dtype) for name, spec in by_numpy.items()}
        values = jax.pure_callback(draw, shapes, words, vmap_method="sequential")
    else:
        values = jax.device_put(draw(words))
    return values | _draw_by_haiku([name for name in specs if name not in by_numpy], forward, key)


def nest_params(values: Mapping[str, jax.Array]) -> Params:
    """Converts arrays by full name to the nested parameters of Haiku."""
    params: dict[str, dict[str, jax.Array]] = {}
    for name in sorted(values):
        module, _, parameter = name.rpartition("/")
        params.setdefault(module, {})[parameter] = values[name]
    return params


def to_numpy_initializer(init: Any) -> NumpyInitializer | None:
    """The numpy equivalent of a Haiku initializer; None if it is not one of the known ones."""
    if init is jnp.zeros:
        return lambda random, shape: np.zeros(shape)
    if init is jnp.ones:
        return lambda random, shape: np.ones(shape)
    if type(init) is hk.initializers.Constant and _are_numbers(init.constant):
        constant: Any = init.constant
        return lambda random, shape: np.full(shape, constant)
    if type(init) is hk.initializers.TruncatedNormal:
        mean, deviation, *bounds = numbers = init.mean, init.stddev, init.lower, init.upper
        if _are_numbers(*numbers):
            return lambda random, shape: np.add(mean, deviation * truncated_normal(random, shape, *bounds))
    return None


def truncated_normal(
    random: np.random.Generator, shape: tuple[int, ...], lower: Any, upper: Any
) -> np.ndarray:
    """Standard normal variates, redrawn while outside of the bounds."""
    values = random.standard_normal(shape)
    while (outside := (values < lower) | (values > upper)).any():
        values[outside] = random.standard_normal(np.count_nonzero(outside))
    return values


def _hash(name: str) -> int:
    return zlib.crc32(name.encode())


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float | np.number) for value in values)


def _draw(spec: ParameterSpec, name: str, words: np.ndarray) -> np.ndarray:
    assert spec.initializer
    random = np.random.default_rng([*words.tolist(), _hash(name)])
    return np.asarray(spec.initializer(random, spec.shape), spec.dtype)


def _draw_by_haiku(names: list[str], forward: Callable[[], Any], key: jax.Array) -> dict[str, jax.Array]:
    """Draws the named parameters by their Haiku initializers, in a jitted function."""

    def draw(key: jax.Array) -> dict[str, jax.Array]:
        def make(next_creator: Any, shape: Any, dtype: Any, init: Any, context: Any) -> jax.Array:
            if context.full_name not in names:
                return jnp.zeros(shape, dtype)
            with hk.with_rng(jax.random.fold_in(key, _hash(context.full_name))):
                return next_creator(shape, dtype, init)

        params = _transformed(forward, make).init(key)
        arrays = {f"{module}/{name}": array for module, name, array in hk.data_structures.traverse(params)}
        return {name: arrays[name] for name in names}

    return jax.jit(draw)(key) if names else {}


def _transformed(forward: Callable[[], Any], creator: Callable[..., jax.Array]) -> hk.Transformed:
    """Transforms a function whose parameters are made by a Haiku creator, in at least float32."""

    def run() -> None:
        with float32_parameters(), hk.custom_creator(creator):
            forward()

    return hk.transform(run)
