"""A custom loss and a custom decoder: kinds that replace built-in ones in a run.

    python -m experiments.train --config=configs/bfs.py --workdir=runs/focal \
        --config.data.kinds="{'mask': 'experiments.examples.focal_mask:FOCAL_MASK'}"
    python -m experiments.train --config=configs/bfs.py --workdir=runs/dot \
        --config.data.kinds="{'pointer': 'experiments.examples.focal_mask:DOT_POINTER'}"

`FOCAL_MASK` is a mask whose loss is the focal loss (Lin et al. 2017, arXiv 1708.02002), which counts entries
that are easy to predict less. `DOT_POINTER` decodes pointers by scaled dot products, as attention does.
"""

import jax
import jax.numpy as jnp
import optax

from nar.kinds import Kind, Location, register_kind
from nar.model.decoders import NO_LOGIT
from nar.processors.layers.linear import Linear

FOCUS = 2.0
"""Exponent of the probability of the wrong value."""


def focal_loss(truth, logits):
    """The cross-entropy, weighted by the squared probability of the wrong value."""
    labels = truth.astype(logits.dtype)
    wrong = jnp.abs(labels - jax.nn.sigmoid(logits))
    return wrong**FOCUS * optax.sigmoid_binary_cross_entropy(logits, labels)


FOCAL_MASK = register_kind("focal_mask", like=Kind.MASK, loss=focal_loss)


def dot_pointer(decoder_inputs, hidden_size, num_classes, is_training):
    """Logit of node i pointing at j: the scaled dot product of their projections."""
    del num_classes, is_training
    query, key = (
        Linear(hidden_size, name=name).in_float32(decoder_inputs.nodes) for name in ("query", "key")
    )
    logits = jnp.einsum("bih,bjh->bij", query, key) / hidden_size**0.5
    if decoder_inputs.mask is None:
        return logits
    return jnp.where(decoder_inputs.mask[:, None], logits, NO_LOGIT)


DOT_POINTER = register_kind("dot_pointer", like=Kind.POINTER, decode={Location.NODE: dot_pointer})
