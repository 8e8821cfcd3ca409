"""Parses a user's problem, given on the command line as JSON."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from nar.algorithms import find_algorithm
from nar.reading import parse_json


def parse_input(text: str) -> dict[str, Any]:
    """Parses the arguments of a problem by name, as for `nar.run_algorithm`.

    Raises:
      ValueError: if `text` is not a JSON object, has a key twice, or `edges` is not a list of lists.
    """
    try:
        arguments = parse_json(text)
    except ValueError as error:
        raise ValueError(f"--input is not valid JSON: {error}") from None
    if not isinstance(arguments, dict):
        raise ValueError(f"--input must be a JSON object of arguments by name, got {text:.200}")
    edges = arguments.get("edges", [])
    if not isinstance(edges, list) or not all(isinstance(edge, list) for edge in edges):
        raise ValueError(f"--input: edges must be a list of lists of nodes, got {edges}")
    return arguments


def check_names(algorithm: str, arguments: Mapping[str, Any], predict: Callable[..., Any]) -> None:
    """Raises ValueError if an argument of the problem has the name of an option of `predict`."""
    options = inspect.signature(predict).parameters.values()
    for option in options:
        if option.kind is option.KEYWORD_ONLY and option.name in arguments:
            known = ", ".join(find_algorithm(algorithm).problem.arguments)
            raise ValueError(f"--input: {algorithm}: unknown argument {option.name!r}; expected {known}")
