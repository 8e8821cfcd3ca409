"""Configuration of a network."""

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp

from nar.model.encoders import ENCODER_INITS
from nar.model.hints import find_hint_feedback
from nar.model.schedules import Schedule
from nar.model.termination import FromTrace, Termination
from nar.model.weight_uncertainty import WeightUncertainty
from nar.plugins import unknown_name
from nar.processors import LSTM, Dropout, Processor, Repeated
from nar.processors.registry import ProcessorFactory
from nar.specs import Probe, Spec


class HintMode(NamedTuple):
    """The use of hints.

    Attributes:
      encoded: whether the hints predicted by a step are fed to the next.
      decoded: whether hints are predicted.
      supervised: whether hints have a loss.
    """

    encoded: bool
    decoded: bool
    supervised: bool


HINT_MODES: Mapping[str, HintMode] = MappingProxyType(
    {
        "encoded_decoded": HintMode(encoded=True, decoded=True, supervised=True),
        "decoded_only": HintMode(encoded=False, decoded=True, supervised=True),
        "none": HintMode(encoded=False, decoded=False, supervised=False),
        "encoded_without_loss": HintMode(encoded=True, decoded=True, supervised=False),
    }
)
"""Hint modes by name; the first three are those of dm-clrs. In `decoded_only` hints are an additional
prediction target and are never an input, not even the true initial ones; in `none` hints are not used. In
`encoded_without_loss` decoded hints are fed back as in `encoded_decoded`, but without supervision."""

PRECISIONS: Mapping[str, Any] = MappingProxyType({"float32": jnp.float32, "bfloat16": jnp.bfloat16})
"""Dtype of features and states by name."""

PAIRS: Mapping[str, str] = MappingProxyType(
    {
        "all": "all pairs of nodes",
        "edges": "the edges of the inputs, in both directions, and the node itself",
    }
)
"""Pairs at which pointers of nodes may point, by name."""


