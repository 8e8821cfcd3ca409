"""Contrastive learning without hints: equal states for problems with identical executions.

Rodionov and Prokhorenkova 2023 (arXiv 2306.13411) train without hints, on the outputs and on a contrastive
loss between the states of a problem x and of another one x' with the same execution: after each step, the
state of node i for x should be closer to that of node i for x' than to those of the other nodes of x'. With
hidden states h and h' after a step, n nodes, and H features, the loss of node i is

    -log softmax_j(<h_i, h'_j> / sqrt(H))_i,        j = 1 ... n

averaged over nodes and steps. The paper's constants were not available to us: the scale 1 / sqrt(H) is ours,
and the weight is that of `contrastive` in `training.loss_weights`.

The other problem has other numbers in the same order, so that an algorithm that only compares them does the
same. The hint mode is that of the config; the paper's is `none`. The number of steps is then free
(`model.termination=budget`), such as one for each node where the algorithm takes more.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nar.data import Task
from nar.losses.objectives import ObjectiveContext, with_views
from nar.losses.terms import loss_terms, masked_term
from nar.model import Model, Params, Predictions
from nar.model.loss_term import LossTerm
from nar.traces import TraceBatch

CONTRASTIVE = "contrastive"
"""Name of the contrastive loss."""

VIEW = "same_order"
"""Name of the view with other numbers."""


def same_order(task: Task, traces: TraceBatch, generators: Sequence[np.random.Generator]) -> TraceBatch:
    """The same traces with other numbers in the same order, drawn uniformly from the range of training.

    Equal numbers stay equal. Hints, outputs and lengths are those of the algorithm on these numbers, too.

    Raises:
      ValueError: if the algorithm does more with its numbers than to compare them.
    """
    names = _compared_inputs(task)
    low, high = _range(task, traces.inputs["pos"].shape[1])
    inputs = {name: traces.inputs[name].copy() for name in names}
    for row, generator in enumerate(generators):
        numbers = np.concatenate([np.ravel(inputs[name][row]) for name in names])
        distinct, ranks = np.unique(numbers, return_inverse=True)
        drawn = _increasing(generator, len(distinct), low, high)[ranks]
        sizes = [np.size(inputs[name][row]) for name in names]
        for name, part in zip(names, np.split(drawn, np.cumsum(sizes)[:-1]), strict=True):
            inputs[name][row] = part.reshape(np.shape(inputs[name][row]))
    return dataclasses.replace(traces, inputs={**traces.inputs, **inputs})


def _compared_inputs(task: Task) -> list[str]:
    """Names of the inputs that are numbers of which only the order matters."""
    scaling = task.algorithm.scaling
    only_order = scaling is not None and scaling.invariance == "order"
    if scaling is None or not only_order or any(degree != 0 for degree in scaling.degrees.values()):
        raise ValueError(
            f"objective {CONTRASTIVE!r} needs other problems on which the algorithm does the same, which are "
            "known where only the order of numbers matters (Algorithm.scaling), such as sorting; "
            f"not for {task.name}"
        )
    probes = {argument: probe for probe, argument in task.algorithm.problem.aliases}
    names = [probes.get(argument, argument) for argument in scaling.arguments]
    for name in names:
        if name not in task.spec:
            raise ValueError(f"objective {CONTRASTIVE!r}: {task.name} has no input {name!r}")
    return names


def _range(task: Task, size: int) -> tuple[float, float]:
    """Intersection of the training ranges of all scaled inputs."""
    assert task.algorithm.scaling is not None
    ranges = task.input_ranges(size)
    names = task.algorithm.scaling.arguments
    bounds = [ranges[name] for name in names if name in ranges]
    low, high = max((one for one, _ in bounds), default=0.0), min((one for _, one in bounds), default=0.0)
    if len(bounds) < len(names) or not low < high:
        raise ValueError(
            f"objective {CONTRASTIVE!r}: the range of {', '.join(names)} of {task.name} is empty"
        )
    return low, high


def _increasing(generator: np.random.Generator, count: int, low: float, high: float) -> np.ndarray:
    """Different uniform numbers in increasing order."""
    numbers = np.unique(generator.uniform(low, high, count))
    while len(numbers) < count:
        more = generator.uniform(low, high, count - len(numbers))
        numbers = np.unique(np.concatenate([numbers, more]))
    return numbers


@with_views(**{VIEW: same_order})
def contrastive(
    model: Model, params: Params, key: jax.Array, batch: TraceBatch, context: ObjectiveContext
) -> dict[str, LossTerm]:
    """The supervised losses of the batch, and the contrastive loss between its states and those of the view.

    Both rollouts have the same noise. The loss counts the steps that the batch takes.
    """
    first = context.predict(model, params, key, return_hidden=True)
    second = context.predict(model, params, key, VIEW, return_hidden=True)
    assert first.hidden is not None and second.hidden is not None
    term = contrast(first.hidden, second.hidden, first, batch.num_nodes)
    return {**loss_terms(model.specs[context.task], batch, first), CONTRASTIVE: term}


def contrast(
    hidden: jax.Array, other: jax.Array, predictions: Predictions, num_nodes: jax.Array | None
) -> LossTerm:
    """The contrastive loss over the nodes and steps of a batch.

    Args:
      hidden: [S, B, N, H], hidden states after each step.
      other: same shape; those of the other problems, node by node.
      predictions: predictions of the batch, of which only the number of steps is read.
      num_nodes: [B], real nodes of each problem; None if all are real.
    """
    hidden, other = (states.astype(jnp.float32) for states in (hidden, other))
    logits = jnp.einsum("sbih,sbjh->sbij", hidden, other) / hidden.shape[-1] ** 0.5
    takes_step = jnp.arange(len(hidden))[:, None, None] < predictions.steps[None, :, None]
    real = jnp.ones(hidden.shape[1:3], bool)
    if num_nodes is not None:
        real = jnp.arange(hidden.shape[2])[None] < num_nodes[:, None]
        logits = jnp.where(real[None, :, None], logits, -1e9)
    losses = jax.nn.logsumexp(logits, axis=-1) - jnp.diagonal(logits, axis1=2, axis2=3)
    mask = jnp.broadcast_to(takes_step & real[None], losses.shape)
    return masked_term(losses, mask)
