"""Answers of a local Hugging Face `transformers` checkpoint (extra `hugging_face`)."""

import importlib
import pathlib
from collections.abc import Sequence
from typing import Any

from nar.reading import parse_json, read_bytes


def is_checkpoint(folder: pathlib.Path) -> bool:
    """Returns whether a folder was written by a model's `save_pretrained`."""
    try:
        config = parse_json(read_bytes(folder / "config.json"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model_type" in config


class HuggingFaceModel:
    """Decodes answers greedily with a causal language model.

    Nothing is downloaded, and code in the folder is not executed.
    """

    def __init__(self, folder: pathlib.Path, max_new_tokens: int, device: str = "cpu") -> None:
        """Loads model and tokenizer.

        Args:
          folder: written by `save_pretrained` of both the model and its tokenizer.
          max_new_tokens: longest answer, in tokens.
          device: torch device.

        Raises:
          ValueError: if transformers or torch is not installed, or the folder cannot be loaded.
        """
        transformers, self._torch = (_import(name) for name in ("transformers", "torch"))
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = transformers.AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
            self._model = model.to(device).eval()
        except (OSError, RuntimeError, ValueError) as error:
            first_line = str(error).strip().partition("\n")[0]
            raise ValueError(f"{folder} cannot be loaded by transformers: {first_line}") from None
        self._max_new_tokens, self._device = max_new_tokens, device
        # Left padding keeps generated tokens adjacent to their question.
        self._tokenizer.padding_side = "left"
        self._padding = next(
            (
                token
                for token in (self._tokenizer.pad_token_id, self._tokenizer.eos_token_id)
                if token is not None
            ),
            0,
        )

    def __call__(self, questions: Sequence[str]) -> list[str]:
        """Answers questions; questions and special tokens are stripped from the output."""
        rows = [self._tokenizer(question)["input_ids"] for question in questions]
        width = max(map(len, rows))
        tokens = [[self._padding] * (width - len(row)) + row for row in rows]
        mask = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        tensor = self._torch.tensor
        with self._torch.no_grad():
            generated = self._model.generate(
                tensor(tokens, device=self._device),
                attention_mask=tensor(mask, device=self._device),
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self._padding,
            )
        return self._tokenizer.batch_decode(generated[:, width:], skip_special_tokens=True)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"{name} is not installed: pip install 'nar-jax[hugging_face]'") from None
