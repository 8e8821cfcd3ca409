"""Flags of benchmarks. Each benchmark has a `flags.FlagValues` of its own, so that its file defines them."""

from collections.abc import Sequence
from typing import Any

from absl import flags

from nar.algorithms import ALGORITHMS, find_algorithm

CLRS30 = tuple(name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30)


class _Serializer(flags.ArgumentSerializer[Any]):
    """Serializer of the values of all parsers below."""

    def serialize(self, value: Sequence[object]) -> str:
        """The value as it is written on the command line."""
        return ",".join(map(str, value))


class _Numbers(flags.ArgumentParser[tuple[int, ...]]):
    """Parser of positive integers, separated by commas."""

    syntactic_help = "positive integers, separated by commas"

    def parse(self, argument: str | Sequence[int]) -> tuple[int, ...]:
        """Parses the value of a flag; its default may be a sequence of integers."""
        words = argument.split(",") if isinstance(argument, str) else list(map(str, argument))
        for word in filter(None, words):
            if not word.strip().isdigit() or int(word) < 1:
                raise ValueError(f"must be positive integers separated by commas, got {word!r}")
        return tuple(int(word) for word in words if word)


class _Algorithms(flags.ArgumentParser[tuple[str, ...]]):
    """Parser of names of algorithms, or `module:ATTRIBUTE`, separated by commas."""

    syntactic_help = "names of algorithms, separated by commas"

    def parse(self, argument: str | Sequence[str]) -> tuple[str, ...]:
        """Parses the value of a flag; its default may be a sequence of names."""
        words = argument.split(",") if isinstance(argument, str) else argument
        return tuple(find_algorithm(word.strip()).name for word in words)


class _Processors(flags.ArgumentParser[tuple[str, ...]]):
    """Parser of names of processors, or `module:ATTRIBUTE`, separated by commas."""

    syntactic_help = "names of processors, separated by commas"

    def parse(self, argument: str | Sequence[str]) -> tuple[str, ...]:
        """Parses the value of a flag; its default may be a sequence of names."""
        from nar.processors import find_processor  # jax is not needed by all benchmarks

        words = argument.split(",") if isinstance(argument, str) else argument
        for word in words:
            find_processor(word)
        return tuple(words)


def define_numbers(
    values: flags.FlagValues, name: str, default: Sequence[int], description: str
) -> flags.FlagHolder[tuple[int, ...]]:
    """Defines a flag of positive integers, separated by commas."""
    return flags.DEFINE(_Numbers(), name, tuple(default), description, values, _Serializer())


def define_algorithms(
    values: flags.FlagValues, default: Sequence[str] = CLRS30
) -> flags.FlagHolder[tuple[str, ...]]:
    """Defines the flag `algorithms`."""
    return flags.DEFINE(_Algorithms(), "algorithms", tuple(default), "Algorithms.", values, _Serializer())


def define_processors(values: flags.FlagValues) -> flags.FlagHolder[tuple[str, ...]]:
    """Defines the flag `processors`."""
    default = ("triplet_gmpnn", "mpnn")
    return flags.DEFINE(_Processors(), "processors", default, "Processors.", values, _Serializer())


def define_sizes(values: flags.FlagValues, *default: int) -> flags.FlagHolder[tuple[int, ...]]:
    """Defines the flag `sizes`."""
    return define_numbers(values, "sizes", default, "Problem sizes.")


def define_count(
    values: flags.FlagValues, name: str, default: int, description: str
) -> flags.FlagHolder[int]:
    """Defines a flag of one positive integer."""
    return flags.DEFINE_integer(name, default, description, lower_bound=1, flag_values=values)
