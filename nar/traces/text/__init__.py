"""Traces as text, as CLRS-Text writes them for language models (Markeeva et al. 2024, arXiv 2406.04229)."""

from nar.traces.text.composing import Text
from nar.traces.text.hugging_face import text_dataset
from nar.traces.text.samples import sample_texts
from nar.traces.text.sets import TEXT_SETS, TextSet
from nar.traces.text.texts import to_text, to_texts

__all__ = ["TEXT_SETS", "Text", "TextSet", "sample_texts", "text_dataset", "to_text", "to_texts"]
