"""The command that trains a config: `python -m experiments.train` with the keys that differ from defaults."""

import shlex

from nar.runs.config import RunConfig


def training_command(config: RunConfig, workdir: str) -> str:
    """The command that trains a config from `configs/base.py`, to be pasted into a shell.

    Args:
      config: the config.
      workdir: run directory to name in the command.
    """
    keys = zip(config.describe(), RunConfig().describe(), strict=True)
    changed = [key for key, default in keys if key.value != default.value and not key.mutable]
    overrides = [f"--config.{key.path}={_quoted(key.value)}" for key in changed]
    head = f"python -m experiments.train --config=configs/base.py --workdir={workdir}"
    return " ".join([head, *overrides])


def _quoted(value: object) -> str:
    """A value as a word of the shell."""
    text = value if isinstance(value, str) else repr(value)
    is_plain = all(letter.isalnum() or letter in "._-+:/^" for letter in text)
    if is_plain:
        return text
    has_special = any(letter in '"\\$`!' for letter in text)
    return shlex.quote(text) if has_special else f'"{text}"'
