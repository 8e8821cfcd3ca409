"""Builds the components of a run from its config: of a graph network or of a language model."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from nar.plugins import unknown_name
from nar.runs.components import (
    GraphComponents,
    RunComponents,
    TextComponents,
    build_graph_run,
    build_text_run,
)
from nar.runs.config import RunConfig
from nar.runs.text_config import TextRunConfig
from nar.training import Devices, TrainState, init_state
from nar.training.devices import is_first_process
from nar.training.loop import check_callbacks
from nar.training.trackers import check_trackers

AnyConfig = RunConfig | TextRunConfig
"""The config of a run: of a graph network or of a language model."""

KINDS: Mapping[str, type[AnyConfig]] = {"graph": RunConfig, "text": TextRunConfig}
"""Value of the key `kind` -> class of the config. A config without this key describes a graph network."""

ComponentsT = TypeVar("ComponentsT", GraphComponents, TextComponents)


def resolve_config(config: AnyConfig | Mapping[str, Any], *, complete: bool = False) -> AnyConfig:
    """A checked config with every key.

    Args:
      config: a config, a nested dictionary as `config.to_dict()` returns it, or a `ConfigDict` of
        ml_collections, like those of `configs/`.
      complete: whether a missing key is an error; if not, it gets its default.

    Raises:
      ValueError: if the kind of run or a key is unknown, or a value has the wrong type.
    """
    values: Any = config if isinstance(config, Mapping) else getattr(config, "to_dict", lambda: config)()
    if not isinstance(values, Mapping):
        raise ValueError(f"a config must be a dictionary, got {values!r:.200}")
    kind = values.get("kind", "graph")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(unknown_name("kind", kind, KINDS))
    return KINDS[kind].from_dict(values, complete=complete)


def build_run(config: AnyConfig | Mapping[str, Any], devices: Devices | None = None) -> RunComponents:
    """Builds the components of a run, and checks the whole config first.

    Args:
      config: a config, or a nested dictionary.
      devices: the devices to run on; all of them by default.

    Raises:
      ValueError: if anything in the config is invalid.
    """
    config = resolve_config(config)
    if isinstance(config, TextRunConfig):
        return build_text_run(config, devices)
    return build_graph_run(config, devices)


def check_startup(config: AnyConfig, components: RunComponents) -> None:
    """Checks what training needs from its start or at its end, but components are built without.

    Raises:
      ValueError: if a callback, tracker or metric does not exist, cannot be made, or has unknown options.
    """
    training = config.training
    check_callbacks(training.callbacks, training.callback_options)
    if is_first_process():
        check_trackers(training.trackers, training.tracker_options)
    components.check_metrics()


def new_state(components: RunComponents, seed: int) -> TrainState:
    """Initializes the train state on all devices."""
    return components.devices.make_state(_init(components, seed))


def state_shapes(components: RunComponents) -> TrainState:
    """Shapes, dtypes and shardings of the train state."""
    return components.devices.state_shapes(_init(components, 0))


def _init(components: RunComponents, seed: int) -> Callable[[], TrainState]:
    # Example batches are zeros, so that all processes trace the same function.
    stream, count = components.stream, components.num_seeds
    return functools.partial(
        init_state,
        components.model,
        components.optimizer,
        stream.examples(),
        seed if count == 1 else [seed + number for number in range(count)],
        components.ema_decay > 0,
        stream.chunk_examples(),
    )


def graph_components(components: RunComponents, path: Any) -> GraphComponents:
    """Returns the components of the run in `path`, checked to be those of a graph network.

    Raises:
      ValueError: if they are those of a language model.
    """
    message = f"{path} is a run of a language model: see experiments.evaluate_text"
    return _checked(components, GraphComponents, message)


def text_components(components: RunComponents, path: Any) -> TextComponents:
    """Returns the components of the run in `path`, checked to be those of a language model.

    Raises:
      ValueError: if they are those of a graph network.
    """
    message = f"{path} is a run of a graph network: see experiments.evaluate"
    return _checked(components, TextComponents, message)


def _checked(components: RunComponents, expected: type[ComponentsT], message: str) -> ComponentsT:
    if not isinstance(components, expected):
        raise ValueError(message)
    return components
