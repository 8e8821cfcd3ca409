"""The compilation cache on disk: a damaged entry is removed, said once, and written again."""

import logging
import os

import jax
import jax.numpy as jnp
import pytest
from jax._src import compilation_cache

from experiments.fault_injection.damages import DAMAGES
from nar.training.devices import use_compilation_cache


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of all programs."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(
        compilation_cache, "get_executable_and_time", compilation_cache.get_executable_and_time
    )
    for name, value in zip(names, (str(tmp_path), 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    use_compilation_cache()
    yield tmp_path
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def entries(folder):
    return sorted(folder.glob("*-cache"))


def compute():
    jax.clear_caches()
    return float(jax.jit(lambda x: jnp.sin(x) * 3 + 41)(jnp.float32(2.0)))


@pytest.mark.slow
def test_damaged_entry_is_removed_and_written_again(cache, caplog):
    import numpy as np

    expected, random = compute(), np.random.default_rng(0)
    (entry,) = [path for path in entries(cache) if "lambda" in path.name]
    for damage in DAMAGES[:4]:
        for number in range(3):
            damage(entry, random)
            size, caplog_before = entry.stat().st_size, len(caplog.records)
            caplog.set_level(logging.WARNING)
            assert compute() == expected, (damage, number)
            assert len(caplog.records) <= caplog_before + 1
            assert entry.exists() and (entry.stat().st_size != size or size > 0)
            said = len(caplog.records)
            assert compute() == expected and len(caplog.records) == said  # the new entry is intact
    assert "was damaged" in caplog.text and "removed, and compiled again" in caplog.text


def test_pipe_in_place_of_an_entry_does_not_hang(cache, caplog):
    expected = compute()
    for entry in entries(cache):
        entry.unlink()
        os.mkfifo(entry)
    assert compute() == expected and "removed, and compiled again" in caplog.text
    assert all(entry.is_file() for entry in entries(cache))


def test_reader_is_installed_once(cache):
    reader = compilation_cache.get_executable_and_time
    use_compilation_cache()
    assert compilation_cache.get_executable_and_time is reader
