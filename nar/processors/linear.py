"""Linear maps of one or several inputs, dense or factored."""

import functools
import operator
from collections.abc import Sequence

import haiku as hk
import jax

from nar.processors.contract import Array, FactoredFeatures, add_offset


class Linear(hk.Module):
    """`concatenate(inputs) @ w + b`, without the concatenation.

    Parameters and their initialisation are those of `hk.Linear`: w [F, H] truncated normal with standard
    deviation 1/sqrt(F), b [H] zero. Inputs may be `FactoredFeatures`.
    """

    def __init__(
        self,
        size: int,
        *,
        bias: float = 0.0,
        w_init: hk.initializers.Initializer | None = None,
        name: str,
    ) -> None:
        """Makes the map to `size` features, its offset starting at `bias`."""
        super().__init__(name=name)
        self._size = size
        self._bias = bias
        self._w_init = w_init

    def __call__(self, *inputs: Array | FactoredFeatures) -> Array:
        """Maps inputs [..., F_k], alike but for the last axis, to [..., size]."""
        w, b = self.parameters(inputs)
        return linear(inputs, w, b)

    def parameters(self, inputs: Sequence[Array | FactoredFeatures]) -> tuple[Array, Array]:
        """w [sum of F_k, size] and b [size]."""
        num_features = sum(x.shape[-1] for x in inputs)
        initial = self._w_init or hk.initializers.TruncatedNormal(1.0 / num_features**0.5)
        w = hk.get_parameter("w", [num_features, self._size], init=initial)
        b = hk.get_parameter("b", [self._size], init=hk.initializers.Constant(self._bias))
        return w, b


def linear(inputs: Sequence[Array | FactoredFeatures], w: Array, b: Array) -> Array:
    """`concatenate(inputs) @ w + b` for inputs [..., F_k], w [sum of F_k, H] and b [H]."""
    offset = b
    products = []
    start = 0
    for x in inputs:
        rows = jax.lax.slice_in_dim(w, start, start + x.shape[-1])
        start += x.shape[-1]
        if isinstance(x, FactoredFeatures):
            offset = offset + x.bias @ rows
            products.append(x.values @ (x.vectors @ rows))
        else:
            products.append(x @ rows)
    return add_offset(functools.reduce(operator.add, products), offset)
