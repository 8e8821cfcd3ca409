"""Flags that are paths of files or directories."""

from typing import Any

from absl import flags

from nar.atomic_io import local_path

flags.disclaim_key_flags()  # `--help` of a script shows its paths, as flags of the module that defines them


class PathParser(flags.ArgumentParser[str]):
    """Parser of a path: `~` is expanded, and addresses such as gs://bucket are rejected."""

    def parse(self, argument: str) -> str:
        """The path; raises ValueError if it is not one of the local file system."""
        return str(local_path(argument))

    def flag_type(self) -> str:
        """The type that --help shows."""
        return "path"


def define_path(
    name: str,
    default: str | None,
    description: str,
    *,
    required: bool = False,
    flag_values: flags.FlagValues = flags.FLAGS,
) -> Any:
    """Defines a flag whose value is a path, and returns its holder."""
    return flags.DEFINE(
        PathParser(),
        name,
        default,
        description,
        flag_values,
        serializer=flags.ArgumentSerializer(),
        required=required,
    )
