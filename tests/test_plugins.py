"""Registries: names, duplicates, suggestions, plugins by module; cells of a notebook that are run again."""

import dataclasses
import functools
import importlib
import os
import sys
import types
from typing import Any

import numpy as np
import pytest

from nar.plugins import REGISTRIES, Registry, UnknownNameError, have_same_definition

importlib.import_module("nar.runs.components.tasks")  # imports all packages that have registries

OURS = list(REGISTRIES)

CLOSED = {"split"}
"""Registries to which nothing can be added: the splits are those of CLRS-30."""


@pytest.fixture
def registry():
    return Registry("gadget", {"lever": len})


def from_cell(text, module="__main__"):
    """Everything that a cell of a notebook defines."""
    scope = {"__name__": module, "dataclasses": dataclasses}
    exec(compile(text, "cell", "exec"), scope)
    return scope


def test_registered_objects_are_found(registry):
    def wheel():
        pass

    assert registry.register(wheel) is wheel
    assert registry["wheel"] is registry.find("wheel") is wheel
    registry.register(wheel)
    registry.register(wheel, "round.thing-2")
    assert list(registry) == ["lever", "wheel", "round.thing-2"]
    assert registry.find(wheel) is wheel


def test_register_is_a_decorator(registry):
    @registry.register
    class Screw:
        pass

    assert registry["Screw"] is Screw


@pytest.mark.parametrize("name", ["levr", "Lever", "lever "])
def test_unknown_names_suggest_the_nearest(registry, name):
    for look_up in (registry.__getitem__, registry.find):
        with pytest.raises(ValueError, match=r"unknown gadget .*; known: lever.*; did you mean lever\?"):
            look_up(name)
    with pytest.raises(UnknownNameError):
        registry[name]


@pytest.mark.parametrize("name", [None, 3, ["lever"], {"lever": 1}, ""])
def test_names_of_other_types_are_unknown(registry, name):
    with pytest.raises(ValueError, match="unknown gadget .*; known: lever, or module:ATTRIBUTE"):
        registry.find(name)


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a/b", "../a", "module:NAME", "-a", 3])
def test_names_that_a_config_could_not_hold_are_refused(registry, name):
    with pytest.raises(ValueError, match="the name of a gadget has letters, digits"):
        registry.register(from_cell("def gear(): return 1")["gear"], name)


@pytest.mark.parametrize("value", [3, "lever", None, len, dict, os.system])
def test_other_objects_are_refused(registry, value):
    with pytest.raises(ValueError, match="cannot be registered as gadget"):
        registry.register(value, "name")


def test_taken_names_are_refused(registry):
    with pytest.raises(ValueError, match="the name 'lever' is taken by another gadget"):
        registry.register(from_cell("def gear(): return 1", "one")["gear"], "lever")
    registry.register(from_cell("def gear(): return 1", "one")["gear"])
    with pytest.raises(ValueError, match="the name 'gear' is taken by another gadget"):
        registry.register(from_cell("def gear(): return 1", "two")["gear"])
    with pytest.raises(ValueError, match="the name 'lever' is taken"):
        registry.register(from_cell("def lever(): return 1")["lever"])


CELLS = {
    "function": "def gear(x, y={}): return x + y",
    "class": "class gear:\n  size = {}\n  def turn(self): return self.size, super().__repr__()",
    "closure": "def make(n):\n  def gear(): return n\n  return gear\ngear = make({})",
    "object": "@dataclasses.dataclass\nclass G:\n  f: object\n  def __call__(self): pass\n"
    "def turn(): return {}\ngear = G(turn)",
    "recursion": "def make(n):\n  def gear(): return gear, n\n  return gear\ngear = make({})",
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_that_is_run_again_replaces_what_it_registered(registry, cell, recwarn):
    def run(value):
        return registry.register(from_cell(CELLS[cell].format(value))["gear"], "gear")

    for _ in range(3):
        gear = run(1)
        assert registry["gear"] is gear
    assert not recwarn.list
    with pytest.warns(UserWarning, match="another definition of 'gear' replaces the registered one"):
        changed = run(2)
    assert registry["gear"] is changed


def test_partial_functions_and_arrays_are_compared():
    assert have_same_definition(functools.partial(int, base=2), functools.partial(int, base=2))
    assert not have_same_definition(functools.partial(int, base=2), functools.partial(int, base=3))
    assert not have_same_definition({"a": np.arange(3)}, {"a": np.arange(3)})
    assert not have_same_definition({"a": 1}, {"b": 1})
    assert not have_same_definition(1, True)


def test_module_and_attribute(registry, monkeypatch):
    module = types.ModuleType("workshop")
    vars(module).update(from_cell("def gear(): return 1\nsize = 3", "workshop"))
    monkeypatch.setitem(sys.modules, "workshop", module)
    assert registry.find("workshop:gear") is vars(module)["gear"]
    assert "gear" not in registry
    with pytest.raises(ValueError, match=r"workshop has no gadget 'size'; it has: gear$"):
        registry.find("workshop:size")


# ---------------------------------------------------------------------------------------------------
# The registries of nar


@pytest.fixture(params=[one for one in OURS if one._kind not in CLOSED], ids=lambda one: one._kind)
def open_registry(request):
    return request.param


def valid_object(registry):
    """Something that the registry accepts: another object for one of its own names, or a function."""
    candidates = [*registry.values(), lambda *arguments: None]
    return next(value for value in candidates if registry._is_valid(value))


def test_names_are_unique():
    assert len({registry._kind for registry in OURS}) == len(OURS)


def test_every_registry_finds_registers_and_suggests(open_registry):
    value = valid_object(open_registry)
    open_registry.register(value, "one_more")
    open_registry.register(value, "one_more")
    assert "one_more" in open_registry and open_registry.find("one_more") is open_registry["one_more"]
    message = r"unknown .* 'one_mre'; known: .*one_more.*module:.*; did you mean one_more\?"
    with pytest.raises(ValueError, match=message):
        open_registry.find("one_mre")
    with pytest.raises(ValueError, match="no_such_module.* cannot be imported"):
        open_registry.find("no_such_module:THING")
    with pytest.raises(ValueError, match="unknown"):
        open_registry.find(3)


@pytest.mark.parametrize(
    "registry", [one for one in OURS if one._built_in and one._kind not in CLOSED], ids=lambda one: one._kind
)
def test_built_in_names_cannot_be_replaced(registry):
    def other(*arguments: Any) -> None:
        """A function with another body than every built-in one."""

    name = next(iter(registry._built_in))
    before, is_valid = registry[name], registry._is_valid(other)
    with pytest.raises(ValueError, match="is taken by another" if is_valid else "cannot be registered"):
        registry.register(other if is_valid else None, name)
    assert registry[name] is before


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_registries(kind):
    registry = next(one for one in OURS if one._kind == kind)
    with pytest.raises(ValueError, match="cannot be registered as"):
        registry.register(next(iter(registry.values())), "mine")
    with pytest.raises(ValueError, match=f"unknown {kind} 'os:path'; known: [a-z, ]*$"):
        registry.find("os:path")
