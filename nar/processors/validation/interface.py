"""Checks of shapes and dtypes, in which nothing is computed."""

import functools
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import Features, cast_floating
from nar.processors.input_checks import describe
from nar.processors.output_checks import check_output
from nar.processors.validation.inputs import random_inputs, with_dense_edges
from nar.processors.validation.subject import Subject, attempt, reason, require


def check_interface(subject: Subject, batch_size: int, num_nodes: int, dtype: Any) -> None:
    """Checks shapes and dtypes of parameters, output and memory, without computing anything."""
    features, hidden = random_inputs(batch_size, num_nodes, subject.size, dtype)
    features = with_dense_edges(features)
    where = f"{subject.name}, given nodes {describe(features.nodes)}"
    memory = _check_initial_memory(subject, batch_size, num_nodes)
    memory = jax.eval_shape(functools.partial(cast_floating, dtype), memory)
    arguments = (features, hidden, memory)
    key, step = jax.random.key(0), np.zeros((), np.int32)
    evaluation, training = subject.step(), subject.step(is_training=True)
    params = attempt(where, jax.eval_shape, evaluation.init, key, *arguments, step)
    _check_params(where, subject, params)
    _check_needs_no_key(where, evaluation, params, *arguments, step)
    runs = {
        where: (evaluation, None, step),
        f"{where} in training": (training, key, step),
        f"{where} and context.step of shape ({batch_size},), as in chunked training": (
            training,
            key,
            np.zeros(batch_size, np.int32),
        ),
    }
    for place, (transformed, its_key, its_step) in runs.items():
        output = attempt(place, jax.eval_shape, transformed.apply, params, its_key, *arguments, its_step)
        _check_output(place, output, arguments)


def _check_initial_memory(subject: Subject, batch_size: int, num_nodes: int) -> Any:
    where = f"{subject.name}.initial_memory({batch_size}, {num_nodes})"
    memory = attempt(where, jax.eval_shape, lambda: subject.initial_memory(batch_size, num_nodes))
    for leaf in jax.tree.leaves(memory):
        valid = leaf.shape[:1] == (batch_size,) and leaf.dtype not in (jnp.float16, jnp.bfloat16)
        require(valid, f"{where} must have float32 arrays ({batch_size}, ...), got {describe(leaf)}")
    return memory


def _check_params(where: str, subject: Subject, params: Any) -> None:
    for module, leaves in params.items():
        for name, leaf in leaves.items():
            require(
                leaf.dtype == jnp.float32,
                f"{where}: the parameter {module}/{name} must be float32, got {describe(leaf)}",
            )
            shape = (subject.params or params).get(module, {}).get(name)
            require(
                shape is not None and shape.shape == leaf.shape,
                f"{where}: parameters must not depend on the number of graphs and nodes; "
                f"{module}/{name} is {describe(leaf)}, and {describe(shape)} for other inputs",
            )
    subject.params = params


def _check_needs_no_key(where: str, evaluation: hk.Transformed, params: Any, *arguments: Any) -> None:
    try:
        jax.eval_shape(evaluation.apply, params, None, *arguments)
    except Exception as error:
        attempt(where, jax.eval_shape, evaluation.apply, params, jax.random.key(0), *arguments)
        raise AssertionError(
            f"{where}: random keys are available in training only, if context.is_training; {reason(error)}"
        ) from error


def _check_output(where: str, output: Any, arguments: tuple[Features, Any, Any]) -> None:
    try:
        check_output(output, *arguments[1:])
    except ValueError as error:
        raise AssertionError(f"{where}: {error}") from None
