"""Configuration of all tests: CPU backend, fast or no compilation, no implicit rank promotion.

Settings are environment variables, set before jax is imported, so that subprocesses of tests inherit them.
"""

import ctypes
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
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Compilation without optimization: tests would otherwise spend most of their time in the compiler.
_FAST_COMPILATION = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if jaxlib.version.__version__.startswith("0.10."):  # XLA aborts on unknown flags
    _FAST_COMPILATION += " --xla_cpu_use_fusion_emitters=false"  # reduces compile time to a third
os.environ["XLA_FLAGS"] = f"{_FAST_COMPILATION} {os.environ.get('XLA_FLAGS', '')}"
os.environ["NAR_CACHE"] = ""  # no cache: tests must generate the canonical splits themselves

# No deadline, since the first example of a test may compile; the same examples in every run.
hypothesis.settings.register_profile(
    "nar", deadline=None, max_examples=NUM_EXAMPLES, derandomize=True, database=None
)
hypothesis.settings.load_profile("nar")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that `make test` skips or runs with fewer examples."""
    import tasks

    for item in items:
        if hypothesis.is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.examples)
        task = getattr(item, "callspec", None) and item.callspec.params.get("task")
        if task in tasks.ALL and task not in tasks.COVERING:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Disables numba except in tests marked `jit`.

    numba compiles an algorithm in 5 to 30 seconds; plain Python takes milliseconds per trace.
    """
    numba.config.DISABLE_JIT = int(item.get_closest_marker("jit") is None)
    # numba reloads its config from the environment, and subprocesses inherit it.
    os.environ["NUMBA_DISABLE_JIT"] = str(numba.config.DISABLE_JIT)


@pytest.fixture(autouse=True)
def _restore_registries() -> Iterator[None]:
    """Unregisters what a test has registered."""
    import nar.plugins

    before = [(registry, dict(registry)) for registry in nar.plugins.REGISTRIES]
    yield
    for registry, entries in before:
        registry._entries = entries


def pytest_collection_finish() -> None:
    """Excludes modules and tests, which live until the end, from garbage collection."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # tracing allocates many objects, but few cycles


_MAPS, _STATM = pathlib.Path("/proc/self/maps"), pathlib.Path("/proc/self/statm")
_MAX_MAPS = 20_000
_MAX_PAGES = 3 * 2**28 // os.sysconf("SC_PAGE_SIZE")
_pages_without_programs = 0


def pytest_runtest_teardown() -> None:
    """Clears jax's caches once they hold 0.75 GiB of memory or too many memory maps.

    Each cached program holds several maps; the compiler crashes at the limit of Linux, 65,530.
    """
    global _pages_without_programs
    if "jax" not in sys.modules or not _STATM.exists():
        return
    if not _pages_without_programs:
        _pages_without_programs = _num_pages()
    with _MAPS.open("rb") as maps:
        num_maps = sum(1 for _ in maps)
    if num_maps > _MAX_MAPS or _num_pages() > _pages_without_programs + _MAX_PAGES:
        sys.modules["jax"].clear_caches()
        gc.collect()
        _return_freed_memory()
        _pages_without_programs = _num_pages()


def _return_freed_memory() -> None:
    """Returns freed memory to the operating system; glibc would keep most of it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _num_pages() -> int:
    """Resident memory of this process, in pages."""
    return int(_STATM.read_text().split()[1])
