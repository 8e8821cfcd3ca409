"""Readers of the JSON files of runs and sweeps, with their schemas: a file of wrong content is a ValueError.

Nothing here imports jax or what a config names, so that any program can read the files of a run.
"""

import functools
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec

from nar.atomic_io import read_json
from nar.metrics_file import MAX_STEP, is_number
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig

_SIZE = re.compile(r"\d{1,9}(,\d{1,9})*(, [\w.:-]{1,200})?", re.ASCII)
"""Label of a set of problems: its size or sizes, and perhaps a graph family."""
_MAX_SEEDS = 1024
_MAX_NAME_LENGTH = 255
"""Bytes of a file's name, on most systems."""
_SPLITS = ("validation", "test")

Check = ParamSpec("Check")
Content = dict[str, Any]


def _reader(
    check: Callable[Concatenate[Content, Check], None],
) -> Callable[Concatenate[pathlib.Path, Check], Content]:
    """Makes a reader of a file from the check of its content.

    The reader raises ValueError if the file is damaged or of other content, OSError if it cannot be read.
    """

    @functools.wraps(check)
    def read(path: pathlib.Path, *arguments: Check.args, **options: Check.kwargs) -> Content:
        content = read_json(path)
        try:
            check(content, *arguments, **options)
        except ValueError as error:
            raise ValueError(f"{path} is damaged or of another version of nar: {error}") from None
        return content

    return read


def _require(is_valid: bool, problem: str) -> None:
    if not is_valid:
        raise ValueError(problem)


def _mapping(content: Any, name: str) -> Mapping[str, Any]:
    _require(isinstance(content, Mapping), f"{name} is not an object")
    return content


def _list(content: Any, problem: str) -> list[Any]:
    _require(isinstance(content, list), problem)
    return content


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_STEP


def _is_value(value: Any) -> bool:
    """True for the value of a score or metric; custom metrics may be NaN or infinite."""
    return is_number(value) or type(value) is float


