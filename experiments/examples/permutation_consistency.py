"""A custom objective in one file, outside nar: predictions should not depend on the positions of nodes.

The supervised losses, and two consistency losses between the rollout of a problem and a second rollout, in
which the nodes have been permuted: the squared differences of hidden states and of predicted hints, node by
node. The input `pos` stays, since otherwise networks are equivariant and both losses 0. The objective asks
for the permuted problems as a view of the batch:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/consistency \
        --config.training.objective=experiments.examples.permutation_consistency:permutation_consistency \
        --config.training.loss_weights="{'consistency/hidden': 0.1, 'consistency/hints': 0.1}"
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nar.data import Task, permute_nodes, random_permutations
from nar.losses import LossTerm, ObjectiveContext, loss_terms, masked_term, with_views
from nar.model import Model, Params, Predictions, decode_soft
from nar.specs import Kind, Spec
from nar.traces import TraceBatch


def permuted(task: Task, traces: TraceBatch, generators: Sequence[np.random.Generator]) -> TraceBatch:
    """The same problems with permuted nodes and the old positions; node i was `permutation[b, i]`."""
    permutations = random_permutations(traces, generators)
    view = permute_nodes(task.spec, traces, permutations)
    unmoved = {"pos": traces.inputs["pos"], "permutation": permutations.astype(np.int32)}
    return dataclasses.replace(view, inputs={**view.inputs, **unmoved})


@with_views(permuted=permuted)
def permutation_consistency(
    model: Model, params: Params, key: jax.Array, batch: TraceBatch, context: ObjectiveContext
) -> dict[str, LossTerm]:
    """Supervised losses of the batch, and its consistency with the permuted view."""
    spec, permutation = model.specs[context.task], context.views["permuted"].inputs["permutation"]
    first = context.predict(model, params, key, return_hidden=True)
    second = context.predict(model, params, key, "permuted", return_hidden=True)
    assert first.hidden is not None and second.hidden is not None
    hidden = squared_difference(first.hidden, second.hidden, permutation, 1)
    differences = (hint_difference(spec, name, first, second, permutation) for name in first.hints)
    return {
        **loss_terms(spec, batch, first),
        "consistency/hidden": mean_over_steps(hidden, first.steps),
        "consistency/hints": mean_over_steps(sum(differences, jnp.zeros(hidden.shape)), first.steps),
    }


def hint_difference(
    spec: Spec, name: str, first: Predictions, second: Predictions, permutation: jax.Array
) -> jax.Array:
    """Mean squared difference [S, B] of a predicted hint, as it would be fed back."""
    value, other = (decode_soft(spec[name], predictions.hints[name]) for predictions in (first, second))
    num_node_axes = value.ndim - 2 - (spec[name].kind is Kind.CATEGORICAL)
    return squared_difference(value, other, permutation, num_node_axes)


def squared_difference(
    first: jax.Array, second: jax.Array, permutation: jax.Array, num_node_axes: int
) -> jax.Array:
    """Mean squared difference [S, B] of values [S, B, N, ...], the second of which have permuted nodes."""
    for axis in range(2, 2 + num_node_axes):
        other_axes = [other for other in range(first.ndim) if other not in (1, axis)]
        first = jnp.take_along_axis(first, jnp.expand_dims(permutation, other_axes), axis)
    return jnp.square(first - second).reshape(*first.shape[:2], -1).mean(axis=-1)


def mean_over_steps(values: jax.Array, steps: jax.Array) -> LossTerm:
    """Mean of values [S, B] over the steps that each trace takes."""
    return masked_term(values, jnp.arange(len(values))[:, None] < steps[None])