@dataclasses.dataclass(frozen=True)
class NetConfig:
    """Configuration of a network. Options named with their dm-clrs counterpart have the same meaning there.

    Attributes:
      processor: `(hidden_size) -> Processor`, called inside a Haiku transform.
      hidden_size: H, number of hidden features.
      hint_mode: use of hints, one of `HINT_MODES` (dm-clrs: `encode_hints`, `decode_hints`).
      hint_feedback: function that converts predicted hints to the inputs of the next step: "soft"
        (probabilities, differentiable), "hard" (argmax, without gradients), "hard_on_eval" (dm-clrs:
        `hint_repred_mode`), "changes" (hard, only where a mask hint marks a change), or `module:FUNCTION`, a
        `nar.model.HintFeedback`.
      hint_noise: standard deviation of Gaussian noise that is added, in training, to the dense values of
        hints before they are encoded, whether they are true or predicted (as to the inputs of a learned
        simulator, Sanchez-Gonzalez et al. 2020, arXiv 2002.09405). Which nodes are neighbors depends on the
        values without noise.
      reconstruction_weight: weight of the loss of hints that are decoded from the encoded features of the
        same step, without the processor, by decoders of their own; 0 for none.
      teacher_forcing: probability, in training, of feeding a sample the true hints of a step instead of the
        predicted ones (dm-clrs: `hint_teacher_forcing`); a number or a schedule over training steps.
      message_passing_steps: number of applications of the processor per step (dm-clrs:
        `nb_msg_passing_steps`).
      dropout: dropout rate of the new hidden states (dm-clrs: `dropout_prob`).
      lstm: whether an LSTM at each node follows the processor (dm-clrs: `use_lstm`).
      encoder_init: initialization of encoder weights, one of `ENCODER_INITS` (dm-clrs: `encoder_init`).
      termination: rule for the number of steps: `FromTrace`, `Budget` or `Learned`.
      precision: compute dtype of the processor and of the decoders' linear layers, one of `PRECISIONS`.
        Parameters, logits, hints that are fed back and losses are always float32.
      remat: rematerialization: the backward pass recomputes each step from its carry. Training then needs
        the memory of one step and of all carries, at the cost of a second forward pass (arXiv 1604.06174).
      pair_size: P, number of pair features of pointers (`nar.model.decoders.Decoders`); 0 for none.
      pairs: the pairs of nodes at which pointers of nodes may point, one of `PAIRS`. Neighbor lists have no
        others than the edges.
      weight_uncertainty: distribution over the parameters; None for none.
    """

    processor: ProcessorFactory
    hidden_size: int = 128
    hint_mode: str = "encoded_decoded"
    hint_feedback: str = "soft"
    hint_noise: float = 0.0
    reconstruction_weight: float = 0.0
    teacher_forcing: float | Schedule = 0.0
    message_passing_steps: int = 1
    dropout: float = 0.0
    lstm: bool = False
    encoder_init: str = "xavier_on_scalars"
    termination: Termination = FromTrace()
    precision: str = "float32"
    remat: bool = True
    pair_size: int = 0
    pairs: str = "all"
    weight_uncertainty: WeightUncertainty | None = None

    def __post_init__(self) -> None:
        for name in ("hidden_size", "message_passing_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.pair_size < 0:
            raise ValueError(f"pair_size must be at least 0, got {self.pair_size}")
        _check_choice("hint_mode", self.hint_mode, HINT_MODES)
        find_hint_feedback(self.hint_feedback)
        ENCODER_INITS.find(self.encoder_init)
        _check_choice("precision", self.precision, PRECISIONS)
        _check_choice("pairs", self.pairs, PAIRS)
        if not isinstance(self.teacher_forcing, Schedule) and not 0 <= self.teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must lie between 0 and 1, got {self.teacher_forcing}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and less than 1, got {self.dropout}")
        self._check_encoded_hints()
        self._check_hint_decoders_train()

    def _check_encoded_hints(self) -> None:
        """Raises ValueError if an option of encoded hints is invalid, or no hints are encoded."""
        for name in ("hint_noise", "reconstruction_weight"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} must be a finite number >= 0, got {value}")
        if self.hint_noise and not self.hints.encoded:
            raise ValueError(f"hint_noise requires a hint_mode that feeds hints back, got {self.hint_mode}")
        if self.reconstruction_weight and not (self.hints.encoded and self.hints.supervised):
            raise ValueError(
                f"reconstruction_weight requires hint_mode encoded_decoded, got {self.hint_mode}: "
                "it is a loss of hints that are fed back"
            )

    def _check_hint_decoders_train(self) -> None:
        """Raises ValueError if no gradient could reach the hint decoders."""
        mode = self.hints
        if mode.supervised or not mode.decoded:
            return
        if self.hint_feedback in ("hard", "changes"):
            raise ValueError(
                f"hint_mode {self.hint_mode} requires hint_feedback soft or hard_on_eval, got "
                f"{self.hint_feedback}: hard hints have no gradient"
            )
        if self.teacher_forcing == 1:
            raise ValueError(
                f"hint_mode {self.hint_mode} requires teacher_forcing less than 1, got 1: "
                "predicted hints would never be fed back"
            )

    @property
    def hints(self) -> HintMode:
        """The use of hints, by `hint_mode`."""
        return HINT_MODES[self.hint_mode]

    def encoded_hints(self, spec: Spec) -> tuple[Probe, ...]:
        """The hints of a task that are fed back."""
        return spec.hints if self.hints.encoded else ()

    def decoded_probes(self, spec: Spec) -> tuple[Probe, ...]:
        """The probes that are predicted at every step: answers and, depending on `hint_mode`, hints."""
        return (*spec.hints, *spec.answers) if self.hints.decoded else spec.answers

    @property
    def compute_dtype(self) -> Any:
        """The dtype of features and states."""
        return PRECISIONS[self.precision]

    def make_processor(self) -> Processor:
        """Makes the processor with its wrappers; call it inside a Haiku transform."""
        processor = self.processor(self.hidden_size)
        if self.message_passing_steps > 1:
            processor = Repeated(processor, self.message_passing_steps)
        if self.dropout:
            processor = Dropout(processor, self.dropout)
        if self.lstm:
            processor = LSTM(processor, self.hidden_size)
        return processor


def _check_choice(key: str, value: str, known: Mapping[str, object]) -> None:
    if value not in known:
        raise ValueError(unknown_name(key, value, known))
