"""What a network is made of."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax.numpy as jnp

from nar.model.encoders import ENCODER_INITS
from nar.model.schedules import Schedule
from nar.model.termination import FromTrace, Termination
from nar.processors import LSTM, Dropout, Processor, ProcessorFactory, Repeated


class HintMode(NamedTuple):
    """What is done with hints.

    Attributes:
      encoded: whether a step is fed the hints that the one before it predicted.
      decoded: whether hints are predicted.
      supervised: whether their loss counts.
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
"""The first three are those of dm-clrs. In `decoded_only` hints are a second thing to predict, and no step
sees any, not even the true first ones; with `none` there are none at all. In `encoded_without_loss` what the
decoders of hints say is fed back as in `encoded_decoded`, but what they say is up to the network."""

HINT_FEEDBACKS = ("soft", "hard", "hard_on_eval")

PRECISIONS: Mapping[str, Any] = MappingProxyType({"float32": jnp.float32, "bfloat16": jnp.bfloat16})
"""By name, the type in which features and states are."""


@dataclasses.dataclass(frozen=True)
class NetConfig:
    """What a network is made of. Knobs that dm-clrs has too mean the same there.

    Attributes:
      processor: `(hidden_size) -> Processor`, called inside a Haiku transform.
      hidden_size: H.
      hint_mode: what is done with hints, one of `HINT_MODES` (dm-clrs: `encode_hints`, `decode_hints`).
      hint_feedback: how predicted hints are fed back: "soft" (probabilities, with gradients), "hard"
        (decisions, without) or "hard_on_eval" (dm-clrs: `hint_repred_mode`).
      teacher_forcing: probability, in training, that a sample is fed a step's true hints instead (dm-clrs:
        `hint_teacher_forcing`); a number or a schedule over training steps.
      message_passing_steps: how often the processor is applied in each step (dm-clrs:
        `nb_msg_passing_steps`).
      dropout: probability, in training, that an entry of the new states becomes zero (dm-clrs:
        `dropout_prob`).
      lstm: whether an LSTM at each node follows (dm-clrs: `use_lstm`).
      encoder_init: how weights of encoders are drawn, one of `ENCODER_INITS` (dm-clrs: the same).
      termination: how many steps there are: `FromTrace`, `Budget` or `Learned`.
      precision: in what the processor and the linear maps of decoders compute, one of `PRECISIONS`.
        Parameters, logits, what is fed back of them and losses are float32 in any case.
      remat: whether the gradient computes each step anew from what it was handed: the memory of training is
        then that of one step and of what steps hand on, for one more forward pass (arXiv 1604.06174).
    """

    processor: ProcessorFactory
    hidden_size: int = 128
    hint_mode: str = "encoded_decoded"
    hint_feedback: str = "soft"
    teacher_forcing: float | Schedule = 0.0
    message_passing_steps: int = 1
    dropout: float = 0.0
    lstm: bool = False
    encoder_init: str = "xavier_on_scalars"
    termination: Termination = FromTrace()
    precision: str = "float32"
    remat: bool = True

    def __post_init__(self) -> None:
        for name in ("hidden_size", "message_passing_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        _check_known("hint_mode", self.hint_mode, HINT_MODES)
        _check_known("hint_feedback", self.hint_feedback, HINT_FEEDBACKS)
        _check_known("encoder_init", self.encoder_init, ENCODER_INITS)
        _check_known("precision", self.precision, PRECISIONS)
        if not isinstance(self.teacher_forcing, Schedule) and not 0 <= self.teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must lie between 0 and 1, got {self.teacher_forcing}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be at least 0 and less than 1, got {self.dropout}")
        self._check_hints_learn()

    def _check_hints_learn(self) -> None:
        """Raises ValueError where nothing would ever train the decoders of hints."""
        mode = self.hints
        if mode.supervised or not mode.decoded:
            return
        if self.hint_feedback == "hard":
            raise ValueError(
                f"hint_mode {self.hint_mode} needs hint_feedback soft or hard_on_eval: "
                "hard hints have no gradient"
            )
        if self.teacher_forcing == 1:
            raise ValueError(
                f"hint_mode {self.hint_mode} needs teacher_forcing less than 1: "
                "what is predicted would never be fed back"
            )

    @property
    def hints(self) -> HintMode:
        """What is done with hints."""
        return HINT_MODES[self.hint_mode]

    @property
    def compute_dtype(self) -> Any:
        """The type of features and states."""
        return PRECISIONS[self.precision]

    def make_processor(self) -> Processor:
        """The processor with all that goes round it, inside a Haiku transform."""
        processor = self.processor(self.hidden_size)
        if self.message_passing_steps > 1:
            processor = Repeated(processor, self.message_passing_steps)
        if self.dropout:
            processor = Dropout(processor, self.dropout)
        if self.lstm:
            processor = LSTM(processor, self.hidden_size)
        return processor


def _check_known(key: str, value: str, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"unknown {key} {value!r}; known: {', '.join(known)}")
