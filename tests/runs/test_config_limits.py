"""Values of configs that no machine can serve: an error in words, at once."""

import pytest

from nar.evaluation import find_metrics
from nar.losses import find_objective
from nar.model.hints import find_hint_feedback
from nar.processors import find_processor
from nar.runs.build import resolve_config
from nar.runs.components import build_graph_run
from nar.runs.components.tasks import find_task_weighting
from nar.runs.config import RunConfig
from nar.runs.schema import MAX_INTEGER, Key
from nar.runs.text_config import TextRunConfig
from nar.traces import sample_traces
from nar.training import make_optimizer, make_schedule
from nar.training.loop import check_callbacks
from nar.training.trackers import check_trackers

KEYS = [
    (kind, key)
    for kind in (RunConfig, TextRunConfig)
    for key in kind().describe()
    if not key.path.endswith(("tracker_options", "callback_options"))
]


def with_value(kind, path, value):
    """The values of a config in which one key has another value."""
    values = kind().to_dict()
    *sections, name = path.split(".")
    node = values
    for section in sections:
        node = node[section]
    node[name] = value
    return values


def wrongs(key: Key):
    """Values that are too large for a key, or no numbers."""
    numbers = [2**32, 2**63, -(2**63), 10**400, float("nan")]
    match key.value:
        case bool() | str():
            return []
        case float():
            return [10**400, float("nan")]
        case tuple():
            return [[number] for number in numbers]
        case dict():
            return [{"a": number} for number in numbers] + [{"a": {"b": [2**63]}}]
    return numbers


@pytest.mark.parametrize(("kind", "key"), KEYS, ids=[f"{kind.__name__} {key.path}" for kind, key in KEYS])
def test_numbers_that_are_too_large_are_errors(kind, key):
    for value in wrongs(key):
        with pytest.raises(ValueError, match=key.path.replace(".", r"\.")) as caught:
            resolve_config(with_value(kind, key.path, value))
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.hidden_size", 2**31),
        ("model.hidden_size", 2**15),
        ("model.message_passing_steps", 101),
        ("training.batch_size", 2**31),
        ("training.batch_size", 2**21),
        ("training.num_seeds", 2**32),
        ("training.num_seeds", 1025),
        ("training.steps", 2**63),
        ("training.seed", 2**63),
    ],
)
def test_limits_of_single_keys(key, value):
    with pytest.raises(ValueError, match=rf"{key} must be an integer of at most \d+, got {value}"):
        resolve_config(with_value(RunConfig, key, value))


def test_largest_values_are_allowed():
    for path in ("training.seed", "training.steps", "training.log_every"):
        resolve_config(with_value(RunConfig, path, MAX_INTEGER))
    options = {"wandb": {"id": 2**63, "x": float("inf")}}
    resolve_config(with_value(RunConfig, "training.tracker_options", options))


@pytest.mark.parametrize(
    "values",
    [
        {"data": {"sizes": (65536,)}},
        {"tasks": {"bfs": {"sizes": (8, 65536)}}},
        {"data": {"sizes": (4096,)}, "training": {"batch_size": 2**20}},
        {"tasks": {"bfs": {"batch_size": 2**30}}},
    ],
)
def test_batches_that_no_memory_holds_are_errors(values):
    with pytest.raises(ValueError, match=r"bfs: \d+ traces of size \d+ need at least [\d,]+ GiB"):
        build_graph_run(values)


def test_samples_that_no_memory_holds_are_errors():
    for size, count in ((2**16, 64), (64, 2**40)):
        with pytest.raises(ValueError, match="GiB, and this machine has"):
            sample_traces("bfs", size, count, 0)


CALLS = {
    "algorithm": lambda name: resolve_and_build({"algorithms": (name,)}),
    "processor": find_processor,
    "hint_feedback": find_hint_feedback,
    "objective": find_objective,
    "optimizer": lambda name: make_optimizer(1e-3, name=name),
    "schedule": lambda name: make_schedule(name, 1e-3, 10),
    "metric": lambda name: find_metrics([name], {}),
    "callback": lambda name: check_callbacks([name], {}),
    "tracker": lambda name: check_trackers([name], {}),
    "training.task_sampling": find_task_weighting,
}


def resolve_and_build(values):
    config = resolve_config(values)
    check_trackers(config.training.trackers, {})
    return build_graph_run(config)


@pytest.mark.parametrize("name", ["os:system", "builtins:print", "builtins:dict", "math:pi", "os:path"])
@pytest.mark.parametrize("kind", CALLS)
def test_what_cannot_be_called_as_needed_is_an_error_before_training(kind, name):
    with pytest.raises(ValueError, match=f"has no {kind} '{name.partition(':')[2]}'; it has: "):
        CALLS[kind](name)


NAMED = ("algorithms", "model.processor", "training.trackers", "kind", "evaluation.metrics")


@pytest.mark.parametrize("wrong", [1, None, [1], {1: 2}, "x" * 10_000, "\n", "a:", ":b", "a:b:c"])
@pytest.mark.parametrize("key", NAMED)
def test_other_names_are_errors_in_words(key, wrong):
    with pytest.raises(ValueError, match=r".") as caught:
        resolve_and_build(with_value(RunConfig, key, wrong))
    assert len(str(caught.value)) < 12_000
