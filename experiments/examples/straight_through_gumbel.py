"""A custom hint feedback in one file, outside nar: straight-through Gumbel-softmax (arXiv 1611.01144).

In training discrete hints are sampled, so that the next step receives hard values, as it does in evaluation;
the gradient is that of soft ones at `TEMPERATURE`. Evaluation takes the most likely value. To train with it,
give its name, `module:FUNCTION`; the module may be anywhere on the Python path or in the current directory:

    python -m experiments.train --config=configs/bfs.py --workdir=runs/gumbel \
        --config.model.hint_feedback=experiments.examples.straight_through_gumbel:straight_through_gumbel
"""

import jax

from nar.model import FeedbackContext, decode_hard, decode_soft
from nar.specs import Kind, Probe

TEMPERATURE = 1.0
"""Lower is closer to hard values, with a larger variance of the gradient."""


def straight_through_gumbel(probe: Probe, logits: jax.Array, context: FeedbackContext) -> jax.Array:
    """Hard values, sampled in training, with the gradient of soft ones; see `nar.model.HintFeedback`."""
    if probe.kind.is_number:
        return decode_soft(probe, logits)
    if not context.is_training:
        return decode_hard(probe, logits)
    # A mask is a choice between two logits, 0 and x; the difference of their two noises is logistic.
    draw = jax.random.logistic if probe.kind is Kind.MASK else jax.random.gumbel
    noisy = (logits + draw(context.next_key(), logits.shape)) / TEMPERATURE
    soft = decode_soft(probe, noisy)
    return decode_hard(probe, noisy) + (soft - jax.lax.stop_gradient(soft))
