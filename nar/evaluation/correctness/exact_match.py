"""Exact match: an instance is correct if every unmasked entry of every output is."""

from collections.abc import Callable, Mapping

import numpy as np

from nar.evaluation.decoding import join_permutations
from nar.kinds import KindTable
from nar.specs import MASKED, Kind, Spec

Array = np.ndarray


def _close(truth: Array, predicted: Array) -> Array:
    return np.isclose(truth, predicted, rtol=1e-3, atol=1e-3)


def _same_mask(truth: Array, predicted: Array) -> Array:
    return (truth == MASKED) | ((predicted > 0.5) == (truth == 1))


def _same_class(truth: Array, predicted: Array) -> Array:
    return (truth == MASKED).any(axis=-1) | (truth.argmax(axis=-1) == predicted.argmax(axis=-1))


ENTRY_MATCHERS = KindTable[Callable[[Array, Array], Array]](
    "match",
    {
        Kind.SCALAR: _close,
        Kind.VECTOR: _close,
        Kind.CATEGORICAL: _same_class,
        Kind.MASK: _same_mask,
        Kind.MASK_ONE: _same_class,
        Kind.POINTER: np.equal,
        Kind.SHOULD_BE_PERMUTATION: np.equal,
        Kind.PERMUTATION_POINTER: np.equal,
    },
)
"""Entrywise comparison of each kind: (truth, predicted) -> bool array; both in the format of a trace."""


def exact_matches(spec: Spec, truth: Mapping[str, Array], predicted: Mapping[str, Array]) -> Array:
    """Finds the instances without a wrong entry.

    Args:
      spec: the spec after transforms.
      truth: outputs of a batch, after transforms.
      predicted: predicted outputs, as `nar.evaluation.decode_outputs` returns them.

    Returns:
      [B] bool.

    Raises:
      ValueError: if there are no outputs.
    """
    if not spec.outputs:
        raise ValueError("there are no outputs to compare; the metric `exact` compares answers, too")
    truth = join_permutations(spec, truth)
    matches = [
        ENTRY_MATCHERS[probe.kind](truth[probe.name], predicted[probe.name])
        for probe in spec.outputs
        if probe.name in truth
    ]
    return np.all([match.reshape(len(match), -1).all(axis=1) for match in matches], axis=0)
