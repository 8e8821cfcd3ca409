"""Ensembles of networks, which average probabilities (Lakshminarayanan et al. 2017, arXiv 1612.01474).

Members are parameters of one network, such as those of several seeds. They average the probabilities of their
outputs; or, in addition, those of the hints that are fed back, so that all members take each step from the
same hints.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nar.data import bucket_length, pad_steps
from nar.evaluation.precision import scoring_precision
from nar.model import OUTPUT_SINKHORN_ITERATIONS, Model, Params, Values, decode_soft, make_model
from nar.model.hints import FeedbackContext
from nar.plugins import unknown_name
from nar.specs import Probe
from nar.traces import TraceBatch

AVERAGES = ("outputs", "hints")
"""Averages over members: of the outputs, or of the hints that are fed back as well."""

_MEMBERS = "members"
"""Name of the axis of members, over which `jax.vmap` maps."""


def feed_mean_of_members(probe: Probe, logits: jax.Array, context: FeedbackContext) -> jax.Array:
    """Mean of the members' soft values; a `nar.model.HintFeedback`."""
    del context
    return jax.lax.pmean(decode_soft(probe, logits), _MEMBERS)


class Ensemble:
    """An ensemble of networks, compiled once per algorithm and shape."""

    def __init__(self, model: Model, members: Sequence[Params], average: str = "outputs") -> None:
        """Stacks the members; compilation happens on the first batch of each shape.

        Args:
          model: the network.
          members: parameters of each member.
          average: one of `AVERAGES`.

        Raises:
          ValueError: if there is no member, or `average` is unknown.
        """
        if average not in AVERAGES:
            raise ValueError(unknown_name("average", average, AVERAGES))
        if not members:
            raise ValueError("an ensemble needs at least one member")
        if average == "hints":
            feedback = f"{__name__}:{feed_mean_of_members.__name__}"
            model = make_model(dataclasses.replace(model.config, hint_feedback=feedback), model.specs)
        self.model = model
        self._members = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)

        def probabilities(stacked: Params, task: str, batch: TraceBatch) -> Values:
            def of_member(params: Params) -> Values:
                logits = model.apply(params, None, task, batch, False).outputs
                return {
                    probe.name: decode_soft(probe, logits[probe.name], OUTPUT_SINKHORN_ITERATIONS)
                    for probe in model.specs[task].outputs
                }

            with scoring_precision():
                return jax.vmap(of_member, axis_name=_MEMBERS)(stacked)

        self._probabilities = jax.jit(probabilities, static_argnums=1)

    def by_member(self, task: str, batch: TraceBatch) -> dict[str, np.ndarray]:
        """Probabilities of the outputs by name, [members, B, ...]: dense values as of `decode_soft`.

        Args:
          task: name of the algorithm.
          batch: traces after transforms; only inputs, streams, initial hints and lengths are read.

        Raises:
          ValueError: if the algorithm has no outputs.
        """
        if not self.model.specs[task].outputs:
            raise ValueError(f"{task} has no outputs, and ensembles average those only, not answers")
        padded = pad_steps(dataclasses.replace(batch, outputs={}), bucket_length(batch.num_steps))
        return jax.tree.map(np.asarray, self._probabilities(self._members, task, padded))

    def __call__(self, task: str, batch: TraceBatch) -> dict[str, np.ndarray]:
        """Mean probabilities [B, ...] over the members; see `by_member`."""
        return {name: value.mean(axis=0) for name, value in self.by_member(task, batch).items()}


def logits_of(probe: Probe, probabilities: jax.Array) -> jax.Array:
    """Logits with these probabilities, for `nar.evaluation.decode_outputs` and `score_outputs`."""
    tiny = np.finfo(np.float32).tiny
    if probe.kind.is_number:
        return probabilities
    logits = jnp.log(jnp.maximum(probabilities, tiny))
    if is_binary(probe):
        logits -= jnp.log(jnp.maximum(1 - probabilities, tiny))
    return logits


def is_binary(probe: Probe) -> bool:
    """True if each entry has a probability of its own, rather than a distribution over a last axis."""
    return not (probe.kind.is_one_hot or probe.kind.is_pointer or probe.kind.is_number)
