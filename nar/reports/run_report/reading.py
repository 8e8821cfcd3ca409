"""Reading of run and sweep folders, which are never modified."""

import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nar.atomic_io import read_json
from nar.reports.run_report.records import Record, Records
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig
from nar.statistics import SampleStatistics

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
            if is_run(path):
                paths.setdefault(path.resolve(), path)
            else:
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
    trials = read_json(folder / SWEEP).get("trials")
    if not isinstance(trials, list) or not all(isinstance(one, dict) and "name" in one for one in trials):
        raise ValueError(f"{folder / SWEEP} is damaged: it has no list of trials with names")
    for trial in trials:
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
        versions=_optional(path / VERSIONS, lambda content: _check(bool(content), "it is empty")) or {},
        metrics=_lines(path / METRICS),
        result=_optional(path / RESULT, _check_result),
        evaluation=_optional(path / f"{evaluation}.json", _check_evaluation),
        uses_config_copy=source != path / CONFIG,
    )


def _config(path: pathlib.Path) -> tuple[Mapping[str, Any], pathlib.Path]:
    """The config and its path; if it is damaged, the copy in the checkpoint folder."""
    places = [place for place in (path / CONFIG, path / "checkpoints" / CONFIG) if place.exists()]
    for place in places:
        try:
            config = read_json(place)
            _check(isinstance(config.get("training"), Mapping), "it has no section training")
            _check({"steps", "seed"} <= set(config["training"]), "training has no steps or no seed")
            _check("algorithms" in config, "it has no algorithms")
            _check_keys(config, is_exported=(path / WEIGHTS).exists())
            return config, place
        except (OSError, ValueError) as error:
            if place == places[-1]:
                raise ValueError(f"{places[0]} cannot be used: {error}") from None
    raise AssertionError(f"{path} has no config")


def _check_keys(config: Mapping[str, Any], is_exported: bool) -> None:
    """Raises ValueError unless the config has the keys of this version: a missing one has no known value.

    In an export, which was scored again, a missing key has its default.
    """
    schema = TextRunConfig if config.get("kind") == "text" else RunConfig
    try:
        schema.from_dict(config, complete=not is_exported)
    except ValueError as error:
        raise ValueError(f"{error} (is it of another version of nar?)") from None


def _optional(path: pathlib.Path, check: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    content = read_json(path)
    try:
        check(content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged or of another version of nar: {error}") from None
    return content


def _check(is_valid: bool, problem: str) -> None:
    if not is_valid:
        raise ValueError(problem)


def _check_result(result: Mapping[str, Any]) -> None:
    """Raises an error unless everything that a report needs is present."""
    for one in result.get("seeds", [result]):
        for split in ("validation", "test"):
            check_scores(one["scores"][split])
    _check(isinstance(result["steps"], int), "steps is not a number")
    _check(isinstance(result["stopped_early"], bool), "stopped_early is not true or false")
    _check(all("seed" in one for one in result.get("seeds", [])), "an entry of seeds has no seed")


def _check_evaluation(evaluation: Mapping[str, Any]) -> None:
    for case in evaluation["summary"]:
        _check(isinstance(case["size"], int), f"the size of {case} is not a number")
        _check({"task", "family", "lengths", "metrics"} <= set(case), f"{case} is not a case")
        _check("score" in case["metrics"], f"{case} has no score")
        for name, statistics in case["metrics"].items():
            mean = SampleStatistics(**statistics).mean
            _check(isinstance(mean, float | int), f"{case} has no mean of {name}")


def check_scores(scores: Any) -> None:
    """Raises ValueError unless these are numbers by task, size and output, including `score`."""
    for task, sizes in scores.items():
        for size, values in sizes.items():
            numbers = all(isinstance(value, float | int) for value in values.values())
            _check(numbers and "score" in values, f"{task}, {size} has no score")


def _lines(path: pathlib.Path) -> list[dict[str, float]]:
    """Reads the lines of a metrics file; an incomplete last line, still being written, is ignored."""
    if not path.exists():
        return []
    *whole, _ = path.read_bytes().split(b"\n")
    lines = []
    for number, text in enumerate(whole, start=1):
        try:
            line = json.loads(text)
            _check(isinstance(line, dict) and isinstance(line.get("step"), int), "it has no step")
            _check(all(isinstance(value, float | int) for value in line.values()), "not all are numbers")
        except ValueError as error:
            raise ValueError(f"{path} is damaged: line {number}: {error}") from None
        lines.append(line)
    return lines
