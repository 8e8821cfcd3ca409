"""CLRS-Text (Markeeva et al. 2024, arXiv 2406.04229): rendering of traces, and language models on them.

This package exports rendering, which does not import jax. `tokens`, `stream`, `transformer`, `generation`,
`loss` and `train_step` train a language model; `scoring` evaluates it, or any other, on CLRS-Text questions.
"""

from nar.text.rendering.compose import Text
from nar.text.rendering.hugging_face_dataset import text_dataset
from nar.text.rendering.published_sets import TEXT_SETS, TextSet
from nar.text.rendering.sample_texts import sample_texts
from nar.text.rendering.trace_to_text import to_text, to_texts

__all__ = ["TEXT_SETS", "Text", "TextSet", "sample_texts", "text_dataset", "to_text", "to_texts"]
