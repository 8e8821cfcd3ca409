"""Hyperparameters of the language model."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """Hyperparameters of a decoder-only transformer.

    Attributes:
      num_tokens: vocabulary size V.
      hidden_size: width H of the residual stream, a multiple of twice the number of heads.
      num_layers: number of layers.
      num_heads: attention heads K of each layer.
      widening: ratio of the feed-forward network's hidden width to H.
      rope_theta: base of the rotary frequencies (the period of the slowest rotation is 2π times this).
    """

    num_tokens: int
    hidden_size: int = 64
    num_layers: int = 3
    num_heads: int = 4
    widening: int = 4
    rope_theta: float = 10_000.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kinds = (int, float) if field.name == "rope_theta" else int
            if not isinstance(value, kinds) or isinstance(value, bool) or value < 1:
                what = "a number" if field.name == "rope_theta" else "an integer"
                raise ValueError(f"{field.name} must be {what} of at least 1, got {value!r}")
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of twice the {self.num_heads} num_heads"
            )

    @property
    def head_size(self) -> int:
        """Features D of a head."""
        return self.hidden_size // self.num_heads
