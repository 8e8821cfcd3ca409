"""A checkpoint of Hugging Face's `transformers` in a local folder (extra `hugging_face`)."""

import importlib
import json
import pathlib
from collections.abc import Sequence
from typing import Any


def is_checkpoint(folder: pathlib.Path) -> bool:
    """Whether a folder is one that `save_pretrained` of a model has written."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and "model_type" in config


class HuggingFaceModel:
    """Writes what a model and its tokenizer, both in one folder, find likeliest behind a question.

    Nothing is downloaded, and no code that the folder may hold is run.
    """

    def __init__(self, folder: pathlib.Path, max_new_tokens: int, device: str = "cpu") -> None:
        """Loads both.

        Args:
          folder: with what `save_pretrained` of the model and of its tokenizer wrote.
          max_new_tokens: Longest answer, in tokens.
          device: of torch.

        Raises:
          ValueError: if transformers or torch is not installed, or the folder does not hold such a model.
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
        # Questions stand at the right, next to what is written behind them.
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
        """The answers, without the questions and without special tokens."""
        rows = [self._tokenizer(question)["input_ids"] for question in questions]
        width = max(map(len, rows))
        tokens = [[self._padding] * (width - len(row)) + row for row in rows]
        is_there = [[0] * (width - len(row)) + [1] * len(row) for row in rows]
        tensor = self._torch.tensor
        with self._torch.no_grad():
            written = self._model.generate(
                tensor(tokens, device=self._device),
                attention_mask=tensor(is_there, device=self._device),
                max_new_tokens=self._max_new_tokens,
                do_sample=False,
                num_beams=1,
                pad_token_id=self._padding,
            )
        return self._tokenizer.batch_decode(written[:, width:], skip_special_tokens=True)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"{name} is not installed: pip install 'nar-jax[hugging_face]'") from None
