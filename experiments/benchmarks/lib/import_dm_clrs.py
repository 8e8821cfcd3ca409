"""dm-clrs 2.0.3, imported without TensorFlow.

It is installed without its dependencies, as `make test` does; the three modules that only serve its own data
sets are replaced by empty ones. Benchmarks measure against it, tests compare with it.
"""

import sys
import types
import warnings
from typing import Any


class _AnyName(type):
    """Makes every attribute of a class that class itself."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Anything(metaclass=_AnyName):
    """Takes any arguments, has any attribute, and is the type of nothing else."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        del args, kwargs


class _Empty(types.ModuleType):
    """A module in which every name is `_Anything`."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything


def import_clrs() -> Any:
    """The package `clrs`.

    Raises:
      ValueError: if it is not installed; the message says how to do so.
    """
    replaced = [
        name
        for name in ("tensorflow", "tensorflow_datasets", "clrs._src.dataset")
        if sys.modules.setdefault(name, empty := _Empty(name)) is empty
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import clrs
    except ImportError as error:
        raise ValueError(
            f"dm-clrs is not installed ({error}): pip install -e '.[oracle]' and then "
            "pip install --no-deps -r tests/requirements-oracle.txt"
        ) from None
    finally:
        # Others ask whether TensorFlow is there, and must not find ours.
        for name in replaced:
            del sys.modules[name]
    return clrs
