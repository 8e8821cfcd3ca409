"""Checks of the contract of all processors, with as few compiled programs as possible.

Each processor has three programs: `unpadded`, `padded`, and `unpadded` in bfloat16. All tests share them and
differ only in their inputs.
"""

import functools
from collections.abc import Callable
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.model.init import draw_params, find_parameter_specs, nest_params
from nar.processors import Context, Features, Processor, ProcessorOutput
from nar.processors.base import FactoredFeatures

BATCH, NODES, SIZE, HIDDEN, CHANNELS = 2, 5, 6, 8, 3


# ---------------------------------------------------------------------------------------------------
# Numpy inputs


def random_features(seed: int = 0, num_nodes: int = NODES) -> tuple[Features, np.ndarray]:
    """Random features with factored edges, and hidden states."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    adjacency = (random.random((BATCH, num_nodes, num_nodes)) < 0.5) | np.eye(num_nodes, dtype=bool)
    edges: Any = FactoredFeatures(
        normal(BATCH, num_nodes, num_nodes, CHANNELS), normal(CHANNELS, SIZE), normal(SIZE)
    )
    nodes, graph = normal(BATCH, num_nodes, SIZE), normal(BATCH, SIZE)
    return Features(nodes, edges, graph, adjacency), normal(BATCH, num_nodes, HIDDEN)


def with_dense_edges(features: Features) -> Features:
    """Converts factored edges to one array."""
    factored = features.edges
    return features._replace(edges=factored.values @ factored.vectors + factored.bias)


def dense_features(seed: int = 0) -> tuple[Features, np.ndarray]:
    """The features of `random_features` with edges as one array, and hidden states."""
    features, hidden = random_features(seed)
    return with_dense_edges(features), hidden


def cast_floating(dtype: Any, tree: Any) -> Any:
    """Casts all arrays but masks to another dtype."""
    return jax.tree.map(lambda leaf: leaf if leaf.dtype == bool else leaf.astype(dtype), tree)


def padded(features: Features, hidden: np.ndarray, more: int, garbage: float) -> tuple[Features, np.ndarray]:
    """Adds `more` isolated padding nodes filled with garbage."""

    def fill(value: np.ndarray, axes: int) -> np.ndarray:
        width = [(0, 0), *[(0, more)] * axes] + [(0, 0)] * (value.ndim - 1 - axes)
        return np.pad(value, width, constant_values=garbage)

    num_nodes = features.nodes.shape[1]
    adjacency = np.zeros((BATCH, num_nodes + more, num_nodes + more), bool)
    adjacency[:, :num_nodes, :num_nodes] = features.adjacency
    adjacency |= np.eye(num_nodes + more, dtype=bool)
    edges = features.edges
    new = Features(
        nodes=fill(features.nodes, 1),
        edges=FactoredFeatures(fill(edges.values, 2), edges.vectors, edges.bias),
        graph=features.graph,
        adjacency=adjacency,
        mask=np.tile(np.arange(num_nodes + more) < num_nodes, (BATCH, 1)),
    )
    return new, fill(hidden, 1)


# ---------------------------------------------------------------------------------------------------
# Programs


def initial_params(function: Callable[..., Any], *arguments: Any) -> Any:
    """Initial parameters of a function that uses Haiku modules, without compilation."""

    def forward() -> Any:
        return function(*arguments)

    return jax.tree.map(
        np.asarray, nest_params(draw_params(find_parameter_specs(forward), forward, jax.random.key(0)))
    )


def transformed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Any]:
    """Initial parameters and result of a function that uses Haiku modules."""
    params = initial_params(function, *arguments)
    return params, jax.jit(hk.without_apply_rng(hk.transform(function)).apply)(params, *arguments)


class Compiled:
    """A compiled processor with perturbed parameters, none of them at an initial 0 or 1.

    Attributes:
      params: its parameters.
      unpadded: `(params, features, hidden) -> ProcessorOutput`, without memory and context, as in the
        docstring of `nar.processors`.
      padded: `(params, features, hidden) -> (ProcessorOutput, gradients)` for features with a mask, with
        memory and context. The gradients with respect to parameters, node features and hidden states are
        those of a function of the first `NODES` nodes.
    """

    def __init__(self, make: Callable[[], Processor]) -> None:
        def forward(features: Features, hidden: jax.Array) -> ProcessorOutput:
            return make()(features, hidden)

        def forward_with_memory(features: Features, hidden: jax.Array) -> ProcessorOutput:
            processor = make()
            memory = processor.initial_memory(*hidden.shape[:2])
            return processor(features, hidden, memory, Context())

        def padded(params: Any, features: Features, hidden: jax.Array) -> Any:
            apply = hk.without_apply_rng(hk.transform(forward_with_memory)).apply

            def objective(params: Any, nodes: jax.Array, hidden: jax.Array) -> Any:
                processed = apply(params, features._replace(nodes=nodes), hidden)
                edges = 0.0 if processed.edges is None else processed.edges[:, :NODES, :NODES]
                return (processed.nodes[:, :NODES] ** 2).sum() + jnp.sum(edges**2), processed

            gradients, processed = jax.grad(objective, argnums=(0, 1, 2), has_aux=True)(
                params, features.nodes, hidden
            )
            return processed, gradients

        random = np.random.default_rng(0)
        self.params = jax.tree.map(
            lambda leaf: leaf + 0.1 * random.standard_normal(leaf.shape).astype(np.float32),
            initial_params(forward, *dense_features()),
        )
        self.unpadded = jax.jit(hk.without_apply_rng(hk.transform(forward)).apply)
        self.padded = jax.jit(padded)

    def __call__(self, features: Features, hidden: Any) -> ProcessorOutput:
        """Applies the processor to features with dense edges and without padding."""
        return self.unpadded(self.params, features, hidden)


# ---------------------------------------------------------------------------------------------------
# Checks


def assert_close(first: Any, second: Any, tolerance: float = 1e-5) -> None:
    """Raises AssertionError unless all leaves are nearly equal."""
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance), first, second)


def _apply_unless_none(function: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else function(np.asarray(value))


def assert_permutation_equivariant(call: Callable[..., ProcessorOutput]) -> None:
    """Raises AssertionError unless a permutation of the nodes permutes the output and nothing else."""
    features, hidden = dense_features()
    order = np.array([3, 1, 4, 0, 2])

    def nodes(value: Any) -> Any:
        return value[:, order]

    def pairs(value: Any) -> Any:
        return value[:, order][:, :, order]

    permuted = features._replace(
        nodes=nodes(features.nodes), edges=pairs(features.edges), adjacency=pairs(features.adjacency)
    )
    before, after = call(features, hidden), call(permuted, nodes(hidden))
    assert_close(after.nodes, nodes(np.asarray(before.nodes)))
    assert_close(after.messages, _apply_unless_none(nodes, before.messages))
    assert_close(after.edges, _apply_unless_none(pairs, before.edges))
    assert_close(after.graph, before.graph)
    assert_close(after.pointer_mask, _apply_unless_none(pairs, before.pointer_mask))
    assert_close(after.losses, before.losses)


def assert_invariant_to_padding_and_edge_format(processor: Compiled, garbage: float) -> None:
    """Raises AssertionError if padding, factored edges, zero memory or a context change the output."""
    before = processor(*dense_features())
    after, _ = processor.padded(processor.params, *padded(*random_features(), 2, garbage))
    assert_close(after.nodes[:, :NODES], before.nodes)
    assert_close(_apply_unless_none(lambda value: value[:, :NODES], after.messages), before.messages)
    assert_close(_apply_unless_none(lambda value: value[:, :NODES, :NODES], after.edges), before.edges)
    assert_close(after.graph, before.graph)
    assert_close(after.losses, before.losses)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(after))


def assert_every_parameter_has_gradient(processor: Compiled) -> None:
    """Raises AssertionError if the gradient of any parameter is zero or not finite."""
    _, gradients = processor.padded(processor.params, *padded(*random_features(), 2, 1.0))
    for module, leaves in gradients[0].items():
        for leaf, gradient in leaves.items():
            assert np.isfinite(gradient).all()
            # Softmax is invariant to a bias added to all logits: its gradient is zero up to rounding.
            is_logit_bias = leaf == "b" and "/head_" in module
            assert is_logit_bias or np.abs(gradient).max() > 0, (module, leaf)


def to_bfloat16(features: Features, hidden: np.ndarray) -> Any:
    """Casts features and states to bfloat16, except the vectors of factored edges, which are parameters."""
    half, half_hidden = cast_floating(jnp.bfloat16, (features, hidden))
    if isinstance(features.edges, FactoredFeatures):
        edges: Any = FactoredFeatures(half.edges.values, features.edges.vectors, features.edges.bias)
        half = half._replace(edges=edges)
    return half, half_hidden


def assert_bfloat16_close_to_float32(processor: Compiled, features: Features, hidden: np.ndarray) -> None:
    """Raises AssertionError unless bfloat16 inputs have bfloat16 outputs close to those in float32."""
    half = to_bfloat16(features, hidden)
    rounded = cast_floating(np.float32, half)
    if isinstance(features.edges, FactoredFeatures):
        rounded = with_dense_edges(rounded[0]), rounded[1]
    expected, output = processor(*rounded), processor(*half)
    for leaf, expected_leaf in zip(jax.tree.leaves(output), jax.tree.leaves(expected), strict=True):
        if expected_leaf.dtype == bool:
            continue
        assert (leaf.dtype, expected_leaf.dtype) == (jnp.bfloat16, jnp.float32)
        leaf = np.asarray(leaf, np.float32)
        assert np.isfinite(leaf).all()
        assert np.abs(leaf - expected_leaf).max() < 0.1 * np.abs(expected_leaf).max()
