"""Set-up of every test: one CPU, code compiled quickly or not at all, no silent broadcasting between ranks.

Everything is said in environment variables, before jax is imported, so that processes that tests start
inherit it.
"""

import gc
import os
import pathlib
import sys
from collections.abc import Iterator

import hypothesis
import jaxlib.version
import numba
import pytest
from examples import NUM_EXAMPLES

_ROOT = pathlib.Path(__file__).parents[1]

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", os.environ.get("NAR_TEST_CACHE", str(_ROOT / ".cache" / "jax"))
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Nothing here is about the speed of compiled programs, and most of the time would go into optimizing them.
_QUICKLY = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if jaxlib.version.__version__.startswith("0.10."):  # XLA ends a process over a flag that it does not know
    _QUICKLY += " --xla_cpu_use_fusion_emitters=false"  # a third of the time
os.environ["XLA_FLAGS"] = f"{_QUICKLY} {os.environ.get('XLA_FLAGS', '')}"
os.environ["NAR_CACHE"] = ""  # canonical splits are made anew: what is tested is how they are made

# The first example of a test may compile; examples are the same in every run.
hypothesis.settings.register_profile(
    "nar", deadline=None, max_examples=NUM_EXAMPLES, derandomize=True, database=None
)
hypothesis.settings.load_profile("nar")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what `make test` leaves out or does in part."""
    import tasks

    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.examples)
        task = getattr(item, "callspec", None) and item.callspec.params.get("task")
        if task in tasks.ALL and task not in tasks.COVERING:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves algorithms to plain Python, except in tests of compiled code.

    numba takes 5 to 30 seconds for an algorithm, plain Python milliseconds for its traces.
    """
    numba.config.DISABLE_JIT = int(item.get_closest_marker("jit") is None)
    # The compiler reads it again, and so do processes that the test starts.
    os.environ["NUMBA_DISABLE_JIT"] = str(numba.config.DISABLE_JIT)


@pytest.fixture(autouse=True)
def _restore_algorithms() -> Iterator[None]:
    """Unregisters the algorithms that a test has registered."""
    from nar.algorithms import registry

    before = dict(registry.ALGORITHMS)
    yield
    registry._TABLE.clear()
    registry._TABLE.update(before)


def pytest_collection_finish() -> None:
    """Spares the garbage collector what stays to the end: modules and tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # tracing makes many objects, and few cycles


_MAPS, _STATM = pathlib.Path("/proc/self/maps"), pathlib.Path("/proc/self/statm")
_MANY_MAPS = 20_000
_MANY_PAGES = 2**30 // os.sysconf("SC_PAGE_SIZE")
_pages_without_programs = 0


def pytest_runtest_teardown() -> None:
    """Drops compiled programs once they hold 1 GiB, or as many memory maps as Linux soon does not allow.

    Each program holds several maps for as long as jax caches it; at 65,530 the compiler crashes.
    """
    global _pages_without_programs
    if "jax" not in sys.modules or not _STATM.exists():
        return
    if not _pages_without_programs:
        _pages_without_programs = _num_pages()
    with _MAPS.open("rb") as maps:
        num_maps = sum(1 for _ in maps)
    if num_maps > _MANY_MAPS or _num_pages() > _pages_without_programs + _MANY_PAGES:
        sys.modules["jax"].clear_caches()
        gc.collect()
        _pages_without_programs = _num_pages()


def _num_pages() -> int:
    """Resident memory of this process, in pages."""
    return int(_STATM.read_text().split()[1])
