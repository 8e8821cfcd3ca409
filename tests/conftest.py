"""Set-up of every test: one CPU, a compilation cache on disk, and no silent broadcasting between ranks.

Everything is said in environment variables, before jax is imported, so that what tests start hears it too.
"""

import os
import pathlib
import sys
from collections.abc import Iterator

import hypothesis
import pytest

import tasks
from nar.algorithms import table

_ROOT = pathlib.Path(__file__).parents[1]

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", os.environ.get("NAR_TEST_CACHE", str(_ROOT / ".cache" / "jax"))
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ["NAR_CACHE"] = ""  # canonical splits are made anew: what is tested is how they are made

# The first example of a test may compile; examples are the same in every run.
hypothesis.settings.register_profile("nar", deadline=None, max_examples=200, derandomize=True, database=None)
hypothesis.settings.load_profile("nar")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks as slow what compiles a network for one algorithm more than `tasks.COVERING`."""
    for item in items:
        task = getattr(item, "callspec", None) and item.callspec.params.get("task")
        if task in tasks.ALL and task not in tasks.COVERING:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _restore_algorithms() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(table.ALGORITHMS)
    yield
    table._TABLE.clear()
    table._TABLE.update(before)


_MAPS = pathlib.Path("/proc/self/maps")
_MANY_MAPS = 10_000


def pytest_runtest_teardown() -> None:
    """Forgets compiled code before a process has as many memory maps as Linux allows (65,530).

    Each compiled function holds several until it is forgotten; at the limit the compiler crashes.
    """
    if "jax" in sys.modules and _MAPS.exists():
        with _MAPS.open("rb") as maps:
            num_maps = sum(1 for _ in maps)
        if num_maps > _MANY_MAPS:
            sys.modules["jax"].clear_caches()
