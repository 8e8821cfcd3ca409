"""Linear maps of one or several inputs, dense or factored."""

import functools
import operator
from collections.abc import Callable, Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors.base import Array, FactoredFeatures, add_bias


class Linear(hk.Module):
    """Linear map of several inputs, `concatenate(inputs) @ w + b`, without the concatenation.

    Parameters and their initialization are those of `hk.Linear`: w [F, H] truncated normal with standard
    deviation 1/sqrt(F), b [H] zero, both float32. Inputs may be `FactoredFeatures`; the result has the dtype
    of the inputs.
    """

    def __init__(
        self,
        size: int,
        *,
        bias: float | None = 0.0,
        w_init: hk.initializers.Initializer | None = None,
        name: str,
    ) -> None:
        """Creates a map to `size` features; `bias` is the initial value of b, or None for no bias."""
        super().__init__(name=name)
        self._size = size
        self._bias = bias
        self._w_init = w_init

    def __call__(self, *inputs: Array | FactoredFeatures) -> Array:
        """Maps inputs [..., F_k], with the same leading axes, to [..., size]."""
        w, b = self.parameters(inputs)
        return linear(inputs, w, b)

    def in_float32(self, *inputs: Array | FactoredFeatures) -> Array:
        """Applies the same map, but accumulates products of bfloat16 inputs in float32, without rounding."""
        w, b = self.parameters(inputs)
        return linear(inputs, w, b, product=matmul_in_float32)

    def parameters(self, inputs: Sequence[Array | FactoredFeatures]) -> tuple[Array, Array]:
        """Parameters w [sum of F_k, size] and b [size]; b is constant zero for `bias=None`."""
        num_features = sum(x.shape[-1] for x in inputs)
        initial = self._w_init or hk.initializers.TruncatedNormal(1.0 / num_features**0.5)
        w = hk.get_parameter("w", [num_features, self._size], init=initial)
        if self._bias is None:
            return w, jnp.zeros([self._size], w.dtype)
        return w, hk.get_parameter("b", [self._size], init=hk.initializers.Constant(self._bias))


def linear(
    inputs: Sequence[Array | FactoredFeatures],
    w: Array,
    b: Array,
    product: Callable[[Array, Array], Array] = operator.matmul,
) -> Array:
    """`concatenate(inputs) @ w + b`, in the dtype of inputs [..., F_k], for w [sum of F_k, H] and b [H].

    Inputs are reshaped to matrices first: for the gradient of a product with more axes, XLA on CPU transposes
    the inputs, which takes longer than the product itself.
    """
    dtype = jnp.result_type(*(x.dtype for x in inputs))
    w, b = w.astype(dtype), b.astype(dtype)
    bias = b
    products = []
    start = 0
    for x in inputs:
        rows = jax.lax.slice_in_dim(w, start, start + x.shape[-1])
        start += x.shape[-1]
        if isinstance(x, FactoredFeatures):
            bias = bias + x.bias.astype(dtype) @ rows
            products.append(product(as_matrix(x.values), x.vectors.astype(dtype) @ rows))
        else:
            products.append(product(as_matrix(x), rows))
    mapped = add_bias(functools.reduce(operator.add, products), bias)
    return mapped.reshape(*inputs[0].shape[:-1], -1)


def as_matrix(x: Array) -> Array:
    """Reshapes [..., F] to [rows, F]."""
    return x.reshape(-1, x.shape[-1])


def matmul_in_float32(x: Array, w: Array) -> Array:
    """x [..., F] @ w [F, H], in float32 if x is bfloat16; gradients are computed in the dtype of x."""
    return _float32_product(x, w) if x.dtype == jnp.bfloat16 else x @ w


@jax.custom_vjp
def _float32_product(x: Array, w: Array) -> Array:
    return jnp.matmul(x, w, preferred_element_type=jnp.float32)


def _float32_product_forward(x: Array, w: Array) -> tuple[Array, tuple[Array, Array]]:
    return _float32_product(x, w), (x, w)


def _float32_product_backward(factors: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    _, vjp = jax.vjp(jnp.matmul, *factors)
    return vjp(gradient.astype(factors[0].dtype))


_float32_product.defvjp(_float32_product_forward, _float32_product_backward)
