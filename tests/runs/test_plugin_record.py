"""The record of plug-ins: which modules it covers, and what counts as a difference."""

import importlib
import sys

import pytest

from nar.evaluation.metrics import METRICS
from nar.losses.registry import OBJECTIVES
from nar.plugins import load_attribute
from nar.processors import PROCESSORS
from nar.runs import plugin_record as records
from nar.runs.config import RunConfig
from nar.runs.plugin_record import check_plugins, plugin_record, warn_of_plugins, write_record
from nar.runs.workdir import Workdir

SOURCE = """'''A plug-in.'''
import my_helper

def mine(*arguments):
    '''Documentation.'''
    return my_helper.VALUE + 1

async def later():
    '''Documentation.'''
"""
HELPER = "VALUE = 1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("my_plugin", "my_helper"):
        sys.modules.pop(name, None)


def record(folder, source=SOURCE, helper=HELPER, **changes):
    """The record of a new process that uses the plug-in as its objective."""
    for name in ("my_plugin", "my_helper"):
        sys.modules.pop(name, None)
    records._digests.clear()
    (folder / "my_plugin.py").write_text(source)
    (folder / "my_helper.py").write_text(helper)
    importlib.invalidate_caches()
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        load_attribute("my_plugin:mine", "objective", callable)
    finally:
        sys.dont_write_bytecode = before
    values = changes or {"training": {"objective": "my_plugin:mine"}}
    return plugin_record(RunConfig.from_dict(values).to_dict())


def test_plugins_are_recorded_by_module_and_digest(folder):
    entry = record(folder)["my_plugin:mine"]
    assert entry["module"] == "my_plugin" and len(entry["sha256"]) == 64
    assert plugin_record(RunConfig().to_dict()) == {}
    for values in (
        {"evaluation": {"selection": "my_plugin:mine"}},
        {"evaluation": {"metrics": ("exact", "my_plugin:mine")}},
        {"model": {"processor": "my_plugin:mine"}},
        {"training": {"callbacks": ("my_plugin:mine",)}},
        {"model": {"processor_options": {"my_plugin:mine": 1}}},
        {"data": {"kinds": {"my_plugin:mine": "mask"}}},
    ):
        assert record(folder, **values) == {"my_plugin:mine": entry}
    assert record(folder, training={"trackers": ("my_plugin:mine",)}) == {}


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"source": "# A comment.\n" + SOURCE.replace("Documentation", "Other words")}, True),
        ({"source": SOURCE.replace("+ 1", "+ 2")}, False),
        ({"source": SOURCE + "    return 1\n"}, False),
        ({"helper": "VALUE = 2\n"}, False),
    ],
)
def test_a_difference_of_the_source_is_named(folder, changes, is_same, caplog):
    workdir = Workdir(folder / "run")
    workdir.path.mkdir()
    write_record(workdir, record(folder))
    present = record(folder, **changes)
    warn_of_plugins(workdir, present)
    assert ("source has changed" in caplog.text) == (not is_same)
    if is_same:
        check_plugins(workdir, present)
        return
    with pytest.raises(
        ValueError, match=r"started with plug-ins whose source has changed:\n  my_plugin:mine: source"
    ):
        check_plugins(workdir, present)
    write_record(workdir, present)
    with pytest.raises(ValueError, match="my_plugin:mine"):
        check_plugins(workdir, present)
    workdir.plugins.unlink()
    check_plugins(workdir, present)


@pytest.mark.parametrize(
    "source",
    [
        "from my_helper import VALUE\ndef mine(*arguments):\n    return VALUE\n",
        "import my_helper\ndel my_helper\ndef mine(*arguments):\n    from my_helper import VALUE\n",
    ],
)
def test_modules_that_only_give_constants_are_covered(folder, source):
    assert record(folder, source) == record(folder, source)
    assert record(folder, source) != record(folder, source, "VALUE = 2\n")


def test_registered_names_are_recorded(folder, monkeypatch):
    for registry, section, name in (
        (OBJECTIVES, "training", "objective"),
        (PROCESSORS, "model", "processor"),
        (METRICS, "evaluation", "selection"),
    ):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
        expected = record(folder)["my_plugin:mine"]
        registry.register(sys.modules["my_plugin"].mine, "plain")
        values = RunConfig.from_dict({section: {name: "plain"}}).to_dict()
        assert plugin_record(values) == {"plain": expected}


def test_code_in_memory_counts_not_the_file(folder):
    """A plug-in may be edited after its import, as in a notebook."""
    first = record(folder)
    (folder / "my_plugin.py").write_text(SOURCE.replace("+ 1", "+ 2"))
    values = RunConfig.from_dict({"training": {"objective": "my_plugin:mine"}}).to_dict()
    assert plugin_record(values) == first
    importlib.reload(sys.modules["my_plugin"])
    assert plugin_record(values) != first
