"""Reading of run and sweep folders, which are never modified."""

import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from nar.metrics_file import read_metrics
from nar.redaction import without_secrets
from nar.reports.run_report.records import Record, Records
from nar.runs.files import read_evaluation, read_result, read_run_config, read_sweep, read_versions

T = TypeVar("T")

CONFIG, RESULT, METRICS, VERSIONS = "config.json", "result.json", "metrics.jsonl", "versions.json"
WEIGHTS = "weights.npz"
SWEEP = "sweep.json"
DEFAULT_EVALUATION = "evaluation"


def read_records(folders: Sequence[pathlib.Path], evaluation: str = DEFAULT_EVALUATION) -> Records:
    """Reads runs, and all runs of sweeps; duplicates are read once.

    Args:
      folders: folders of runs and sweeps.
      evaluation: `--name` of the evaluation to read.

    Raises:
      ValueError: if a folder does not exist or is neither a run nor a sweep, if a file is damaged or lacks
        keys of this version, or if no run has the evaluation; the message has a line per problem.
    """
    problems: list[str] = []
    paths: dict[pathlib.Path, pathlib.Path] = {}
    not_started = []
    for folder in folders:
        for path in _try(lambda: list(_runs_in(folder)), problems) or []:  # noqa: B023
            match _try(lambda: is_run(path), problems):  # noqa: B023
                case True:
                    paths.setdefault(path.resolve(), path)
                case False:
                    not_started.append(path)
    names = _names(list(paths.values()))
    runs = [
        _try(lambda: _read(path, name, evaluation), problems)  # noqa: B023
        for path, name in zip(paths.values(), names, strict=True)
    ]
    found = any(record is not None and record.evaluation is not None for record in runs)
    if evaluation != DEFAULT_EVALUATION and not found:
        problems.append(f"none of the runs has an evaluation {evaluation!r}")
    if problems:
        raise ValueError("\n".join(problems))
    return Records([record for record in runs if record is not None], not_started)


def _try(action: Callable[[], Any], problems: list[str]) -> Any:
    """Returns the result of an action; on an error, records the problem and returns None."""
    try:
        return action()
    except OSError as error:
        problems.append(f"{error.filename}: {error.strerror}")
    except ValueError as error:
        problems.append(str(error))
    return None


def is_run(folder: pathlib.Path) -> bool:
    """Checks that a folder has the config of a run, or its copy."""
    return any((place / CONFIG).exists() for place in (folder, folder / "checkpoints"))


def _runs_in(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields the folder itself if it is a run, or the folders of the trials of a sweep."""
    if is_run(folder):
        yield folder
        return
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist")
    if not (folder / SWEEP).exists():
        inside = [path.name for path in sorted(folder.iterdir()) if is_run(path) or (path / SWEEP).exists()]
        hint = f"; it contains runs: pass {folder / inside[0]} etc., or {folder}/*" if inside else ""
        raise ValueError(f"{folder} is neither a run (no {CONFIG}) nor a sweep (no {SWEEP}){hint}")
    for trial in read_sweep(folder / SWEEP)["trials"]:
        yield folder / "trials" / trial["name"]


def _names(paths: Sequence[pathlib.Path]) -> list[str]:
    """Shortest distinct names of the paths, without their common parents."""
    full = [path.resolve().parts for path in paths]
    shared = 0
    while full and all(len(parts) > shared + 1 and parts[shared] == full[0][shared] for parts in full):
        shared += 1
    return ["/".join(part for part in parts[shared:] if part != "trials") for parts in full]


def _read(path: pathlib.Path, name: str, evaluation: str) -> Record:
    config, source = _config(path)
    return Record(
        name=name,
        path=path,
        config=config,
        versions=_optional(path / VERSIONS, read_versions) or {},
        metrics=_optional(path / METRICS, read_metrics) or [],
        result=_optional(path / RESULT, read_result),
        evaluation=_optional(path / f"{evaluation}.json", read_evaluation),
        uses_config_copy=source != path / CONFIG,
    )


def _config(path: pathlib.Path) -> tuple[Mapping[str, Any], pathlib.Path]:
    """The config and its path; if it is damaged, the copy in the checkpoint folder."""
    places = [place for place in (path / CONFIG, path / "checkpoints" / CONFIG) if place.exists()]
    for place in places:
        try:
            return without_secrets(read_run_config(place, is_exported=(path / WEIGHTS).exists())), place
        except (OSError, ValueError) as error:
            if place == places[-1]:
                raise ValueError(f"{places[0]} cannot be used: {error}") from None
    raise AssertionError(f"{path} has no config")


def _optional(path: pathlib.Path, read: Callable[[pathlib.Path], T]) -> T | None:
    return read(path) if path.exists() else None
