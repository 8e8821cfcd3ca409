"""Digests of functions that numba compiles, so that cached machine code is never stale.

A digest covers the sources of nar as they were at import, the files that define the functions and everything
they call, and the values of the globals that they read: numba compiles those as constants. Files count only
if they still define the functions in memory, since machine code is made of the latter.
"""

import dis
import enum
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
from numba.core.extending import _Intrinsic
from numba.core.typing.templates import builtin_registry

from nar.traces.cache import PACKAGES, SOURCE_DIGEST


class _NoDigestError(Exception):
    """Compiled code depends on an object whose content is unknown."""


def code_digest(*functions: Callable[..., Any]) -> str:
    """Digest of everything that compiled code of these functions depends on; '' if it is unknown."""
    if not SOURCE_DIGEST:
        return ""
    contents = _Contents()
    try:
        for function in functions:
            contents.add(function)
        return contents.digest()
    except _NoDigestError:
        return ""


class _Contents:
    """Collects functions, constants and files in the order in which they are found."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(SOURCE_DIGEST.encode(), digest_size=8)
        self._functions: dict[types.FunctionType, None] = {}

    def digest(self) -> str:
        """The digest of everything added; reads the files."""
        texts = set()
        for function in self._functions:
            text = source_in_memory(function)
            if text is None:
                raise _NoDigestError(f"the file of {function.__qualname__} has changed since it was imported")
            texts.add(text)
        for text in sorted(texts):
            self._write(text)
        return self._hash.hexdigest()

    def add(self, value: Any) -> None:
        """Adds a value that compiled code uses.

        Raises:
          _NoDigestError: if its content is unknown.
        """
        value = getattr(value, "_dispatcher", value)  # of a function made by numba.vectorize
        if hasattr(value, "py_func"):  # a function that numba compiles
            self._write(sorted(value.targetoptions.items()))
            value = value.py_func
        for overload in _overloads(value):
            self.add(overload)
        if _is_function_of_library(value):
            self._write(value.__module__, value.__qualname__)
        elif isinstance(value, _Intrinsic):
            self.add(value._defn)
        elif isinstance(value, types.FunctionType):
            self._add_function(value)
        elif isinstance(value, np.ndarray) and value.dtype != object:
            self._write(value.dtype, value.shape, value.tobytes())
        elif isinstance(value, tuple | list):
            self._write(type(value), len(value))
            for item in value:
                self.add(item)
        elif isinstance(value, dict):
            self.add([item for pair in value.items() for item in pair])
        elif isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, _CONSTANTS) or _is_of_library(value):
            self._write(value)
        else:
            raise _NoDigestError(value)

    def _add_class(self, value: type) -> None:
        self._write(value)
        if issubclass(value, enum.Enum):
            self._write(list(value))
        elif hasattr(value, "_fields"):
            self._write(value._fields)  # pyright: ignore[reportAttributeAccessIssue]
            self.add(getattr(value, "_field_defaults", {}))
        elif not _is_library(value.__module__) and not issubclass(value, BaseException):
            raise _NoDigestError(value)  # such as a class whose methods numba compiles

    def _add_function(self, function: types.FunctionType) -> None:
        self._write(function.__module__, function.__qualname__)
        if function in self._functions or _is_in_source_digest(function):
            return
        if function.__closure__:
            raise _NoDigestError(function)
        self._functions[function] = None
        self.add([function.__defaults__, function.__kwdefaults__])
        for name, value in _globals(function):
            self._write(name)
            if not isinstance(value, types.ModuleType):
                self.add(value)

    def _write(self, *parts: object) -> None:
        text = repr(parts)
        if " at 0x" in text and not any(isinstance(part, str | bytes) for part in parts):
            raise _NoDigestError(text)  # an address, which differs between processes
        self._hash.update(text.encode())


_CONSTANTS = bool | int | float | complex | str | bytes | None | enum.Enum | np.generic
"""Types whose text determines their content."""

_LIBRARIES = {"numpy", "numba", "llvmlite", "builtins", *sys.stdlib_module_names} - {"__main__"}
"""Modules whose version is part of `SOURCE_DIGEST`, or of numba's own key."""


