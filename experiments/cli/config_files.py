"""Files of configs and sweeps by short names: `bfs` is `configs/bfs.py`."""

import pathlib

PACKAGED = pathlib.Path(__file__).parents[2] / "configs"
"""The configs of the repository, or those that are installed with the package."""


def find_file(name: str, folder: str = "configs") -> str:
    """The file that a name means.

    Args:
      name: a path; or the name of a file in `folder` of the working directory, or in that of nar, with or
        without its ending, such as `bfs`, `bfs.py` and `configs/bfs.py`.
      folder: `configs` or `configs/sweeps`.

    Returns:
      Its path; the name itself if there is no such file.
    """
    if not name or pathlib.Path(name).is_file():
        return name
    short = name.removeprefix(f"{folder}/").removesuffix(".py")
    inside = pathlib.PurePosixPath(folder, f"{short}.py")
    candidates = [pathlib.Path(inside), PACKAGED.parent / inside]
    return next((str(path) for path in candidates if path.is_file()), name)


def config_names() -> list[str]:
    """Short names of the configs of nar, without the base of all."""
    return sorted(path.stem for path in PACKAGED.glob("*.py") if path.stem not in ("__init__", "base"))


def replace_config_name(words: list[str]) -> list[str]:
    """The words of a command with the path of the config in place of its short name."""
    result = list[str]()
    follows = False
    for word in words:
        flag, separator, value = word.partition("=")
        if follows:
            word = _replace(word)
        elif flag in ("--config", "-config") and separator:
            word = f"{flag}={_replace(value)}"
        follows = word in ("--config", "-config")
        result.append(word)
    return result


def _replace(value: str) -> str:
    name, separator, argument = value.partition(":")
    return f"{find_file(name)}{separator}{argument}"