def _optional(content: Mapping[str, Any], name: str, is_valid: Callable[[Any], bool], expected: str) -> None:
    if name in content:
        _require(is_valid(content[name]), f"{name} is not {expected}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_list_of(is_valid: Callable[[Any], bool], value: Any) -> bool:
    return isinstance(value, list) and all(map(is_valid, value))


@_reader
def read_run_config(config: Content, *, is_exported: bool = False) -> None:
    """Reads a `config.json`, which has all keys of this version: a missing one has no known value.

    In that of an export, which was scored again, a missing key has its default.
    """
    _require("training" in config, "it has no section training")
    training = _mapping(config["training"], "the section training")
    _require({"steps", "seed"} <= set(training), "training has no steps or no seed")
    _require("algorithms" in config, "it has no algorithms")
    schema = TextRunConfig if config.get("kind") == "text" else RunConfig
    _require(bool(schema.from_dict(config, complete=not is_exported).algorithms), "it has no algorithms")


@_reader
def read_versions(versions: Content) -> None:
    """Reads a `versions.json`: versions by name of the software."""
    _require(bool(versions), "it is empty")
    _require(all(map(_is_text, versions.values())), "a version is not a string")


@_reader
def read_result(result: Content) -> None:
    """Reads a `result.json`: the scores of a finished run, or of each of its seeds, and its cost."""
    _require("steps" in result, "it has no steps")
    _require(isinstance(result.get("stopped_early"), bool), "stopped_early is not true or false")
    for name in ("steps", "examples", "parameters"):
        _optional(result, name, lambda value: type(value) is int and 0 <= value < 2**63, "a count")
    _require(result["steps"] <= MAX_STEP, "steps is too large")
    _optional(result, "seconds", lambda value: is_number(value) and value >= 0, "a time")
    for name in ("parameters_sha256", "exported_parameters_sha256"):  # The last ones, the best in float16.
        _optional(result, name, _is_text, "a digest")
    _optional(result, "stopped_by", _is_text, "a name")
    _optional(result, "metrics", functools.partial(_is_list_of, _is_text), "a list of names")
    _optional(result, "best_step", _is_step, "a step")
    if protocol := _mapping(result.get("protocol", {}), "protocol"):  # That of a language model is empty.
        for name in ("name", "selection"):
            _require(_is_text(protocol.get(name)), f"protocol has no {name}")
        sizes = functools.partial(_is_list_of, _is_count)
        _optional(protocol, "selection_sizes", sizes, "a list of sizes")
    _check_outcome(result)
    if "deviations" in result:
        _check_outcome(_mapping(result["deviations"], "deviations"), like=result["scores"])
    if "seeds" in result:
        seeds = result["seeds"]
        _require(isinstance(seeds, list) and 0 < len(seeds) <= _MAX_SEEDS, "seeds is not a list")
        for one in seeds:
            _require(
                type(_mapping(one, "an entry of seeds").get("seed")) is int, "an entry of seeds has no seed"
            )
            _optional(one, "best_step", _is_step, "a step")
            _check_outcome(one, like=result["scores"])


def _is_step(value: Any) -> bool:
    return _is_count(value) or _is_list_of(_is_count, value)


def _check_outcome(outcome: Mapping[str, Any], like: Mapping[str, Any] | None = None) -> None:
    """Checks scores and averages; with `like`, also that both cover the same splits, tasks and sizes."""
    scores = _mapping(outcome.get("scores"), "scores")
    _require(set(_SPLITS) <= set(scores), "scores has not both splits, validation and test")
    for split, by_task in scores.items():
        check_scores(by_task)
        _require(
            like is None or _shape(by_task) == _shape(like.get(split)),
            f"scores of {split} differ in their tasks",
        )
    for split, averages in _mapping(outcome.get("averages", {}), "averages").items():
        _require(split in scores, f"averages has {split[:100]}, which scores has not")
        _require(
            {"algorithms", "classes"} <= set(_mapping(averages, f"averages of {split}"))
            and all(map(_is_value, averages.values())),
            f"averages of {split} are not numbers",
        )


def _shape(by_task: Any) -> dict[str, list[str]]:
    return {task: list(sizes) for task, sizes in by_task.items()}


def check_scores(by_task: Any) -> None:
    """Raises ValueError unless these are numbers by task, size and output, including `score`."""
    _require(bool(_mapping(by_task, "the scores of a split")), "a split has no scores")
    for task, by_size in by_task.items():
        _require(bool(_mapping(by_size, f"{task[:100]}: scores")), f"{task[:100]} has no scores")
        for size, values in by_size.items():
            _require(bool(_SIZE.fullmatch(size)), f"{task[:100]}: {size[:100]!r} is not a size")
            values = _mapping(values, f"{task[:100]}, {size}: scores")
            is_valid = "score" in values and all(map(_is_value, values.values()))
            _require(is_valid, f"{task[:100]}, {size} has no score")


@_reader
def read_plugin_record(record: Content) -> None:
    """Reads a `plugins.json`: the module of each plug-in, and the digest of its source."""
    for name, one in record.items():
        entry = _mapping(one, name[:100])
        is_valid = _is_text(entry.get("module")) and _is_text(entry.get("sha256"))
        _require(is_valid, f"{name[:100]} has no module or no digest")


@_reader
def read_start(start: Content) -> None:
    """Reads a `start.json`: the run whose parameters were loaded, its step, and the names of the arrays."""
    _require(_is_text(start.get("run")), "run is not a path")
    _require(_is_count(start.get("step")), "step is not a number")
    _require(_is_list_of(_is_text, start.get("loaded")), "loaded is not a list of names")


@_reader
def read_evaluation(evaluation: Content) -> None:
    """Reads the JSON file of an evaluation: statistics of each metric by case, in `summary`."""
    protocol = _mapping(evaluation.get("protocol", {}), "protocol")
    for task, problems in _mapping(protocol.get("tasks", {}), "tasks of the protocol").items():
        one = _mapping(problems, f"protocol of {task[:100]}")
        _mapping(one.get("problem", {}), f"problem of {task[:100]} in the protocol")
    for number, case in enumerate(_list(evaluation.get("summary"), "it has no summary")):
        where = f"case {number} of the summary"
        _require(_is_count(_mapping(case, where).get("size")), f"{where}: the size is not a number")
        for name in ("task", "family"):
            _require(_is_text(case.get(name)), f"{where}: {name} is not a name")
        _require(case.get("lengths") in ("own", "true"), f"{where}: lengths is neither own nor true")
        metrics = _mapping(case.get("metrics"), f"{where}: metrics")
        _require("score" in metrics, f"{where} has no score")
        for name, statistics in metrics.items():
            _check_statistics(f"{where}: {name[:100]}", statistics)


def _check_statistics(where: str, statistics: Any) -> None:
    fields = {"count", "mean", "deviation", "interval"}
    _require(set(_mapping(statistics, where)) == fields, f"{where} has not the fields of statistics")
    _require(_is_count(statistics["count"]) and statistics["count"] > 0, f"{where}: count is not a count")
    _require(_is_value(statistics["mean"]), f"{where} has no mean")
    for name in ("deviation", "interval"):
        value = statistics[name]
        _require(value is None or _is_value(value), f"{where}: {name} is not a number")


@_reader
def read_sweep(sweep: Content) -> None:
    """Reads a `sweep.json`: its trials, each with the name of its directory."""
    problem = "it has no list of trials with names"
    for trial in _list(sweep.get("trials"), problem):
        name = trial.get("name") if isinstance(trial, Mapping) else None
        _require(isinstance(name, str) and _is_file_name(name), problem)


def _is_file_name(name: str) -> bool:
    length = len(name.encode(errors="surrogatepass"))
    return length <= _MAX_NAME_LENGTH and name not in ("", ".", "..") and not set(name) & set("/\\\0")
