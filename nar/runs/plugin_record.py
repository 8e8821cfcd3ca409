"""Record of a run's plug-ins, `plugins.json`: the module of each, and a digest of its source.

A digest covers the module and those of the user that it imports, without comments, docstrings and layout. The
source is read once per process, when the plug-in is first used, since that is the code in memory.
"""

import ast
import hashlib
import importlib.util
import inspect
import logging
import pathlib
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from typing import Any

import nar
from nar.algorithms import ALGORITHMS
from nar.atomic_io import write_json
from nar.plugins import REGISTRIES
from nar.runs.files import read_plugin_record
from nar.runs.plugin_names import plugin_names, strings
from nar.runs.workdir import MUTABLE_KEYS, Workdir

_logger = logging.getLogger(__name__)

Record = dict[str, dict[str, str]]
"""Name of a plug-in in the config -> its `module` and the `sha256` of the source."""

_LIBRARIES = tuple(
    pathlib.Path(sysconfig.get_path(name)).resolve()
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)

_WITH_DOCSTRINGS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

_digests: dict[str, tuple[object, str]] = {}
"""Module -> its object and digest, so that a source is read once."""


def plugin_record(config: Mapping[str, Any]) -> Record:
    """The record of all plug-ins that a config names, once they are loaded.

    Those are names `module:ATTRIBUTE` under keys that may not change when a run is resumed, and plain names
    that were registered from outside nar.
    """
    modules = {name: name.partition(":")[0] for _, name in plugin_names(config, MUTABLE_KEYS)}
    for _, name in strings(config, MUTABLE_KEYS):
        for module in filter(None, (registry.module_of(name) for registry in REGISTRIES)):
            modules[name] = module
    for name in config["algorithms"]:
        if name in ALGORITHMS:
            modules[name] = ALGORITHMS[name].steps.__module__
    return {
        name: {"module": module, "sha256": _digest(module)}
        for name, module in sorted(modules.items())
        if module in sys.modules and module.partition(".")[0] != "nar"
    }


def write_record(workdir: Workdir, record: Record) -> None:
    """Writes the record of a run that has plug-ins, unless there is one."""
    if record and not workdir.plugins.exists():
        write_json(workdir.plugins, record)


def differences(workdir: Workdir, record: Record) -> list[str]:
    """A line for each plug-in whose source differs from that at the start of the run.

    Raises:
      ValueError: if the record of the run is damaged.
    """
    if not workdir.plugins.exists():
        return []
    before = read_plugin_record(workdir.plugins)
    return [
        f"  {name}: source {before[name]['sha256'][:12]} then, {one['sha256'][:12]} now ({one['module']})"
        for name, one in record.items()
        if name in before and before[name] != one
    ]


def check_plugins(workdir: Workdir, record: Record) -> None:
    """Raises ValueError if a plug-in of the run is not that with which it began."""
    lines = differences(workdir, record)
    if lines:
        raise ValueError(
            "\n".join([f"{workdir} was started with plug-ins whose source has changed:", *lines])
            + "\nRestore that source, or choose another workdir. To resume with the new one, if the change "
            f"does not matter, remove {workdir.plugins}."
        )


def warn_of_plugins(workdir: Workdir, record: Record) -> None:
    """Warns if a plug-in of the run is not that with which it was trained."""
    lines = differences(workdir, record)
    if lines:
        _logger.warning(
            "%s was trained with plug-ins whose source has changed:\n%s", workdir, "\n".join(lines)
        )


def _digest(name: str) -> str:
    module = sys.modules[name]
    known = _digests.get(name)
    # A module that is imported again is another object, one that is reloaded has new functions.
    identity = tuple(
        id(value) for value in vars(module).values() if isinstance(value, types.FunctionType | type)
    )
    if known is None or known[0] != identity:
        sources = _collect(module, name.partition(".")[0], {})
        text = "\n".join(f"{one}\n{sources[one]}" for one in sorted(sources))
        _digests[name] = identity, hashlib.sha256(text.encode()).hexdigest()
    return _digests[name][1]


def _collect(module: types.ModuleType, package: str, found: dict[str, str]) -> dict[str, str]:
    """Sources by name of a module and of those of the same package or of the user that it imports."""
    tree = _tree(module)
    found[module.__name__] = _source(module, tree)
    imported = [] if tree is None else [sys.modules.get(name) for name in _imported_names(module, tree)]
    for value in [*vars(module).values(), *imported]:
        other = value if isinstance(value, types.ModuleType) else sys.modules.get(_module_of(value))
        if other is not None and other.__name__ not in found and _is_own(other, package):
            _collect(other, package, found)
    return found


def _module_of(value: Any) -> str:
    name = getattr(value, "__module__", None)
    return name if isinstance(name, str) else ""


def _is_own(module: types.ModuleType, package: str) -> bool:
    """True for modules of a package, and for those that are neither installed nor part of nar."""
    file = getattr(module, "__file__", None)
    if not isinstance(file, str):
        return False
    if module.__name__.partition(".")[0] == package:
        return True
    path = pathlib.Path(file).resolve()
    folders = (*_LIBRARIES, pathlib.Path(nar.__file__).resolve().parent)
    return not any(path.is_relative_to(folder) for folder in folders)


def _tree(module: types.ModuleType) -> ast.Module | None:
    """The syntax tree of a module; None if it has no file."""
    try:
        return ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return None


def _imported_names(module: types.ModuleType, tree: ast.Module) -> Iterator[str]:
    """Yields names that may be modules in the imports of a module: of some, only constants are imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(name, module.__package__ or "") if node.level else name
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _source(module: types.ModuleType, tree: ast.Module | None) -> str:
    """The source without comments, docstrings and layout; that of its functions if there is no file."""
    if tree is None:
        functions = [one for one in vars(module).values() if isinstance(one, types.FunctionType)]
        return repr([(one.__qualname__, one.__code__.co_code, one.__code__.co_names) for one in functions])
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, _WITH_DOCSTRINGS) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:]
    return ast.dump(tree)
