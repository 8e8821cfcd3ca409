"""Which instances are right as a whole: every entry of every output, where there is something to predict."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from nar.evaluation.scores import join_permutations
from nar.specs import MASKED, Kind, Spec

Array = np.ndarray


def _close(truth: Array, decided: Array) -> Array:
    return np.isclose(truth, decided, rtol=1e-3, atol=1e-3)


def _same_mask(truth: Array, decided: Array) -> Array:
    return (truth == MASKED) | ((decided > 0.5) == (truth == 1))


def _same_class(truth: Array, decided: Array) -> Array:
    return (truth == MASKED).any(axis=-1) | (truth.argmax(axis=-1) == decided.argmax(axis=-1))


ENTRY_MATCHERS: Mapping[Kind, Callable[[Array, Array], Array]] = MappingProxyType(
    {
        Kind.SCALAR: _close,
        Kind.CATEGORICAL: _same_class,
        Kind.MASK: _same_mask,
        Kind.MASK_ONE: _same_class,
        Kind.POINTER: np.equal,
        Kind.SHOULD_BE_PERMUTATION: np.equal,
        Kind.PERMUTATION_POINTER: np.equal,
    }
)
"""By kind: (truth, decided) -> which entries are right; both as a trace holds them."""


def exact_matches(spec: Spec, truth: Mapping[str, Array], decided: Mapping[str, Array]) -> Array:
    """Which instances have no wrong entry.

    Args:
      spec: after transforms.
      truth: outputs of a batch, after transforms.
      decided: as `nar.evaluation.decide` returns them.

    Returns:
      [B] bool.
    """
    truth = join_permutations(spec, truth)
    rows = [
        ENTRY_MATCHERS[probe.kind](truth[probe.name], decided[probe.name])
        for probe in spec.outputs
        if probe.name in truth
    ]
    return np.all([row.reshape(len(row), -1).all(axis=1) for row in rows], axis=0)