def _is_library(module: str | None) -> bool:
    return (module or "").split(".")[0] in _LIBRARIES


def _is_function_of_library(value: Any) -> bool:
    """True for functions of libraries, whatever their type: numpy has several."""
    return (
        callable(value)
        and not isinstance(value, type)
        and not type(value).__module__.startswith("numba")
        and isinstance(getattr(value, "__qualname__", None), str)
        and _is_library(value.__module__)
    )


def _is_of_library(value: Any) -> bool:
    """True for objects of numpy and Python, and for types of numba, whose text determines their content."""
    module = type(value).__module__
    return isinstance(value, numba.types.Type) or (_is_library(module) and not module.startswith("numba"))


def _overloads(function: Any) -> Iterator[types.FunctionType]:
    """Yields the implementations of a function that others than numba have given by `numba.extending`."""
    for key, kind in builtin_registry.globals:
        if key is function:
            for template in getattr(kind, "templates", ()):
                implementation = getattr(template, "_overload_func", None)
                if implementation is not None and not _is_library(implementation.__module__):
                    yield implementation


def _is_in_source_digest(function: types.FunctionType) -> bool:
    package, _, rest = (function.__module__ or "").partition(".")
    return package == "nar" and rest.split(".")[0] in PACKAGES


def _globals(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """Yields names and values of the globals that a function reads, and attributes of modules among them."""
    names = {
        instruction.argval
        for code in _nested_codes(function.__code__)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    attributes = sorted({name for code in _nested_codes(function.__code__) for name in code.co_names})
    for name in sorted(names & function.__globals__.keys()):
        yield from _with_attributes(name, function.__globals__[name], attributes)


def _with_attributes(
    name: str, value: Any, attributes: list[str], inside: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Any]]:
    """Yields a value and attributes of modules; of a library, those that others have overloaded."""
    yield name, value
    if not isinstance(value, types.ModuleType):
        return
    for attribute in attributes:
        inner = vars(value).get(attribute)
        if inner is None or any(inner is one for one in (value, *inside)):
            continue
        if isinstance(inner, types.ModuleType) or not _is_library(value.__name__) or any(_overloads(inner)):
            yield from _with_attributes(f"{name}.{attribute}", inner, attributes, (*inside, value))


def _nested_codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Yields a code object and those of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested_codes(constant)


# ---------------------------------------------------------------------------------------------------
# Files and the functions in memory


def source_in_memory(function: types.FunctionType) -> str | None:
    """Text of the file that defines a function; None if it cannot be read, or has changed since."""
    try:
        text = "".join(inspect.findsource(function)[0])
        module = compile(text, "<source>", "exec", dont_inherit=True)
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    codes = [code for code in _nested_codes(module) if code.co_qualname == function.__code__.co_qualname]
    return text if any(_same_code(code, function.__code__) for code in codes) else None


def _same_code(one: types.CodeType, other: types.CodeType) -> bool:
    """True if two code objects do the same, wherever they are defined; documentation may differ."""
    constants, others = _constants_without_docstring(one), _constants_without_docstring(other)
    return (
        (one.co_code, one.co_names, one.co_varnames, one.co_argcount)
        == (other.co_code, other.co_names, other.co_varnames, other.co_argcount)
        and len(constants) == len(others)
        and all(map(_same_constant, constants, others))
    )


def _constants_without_docstring(code: types.CodeType) -> tuple[Any, ...]:
    starts_with_text = bool(code.co_consts) and isinstance(code.co_consts[0], str)
    return code.co_consts[1:] if starts_with_text else code.co_consts


def _same_constant(one: Any, other: Any) -> bool:
    if isinstance(one, types.CodeType) and isinstance(other, types.CodeType):
        return _same_code(one, other)
    return type(one) is type(other) and repr(one) == repr(other)
