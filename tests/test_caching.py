"""Folders of caches: chosen by variables, and private temporary ones for users without a home."""

import os
import pathlib
import stat
import tempfile

import numba
import pytest
from trace_checks import run_python

from nar import caching

NO_HOME = """if True:
    import os, pathlib, pwd, sys, warnings
    for name in ("HOME", "XDG_CACHE_HOME", "NAR_CACHE", "NUMBA_CACHE_DIR", "JAX_COMPILATION_CACHE_DIR"):
        os.environ.pop(name, None)
    def getpwuid(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")
    pwd.getpwuid = getpwuid
    os.chdir(sys.argv[1])
    import numba.core.caching as numba_caching
    def unwritable(self):
        if "nar-" not in self.get_cache_path():
            raise OSError("read-only")
    numba_caching._CacheLocator.ensure_cache_path = unwritable
    access = os.access
    os.access = lambda path, mode: "nar-" in str(path) or (not mode & os.W_OK and access(path, mode))
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caching.temporary_folder.cache_clear()
    yield tmp_path
    caching.temporary_folder.cache_clear()


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("NAR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert caching.cache_folder() == tmp_path / "nar"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caching.cache_folder() == tmp_path / ".cache" / "nar"
    monkeypatch.setenv("NAR_CACHE", "~/traces")
    assert caching.cache_folder() == tmp_path / "traces"
    monkeypatch.setenv("NAR_CACHE", "~")
    assert caching.cache_folder() == tmp_path / "nar"
    monkeypatch.setenv("NAR_CACHE", "~no-such-user/traces")
    with pytest.raises(ValueError, match="NAR_CACHE=~no-such-user/traces: there is no such home directory"):
        caching.cache_folder()
    monkeypatch.setenv("NAR_CACHE", "gs://bucket/traces")
    with pytest.raises(ValueError, match="NAR_CACHE=gs://bucket/traces: .* is an address, not a path"):
        caching.cache_folder()
    monkeypatch.setenv("NAR_CACHE", "")
    assert caching.cache_folder() is None
    monkeypatch.delenv("NAR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "~/cache")  # not a path that the standard allows
    assert caching.cache_folder() == tmp_path / ".cache" / "nar"


def without_home(monkeypatch):
    def home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", home)


def test_users_without_a_home_get_a_private_temporary_folder(monkeypatch, temporary):
    without_home(monkeypatch)
    monkeypatch.delenv("NAR_CACHE")
    with pytest.warns(UserWarning, match="set NAR_CACHE to choose one") as caught:
        folders = {caching.cache_folder() for _ in range(3)}
    assert len(caught) == 1
    assert folders == {temporary / f"nar-{os.getuid()}"}
    assert stat.S_IMODE(folders.pop().stat().st_mode) == 0o700


def test_a_home_that_cannot_be_written_to(monkeypatch, temporary):
    monkeypatch.delenv("NAR_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (temporary / "file").touch()
    monkeypatch.setenv("HOME", str(temporary / "file"))
    with pytest.warns(UserWarning, match="no cache directory"):
        assert caching.cache_folder() == temporary / f"nar-{os.getuid()}"


@pytest.mark.parametrize("make", ["open to others", "link", "file"])
def test_folders_that_others_may_have_made_are_not_used(temporary, make):
    folder = temporary / f"nar-{os.getuid()}"
    if make == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    elif make == "link":
        folder.symlink_to(temporary)
    else:
        folder.touch()
    with pytest.warns(UserWarning, match="no cache directory"):
        chosen = caching.temporary_folder()
    assert chosen != folder and stat.S_IMODE(chosen.stat().st_mode) == 0o700


def test_tilde_without_a_home_raises(monkeypatch):
    def expanduser(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "expanduser", expanduser)
    monkeypatch.setenv("NAR_CACHE", "~")
    with pytest.raises(ValueError, match="NAR_CACHE=~: there is no such home directory"):
        caching.cache_folder()


def test_nothing_is_cached_where_nothing_can_be_written(monkeypatch, temporary):
    without_home(monkeypatch)
    monkeypatch.delenv("NAR_CACHE")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "missing"))
    monkeypatch.setattr(caching, "_is_writable", lambda folder: False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    with pytest.warns(UserWarning, match="nothing is cached; set NAR_CACHE"):
        assert caching.cache_folder() is None
    # Warnings are errors: there is no second one.
    assert caching.user_cache_folder() is None
    assert caching.compile_on_disk(without_home) is not None


def test_nar_cache_is_for_all_caches_of_users_without_a_home(monkeypatch, temporary, recwarn):
    without_home(monkeypatch)
    monkeypatch.setattr(caching, "_is_writable", lambda folder: False)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setenv("NAR_CACHE", str(temporary / "mine"))
    monkeypatch.delenv("MPLCONFIGDIR", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    caching.set_matplotlib_folder()
    assert caching.cache_folder() == caching.user_cache_folder() == temporary / "mine"
    assert os.environ.pop("MPLCONFIGDIR") == str(temporary / "mine" / "matplotlib")
    assert not recwarn.list


@pytest.mark.parametrize("variable", ["MPLCONFIGDIR", "XDG_CONFIG_HOME"])
def test_matplotlib_keeps_its_own_folder(monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path))
    before = os.environ.get("MPLCONFIGDIR")
    caching.set_matplotlib_folder()
    assert os.environ.get("MPLCONFIGDIR") == before


@pytest.mark.jit
def test_setting_of_numba_is_restored(monkeypatch, temporary):
    without_home(monkeypatch)
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(caching, "_is_writable", lambda folder: False)
    with pytest.warns(UserWarning, match="no cache directory"):
        compiled = caching.compile_on_disk(without_home)
    assert numba.config.CACHE_DIR == ""
    assert compiled._cache.cache_path.startswith(str(temporary / f"nar-{os.getuid()}" / "numba"))


def test_import_and_splits_without_any_writable_folder(tmp_path):
    code = (
        NO_HOME
        + """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        import nar
        from nar.problems.points import _has_collinear_triple
        batch = nar.clrs30_split("bfs", "val", wait_for_compilation=False)
    messages = [str(one.message) for one in caught]
    print(batch.batch_size, len(messages), "set NAR_CACHE" in messages[0], os.listdir("."))
    """
    )
    work = tmp_path / "work"
    work.mkdir()
    environment = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(pathlib.Path(__file__).parents[1])}
    assert run_python(code, work, **environment) == "32 1 True []\n"
    assert (tmp_path / f"nar-{os.getuid()}" / "traces").is_dir()
