"""Checks of the values that a processor computes, and of their gradients."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import Features, ProcessorOutput
from nar.processors.input_checks import describe
from nar.processors.validation.inputs import (
    BATCH,
    NODES,
    padded,
    random_inputs,
    to_numpy,
    with_dense_edges,
)
from nar.processors.validation.subject import Subject, attempt, require

_TOLERANCE = 1e-4
"""Largest difference between values that must be equal, relative to the largest value."""

_STEP = np.zeros((), np.int32)
_ORDER = np.array([3, 1, 4, 0, 2])


class _Computed(NamedTuple):
    """A processor with parameters, and its output for the same inputs in all comparisons."""

    subject: Subject
    call: Callable[[Features, Any], ProcessorOutput]
    features: Features
    hidden: Any
    output: ProcessorOutput


def check_values(subject: Subject, permutation_equivariant: bool, bfloat16: bool) -> None:
    """Checks that values are finite, and the same where the inputs differ in what must not matter."""
    factored, hidden = random_inputs(BATCH, NODES, subject.size)
    features = with_dense_edges(factored)
    params = _random_params(subject, features, hidden)
    call = _caller(subject, params)
    computed = _Computed(subject, call, features, hidden, call(features, hidden))
    _compare(
        f"{subject.name}: the same inputs must have the same results whenever the processor is traced; "
        "what it keeps between calls belongs in memory",
        _caller(subject, params)(features, hidden),
        computed.output,
    )
    _check_independent_graphs(computed)
    if permutation_equivariant:
        _check_permutation(computed)
    _check_padding(computed)
    if subject.accepts_factored():
        _compare(
            f"{subject.name} has accepts_factored: factored and dense edges must have the same results",
            call(factored, hidden),
            computed.output,
        )
    if bfloat16:
        call(*to_numpy(jnp.bfloat16, (features, hidden)))
    _check_gradients(subject, params, *padded(features, hidden))


def _random_params(subject: Subject, features: Features, hidden: Any) -> Any:
    """Initial parameters, perturbed so that none is 0 or 1."""
    memory = to_numpy(np.float32, subject.initial_memory(BATCH, NODES))
    init = jax.jit(subject.step().init)
    where = f"{subject.name}, initial parameters"
    params = attempt(where, init, jax.random.key(0), features, hidden, memory, _STEP)
    random = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: np.asarray(leaf) + 0.1 * random.standard_normal(leaf.shape, np.float32), params
    )


def _caller(subject: Subject, params: Any) -> Callable[[Features, Any], ProcessorOutput]:
    """The compiled processor, which takes features and hidden states."""
    apply = jax.jit(subject.step().apply)

    def call(features: Features, hidden: Any) -> ProcessorOutput:
        where = f"{subject.name}, given nodes {describe(features.nodes)}"
        memory = to_numpy(hidden.dtype, subject.initial_memory(*hidden.shape[:2]))
        output = attempt(where, apply, params, None, features, hidden, memory, _STEP)
        output = jax.tree.map(np.asarray, output)
        _check_finite(f"{where}: the output", output)
        return output

    return call


# ---------------------------------------------------------------------------------------------------
# Comparisons


def _check_independent_graphs(computed: _Computed) -> None:
    others, other_hidden = random_inputs(BATCH, NODES, computed.subject.size, seed=1)
    mixed = jax.tree.map(
        lambda one, other: np.stack([one[0], other[1]]),
        (computed.features, computed.hidden),
        (with_dense_edges(others), other_hidden),
    )
    _compare(
        f"{computed.subject.name}: results must not depend on the other graphs of the batch",
        jax.tree.map(lambda leaf: leaf[0], computed.call(*mixed)),
        jax.tree.map(lambda leaf: leaf[0], computed.output),
    )


def _check_permutation(computed: _Computed) -> None:
    features, output = computed.features, computed.output
    permuted = features._replace(
        nodes=_permuted(features.nodes, 1),
        edges=_permuted(features.edges, 2),
        adjacency=_permuted(features.adjacency, 2),
    )
    expected = output._replace(
        nodes=_permuted(output.nodes, 1),
        messages=_permuted(output.messages, 1),
        edges=_permuted(output.edges, 2),
        pointer_mask=_permuted(output.pointer_mask, 2),
        memory=(),
    )
    _compare(
        f"{computed.subject.name} must be permutation-equivariant: nodes in another order must have the same "
        "results, in that order (if it is not meant to be, give permutation_equivariant=False)",
        computed.call(permuted, _permuted(computed.hidden, 1))._replace(memory=()),
        expected,
    )


def _permuted(value: Any, axes: int) -> Any:
    """Nodes in another order, along the first axes after that of the batch."""
    if value is None:
        return None
    return value[:, _ORDER] if axes == 1 else value[:, _ORDER][:, :, _ORDER]


def _check_padding(computed: _Computed) -> None:
    what = "padding nodes, where features.mask is False, must not change the results of others"
    with_padding = computed.call(*padded(computed.features, computed.hidden))
    _compare(f"{computed.subject.name}: {what}", _real_nodes(with_padding), _real_nodes(computed.output))


def _real_nodes(output: ProcessorOutput) -> ProcessorOutput:
    """The output without padding nodes and memory, whose axes are those of the processor."""

    def first(value: Any) -> Any:
        return None if value is None else value[:, :NODES]

    def first_pairs(value: Any) -> Any:
        return None if value is None else value[:, :NODES, :NODES]

    return output._replace(
        nodes=first(output.nodes),
        messages=first(output.messages),
        edges=first_pairs(output.edges),
        pointer_mask=first_pairs(output.pointer_mask),
        memory=(),
    )


def _compare(what: str, actual: Any, expected: Any) -> None:
    values = dict(jax.tree_util.tree_leaves_with_path(to_numpy(np.float64, actual)))
    for path, leaf in jax.tree_util.tree_leaves_with_path(to_numpy(np.float64, expected)):
        difference = np.abs(values[path] * 1.0 - leaf).max(initial=0)
        largest = max(1.0, np.abs(leaf * 1.0).max(initial=0))
        where = jax.tree_util.keystr(path)
        require(
            difference <= _TOLERANCE * largest,
            f"{what}; {where} differs by {difference:.2g} of {largest:.2g}",
        )


# ---------------------------------------------------------------------------------------------------
# Finiteness


def _check_finite(what: str, tree: Any) -> None:
    for path, leaf in jax.tree_util.tree_leaves_with_path(to_numpy(np.float64, tree)):
        count = int((~np.isfinite(leaf)).sum())
        where = jax.tree_util.keystr(path)
        require(not count, f"{what} must be finite; {count} of {leaf.size} values of {where} are not")


def _check_gradients(subject: Subject, params: Any, features: Features, hidden: Any) -> None:
    memory = to_numpy(np.float32, subject.initial_memory(*hidden.shape[:2]))
    step = subject.step(is_training=True)

    def objective(params: Any, nodes: Any, hidden: Any) -> Any:
        inputs = features._replace(nodes=nodes)
        output = _real_nodes(step.apply(params, jax.random.key(0), inputs, hidden, memory, _STEP))
        floating = [leaf for leaf in jax.tree.leaves(output) if jnp.issubdtype(leaf.dtype, jnp.floating)]
        return sum(jnp.square(leaf).sum() for leaf in floating)

    where = f"{subject.name}, given nodes {describe(features.nodes)} in training"
    gradient = jax.jit(jax.grad(objective, argnums=(0, 1, 2)))
    gradients = attempt(f"{where}: gradient", gradient, params, features.nodes, hidden)
    names = ("parameters", "features.nodes", "hidden")
    _check_finite(f"{where}: gradients", dict(zip(names, gradients, strict=True)))
