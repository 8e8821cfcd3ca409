"""Import of dm-clrs 2.0.3 without TensorFlow, for benchmarks and parity tests.

It is installed without its dependencies, as `make test` does; the three modules that are only needed for its
data sets are replaced by stubs.
"""

import sys
import types
import warnings
from typing import Any


class _AnyName(type):
    """Metaclass whose classes return themselves for every attribute."""

    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class _Anything(metaclass=_AnyName):
    """Stub class that takes any arguments, has any attribute, and has no other instances."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        del args, kwargs


class _Empty(types.ModuleType):
    """Stub module in which every name is `_Anything`."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything


def import_clrs() -> Any:
    """Imports the package `clrs`.

    Raises:
      ValueError: if it is not installed; the message has the install command.
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
        # Other packages check for TensorFlow, and must not find the stub.
        for name in replaced:
            del sys.modules[name]
    return clrs
