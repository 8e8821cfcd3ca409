"""Runs of `nar.train` in this process that take a fraction of a second, to test the files of a run.

All runs share compiled programs, and scores are a function of the parameters.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from configs import tiny
from nar.runs import run as run_module
from nar.runs import train, warm_start
from nar.runs.build import new_state
from nar.runs.components import GraphComponents, build_graph_run

STEPS, EVERY = 12, 4


def config_of(**training: Any) -> dict[str, Any]:
    """The config of these runs; overrides of training keys must not change a compiled program."""
    config: Any = tiny.get_config()
    config.model.hidden_size = 4
    config.training.update({"steps": STEPS, "eval_every": EVERY, "log_every": 2, **training})
    return config.to_dict()


class Step:
    """A train step that is compiled on its first call and shared by all runs."""

    def __init__(self, step: Any) -> None:
        self._step = step

    def __call__(self, *arguments: Any) -> Any:
        """Takes a step."""
        return self._step(*arguments)

    def programs(self, *arguments: Any) -> dict[Any, Any]:
        """Returns no programs: nothing is compiled in advance."""
        return {}


@functools.cache
def _prepared() -> tuple[GraphComponents, Any, Step]:
    """Components of a run, its first state on the host, and its step."""
    components = build_graph_run(config_of())
    state = new_state(components, 0)
    host = jax.tree.map(np.array, dataclasses.replace(state, key=jax.random.key_data(state.key)))
    return components, host, Step(components.make_train_step())


@contextlib.contextmanager
def quick_runs() -> Iterator[None]:
    """Context in which `nar.train` does quick runs."""
    components, host, step = _prepared()

    def initial_state(components: GraphComponents, seed: int) -> Any:
        fresh = jax.tree.map(jnp.array, host)
        return components.devices.make_state(
            lambda: dataclasses.replace(fresh, key=jax.random.wrap_key_data(fresh.key))
        )

    def score(components: GraphComponents, evaluator: Any, params: Any, split: str) -> Any:
        value = sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(jax.device_get(params))) % 1
        return {"bfs": {16: {"pi": value, "score": value}}}

    with contextlib.ExitStack() as stack:

        def replace(owner: Any, name: str, value: Any) -> None:
            stack.enter_context(mock.patch.object(owner, name, value))

        for module in (train, run_module):
            replace(module, "build_run", lambda *arguments: components)
        for module in (warm_start, run_module):
            replace(module, "new_state", initial_state)
        replace(train, "state_shapes", lambda components: None)
        replace(GraphComponents, "make_train_step", lambda components: step)
        replace(GraphComponents, "score_split", score)
        yield
