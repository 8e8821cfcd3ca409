"""CLRS-Text (Markeeva et al. 2024, arXiv 2406.04229): rendering of traces, and language models on them.

What this package exports is rendering, which needs no jax. `tokens`, `stream`, `transformer`, `generation`,
`loss` and `train_step` train a language model; `scoring` asks it, or others, and scores the answers.
"""

from nar.text.rendering.compose import Text
from nar.text.rendering.hugging_face_dataset import text_dataset
from nar.text.rendering.published_sets import TEXT_SETS, TextSet
from nar.text.rendering.sample_texts import sample_texts
from nar.text.rendering.trace_to_text import to_text, to_texts

__all__ = ["TEXT_SETS", "Text", "TextSet", "sample_texts", "text_dataset", "to_text", "to_texts"]
