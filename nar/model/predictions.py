"""Results of a rollout: the predictions, and the state that one chunk of a trace passes to the next."""

import dataclasses
from typing import Any, NamedTuple

import jax

from nar.model.hints import Values
from nar.model.loss_term import LossTerm
from nar.model.termination import Halting

Array = jax.Array


class ChunkCarry(NamedTuple):
    """Recurrent state, which one chunk of a trace passes to the next; arrays [B, ...].

    Attributes:
      hints: dense values by name, the input of the next step.
      hidden: [B, N, H], hidden states.
      memory: the processor's recurrent memory.
    """

    hints: Values
    hidden: Array
    memory: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predictions of a network for a batch.

    Attributes:
      outputs: logits by name, [B, ...], at each sample's last step; for a chunk, valid only where the trace
        ends in it.
      hints: logits of hints and answers by name, [S, B, ...]: entry t predicts those of step t + 1. Entries
        after a sample's last step are undefined. Hints that are not decoded are left out.
      losses: auxiliary losses by name: those of the processor, over samples and their steps; and `halting`,
        over samples, in training with learned halting.
      steps: [B] int32, number of steps that each sample took, within the chunk if there are chunks.
      halting: in training with learned halting; otherwise None.
      chunk_carry: for a chunk, the state to pass to the next one; otherwise None.
      hidden: if requested, the hidden states after each step, [S, B, N, H], in the compute dtype; otherwise
        None. Entries after a sample's last step are undefined.
      pairs: in training with pair features, those of decoded hints that are pointers of nodes, by name,
        [S, B, N, N, `NetConfig.pair_size`]; see `nar.model.decoders.Decoders`.
      reconstructions: in training with a `reconstruction_weight`, logits by name, [S, B, ...]: entry t
        predicts the hints of step t from their own encoding; otherwise empty. Entries after a sample's last
        step are undefined.
    """

    outputs: Values
    hints: Values
    losses: dict[str, LossTerm]
    steps: Array
    halting: Halting | None = None
    chunk_carry: ChunkCarry | None = None
    hidden: Array | None = None
    pairs: Values = dataclasses.field(default_factory=dict)
    reconstructions: Values = dataclasses.field(default_factory=dict)
