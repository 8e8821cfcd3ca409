"""What the language model is made of."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TransformerConfig:
    """Sizes of a decoder-only transformer.

    Attributes:
      num_tokens: size of the alphabet.
      hidden_size: of the state of a token, a multiple of twice the number of heads.
      num_layers: how many there are.
      num_heads: of attention in each layer.
      widening: how many times wider the feed-forward network is inside.
      longest_wave: period, in positions over 2π, of the slowest rotation.
    """

    num_tokens: int
    hidden_size: int = 64
    num_layers: int = 3
    num_heads: int = 4
    widening: int = 4
    longest_wave: float = 10_000.0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            kinds = (int, float) if field.name == "longest_wave" else int
            if not isinstance(value, kinds) or isinstance(value, bool) or value < 1:
                what = "a number" if field.name == "longest_wave" else "an integer"
                raise ValueError(f"{field.name} must be {what} of at least 1, got {value!r}")
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of twice the {self.num_heads} num_heads"
            )

    @property
    def head_size(self) -> int:
        """Features of a head."""
        return self.hidden_size // self.num_heads
