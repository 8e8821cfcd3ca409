"""Linear maps of one or several inputs, dense or factored."""

import functools
import operator
from collections.abc import Callable, Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, FactoredFeatures, add_bias


class Linear(hk.Module):
    """`concatenate(inputs) @ w + b`, without the concatenation.

    Parameters and their initialisation are those of `hk.Linear`: w [F, H] truncated normal with standard
    deviation 1/sqrt(F), b [H] zero, both float32. Inputs may be `FactoredFeatures`; what is computed has
    their type.
    """

    def __init__(
        self,
        size: int,
        *,
        bias: float | None = 0.0,
        w_init: hk.initializers.Initializer | None = None,
        name: str,
    ) -> None:
        """Makes the map to `size` features, its offset starting at `bias`, or without one if that is None."""
        super().__init__(name=name)
        self._size = size
        self._bias = bias
        self._w_init = w_init

    def __call__(self, *inputs: Array | FactoredFeatures) -> Array:
        """Maps inputs [..., F_k], alike but for the last axis, to [..., size]."""
        w, b = self.parameters(inputs)
        return linear(inputs, w, b)

    def in_float32(self, *inputs: Array | FactoredFeatures) -> Array:
        """The same, but of inputs in bfloat16 the sums are in float32, and not rounded."""
        w, b = self.parameters(inputs)
        return linear(inputs, w, b, product=wide_product)

    def parameters(self, inputs: Sequence[Array | FactoredFeatures]) -> tuple[Array, Array]:
        """w [sum of F_k, size] and b [size]; b is 0 and no parameter if there is to be no offset."""
        num_features = sum(x.shape[-1] for x in inputs)
        initial = self._w_init or hk.initializers.TruncatedNormal(1.0 / num_features**0.5)
        w = hk.get_parameter("w", [num_features, self._size], init=initial)
        if self._bias is None:
            return w, jnp.zeros([self._size])
        return w, hk.get_parameter("b", [self._size], init=hk.initializers.Constant(self._bias))


def linear(
    inputs: Sequence[Array | FactoredFeatures],
    w: Array,
    b: Array,
    product: Callable[[Array, Array], Array] = operator.matmul,
) -> Array:
    """`concatenate(inputs) @ w + b`, in the type of inputs [..., F_k], for w [sum of F_k, H] and b [H].

    Products are of matrices, whatever the shape of the inputs: the gradient of a product with more axes makes
    the compiler for CPUs turn the inputs around first, which takes longer than the product.
    """
    dtype = jnp.result_type(*(x.dtype for x in inputs))
    w, b = w.astype(dtype), b.astype(dtype)
    offset = b
    products = []
    start = 0
    for x in inputs:
        rows = jax.lax.slice_in_dim(w, start, start + x.shape[-1])
        start += x.shape[-1]
        if isinstance(x, FactoredFeatures):
            offset = offset + x.bias.astype(dtype) @ rows
            products.append(product(as_matrix(x.values), x.vectors.astype(dtype) @ rows))
        else:
            products.append(product(as_matrix(x), rows))
    mapped = add_bias(functools.reduce(operator.add, products), offset)
    return mapped.reshape(*inputs[0].shape[:-1], -1)


def as_matrix(x: Array) -> Array:
    """[rows, F] from [..., F]."""
    return x.reshape(-1, x.shape[-1])


def wide_product(x: Array, w: Array) -> Array:
    """x [..., F] @ w [F, H], in float32 if x is bfloat16; its gradients are computed in the type of x."""
    return _widened(x, w) if x.dtype == jnp.bfloat16 else x @ w


@jax.custom_vjp
def _widened(x: Array, w: Array) -> Array:
    return jnp.matmul(x, w, preferred_element_type=jnp.float32)


def _product_and_factors(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return _widened(x, w), (x, w)


def _gradients(factors: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    _, of_factors = jax.vjp(jnp.matmul, *factors)
    return of_factors(gradient.astype(factors[0].dtype))


_widened.defvjp(_product_and_factors, _gradients)
