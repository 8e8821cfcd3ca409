"""What a network is made of."""

import dataclasses

from nar.processors import ProcessorFactory

HINT_FEEDBACKS = ("soft", "hard", "hard_on_eval")


@dataclasses.dataclass(frozen=True)
class NetConfig:
    """What a network is made of.

    Attributes:
      processor: `(hidden_size) -> Processor`, called inside a Haiku transform.
      hidden_size: H.
      hint_feedback: how predicted hints are fed back: "soft" (probabilities, with gradients), "hard"
        (decisions, without) or "hard_on_eval".
      teacher_forcing: probability, in training, that a sample is fed a step's true hints instead.
    """

    processor: ProcessorFactory
    hidden_size: int = 128
    hint_feedback: str = "soft"
    teacher_forcing: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden_size < 1:
            raise ValueError(f"hidden_size must be at least 1, got {self.hidden_size}")
        if self.hint_feedback not in HINT_FEEDBACKS:
            raise ValueError(
                f"unknown hint_feedback {self.hint_feedback!r}; known: {', '.join(HINT_FEEDBACKS)}"
            )
        if not 0 <= self.teacher_forcing <= 1:
            raise ValueError(f"teacher_forcing must lie between 0 and 1, got {self.teacher_forcing}")
