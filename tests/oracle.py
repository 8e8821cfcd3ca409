"""dm-clrs 2.0.3, the reference, imported without TensorFlow.

It is installed without its dependencies; the three modules that only serve its own data sets are replaced by
empty ones. Everything that the tests compare with is reached through this file.
"""

import sys
import types
import warnings


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


for _name in ("tensorflow", "tensorflow_datasets", "clrs._src.dataset"):
    sys.modules.setdefault(_name, _Empty(_name))

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import clrs
    from clrs._src import baselines, decoders, encoders, evaluation, losses, nets, probing, samplers, specs

__all__ = [
    "baselines",
    "clrs",
    "decoders",
    "encoders",
    "evaluation",
    "losses",
    "nets",
    "probing",
    "samplers",
    "specs",
]
