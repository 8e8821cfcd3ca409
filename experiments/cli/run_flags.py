"""Flags that name a trained run, --workdir or --pretrained, and what to load of it."""

from typing import TYPE_CHECKING

from absl import flags

from experiments.cli import checkpoint_flags, trust
from experiments.cli.checkpoint_flags import CHECKPOINT, CHECKPOINT_FALLBACK
from experiments.cli.paths import define_path
from experiments.cli.trust import TRUST

if TYPE_CHECKING:
    from nar.runs.run import Run

_WORKDIR = define_path("workdir", None, "Run directory.")
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Pretrained network instead of --workdir: NAME or NAME:SEED, such as bfs."
)
_SEED_INDEX = flags.DEFINE_integer("seed_index", 0, "Index of the seed, if the run has several.")
flags.adopt_module_key_flags(checkpoint_flags)
flags.adopt_module_key_flags(trust)


def load_chosen_run(path: str) -> "Run":
    """Loads the run in a directory, with the checkpoint and seed of the flags; see `nar.load_run`."""
    from nar.runs.run import load_run  # Imported here, so that showing a trace does not import jax.

    return load_run(
        path,
        CHECKPOINT.value,
        _SEED_INDEX.value,
        checkpoint_fallback=CHECKPOINT_FALLBACK.value,
        trust=TRUST.value,
    )


def run_directory() -> str:
    """The directory of the run that the flags name.

    Raises:
      ValueError: if they name none or two, or there is no such pretrained network.
    """
    directory = find_run_directory()
    if directory is None:
        raise ValueError("give --workdir, the directory of a run, or --pretrained, such as --pretrained=bfs")
    return directory


def find_run_directory() -> str | None:
    """The directory of the run that the flags name; None if they name none. Raises as `run_directory`."""
    if _PRETRAINED.value is None:
        return _WORKDIR.value
    if _WORKDIR.value is not None:
        raise ValueError("give either --workdir or --pretrained, not both")
    from nar.runs.pretrained import find_pretrained, parse_reference

    return str(find_pretrained(*parse_reference(_PRETRAINED.value)))
