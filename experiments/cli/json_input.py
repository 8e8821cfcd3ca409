"""Parses a user's problem, given on the command line as JSON."""

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any

from nar.algorithms import find_algorithm
from nar.reading import parse_json


def parse_input(text: str) -> dict[str, Any]:
    """Parses the arguments of a problem by name, as for `nar.run_algorithm`.

    Raises:
      ValueError: if `text` is not a JSON object, has a key twice, or `edges` is not a list of lists.
    """
    return _check_arguments(_parse(text), text)


def parse_problems(text: str) -> dict[str, Any] | list[dict[str, Any]]:
    """Parses the arguments of a problem, or of several in a list; the errors are those of `parse_input`."""
    value = _parse(text)
    if isinstance(value, list):
        return [_check_arguments(one, json.dumps(one)) for one in value]
    return _check_arguments(value, text)


def _parse(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError as error:
        raise ValueError(f"--input is not valid JSON: {error}") from None


def _check_arguments(arguments: Any, text: str) -> dict[str, Any]:
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
