"""Hard decoding: from logits to values in the format of a trace."""

from collections.abc import Mapping

import jax
import numpy as np

from nar.data import FIRST_SUFFIX
from nar.model import OUTPUT_SINKHORN_ITERATIONS, Values, decode_hard
from nar.specs import Kind, Probe, Spec


def decode_outputs(spec: Spec, logits: Values) -> dict[str, np.ndarray]:
    """Hard-decodes outputs into the format of a trace: pointers as indices, permutations as predecessors.

    Args:
      spec: the spec after transforms.
      logits: logits of the outputs by name, [B, ...].
    """
    predicted = {}
    for probe in spec.outputs:
        value = decode_hard(probe, logits[probe.name], OUTPUT_SINKHORN_ITERATIONS)
        predicted[probe.name] = np.asarray(value)
    for probe in spec.outputs:
        if probe.kind.is_pointer:
            predicted[probe.name] = predicted[probe.name].argmax(axis=-1)
    return join_permutations(spec, predicted)


def decode_hint(probe: Probe, logits: jax.Array) -> np.ndarray:
    """Hard-decodes one hint's logits of all steps, [S, B, ...], into the format of a trace."""
    predicted = np.asarray(decode_hard(probe, logits))
    if probe.kind.is_pointer:
        predicted = predicted.argmax(axis=-1)
    return predicted.astype(probe.dtype)


def join_permutations(spec: Spec, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Joins cyclic one-hot pointers [B, N, N] and first-node masks [B, N] to predecessor pointers [B, N]."""
    joined = dict(values)
    for probe in spec.outputs:
        if probe.kind.root is Kind.PERMUTATION_POINTER:
            first = joined.pop(probe.name + FIRST_SUFFIX) > 0.5
            pointers = values[probe.name].argmax(axis=-1)
            joined[probe.name] = np.where(first, np.arange(first.shape[-1]), pointers)
    return joined
