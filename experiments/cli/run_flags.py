"""Flags that name a trained run: --workdir, or --pretrained for a pretrained network."""

from absl import flags

from experiments.cli.paths import define_path

_WORKDIR = define_path("workdir", None, "Run directory.")
_PRETRAINED = flags.DEFINE_string(
    "pretrained", None, "Pretrained network instead of --workdir: NAME or NAME:SEED, such as bfs."
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
