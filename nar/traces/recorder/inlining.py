"""A generator of hints turned into a function that writes them.

numba compiles generators, but keeps their variables in memory from one step to the next and counts references
to all that they yield. Where each `yield Hints(...)` is replaced by writing the fields into their arrays, the
compiled code is twice as fast. The generator stays the only source: this is done to its syntax tree.
"""

import ast
import inspect
import textwrap
import types
from collections.abc import Callable
from typing import Any

from nar.traces.recorder.write_values import write, write_value

_HINTS, _PLACE, _FIRST, _LENGTH = "_hints", "_place", "_first", "_length"
_SCOPE = {"_write": write, "_write_value": write_value}


def inlined(steps: Callable[..., Any], name: str, file: str) -> types.FunctionType | None:
    """A function `(*parameters of steps, hints, place, first) -> length` that writes what is yielded.

    Args:
      steps: a generator that yields NamedTuples.
      name: of the new function.
      file: in which it says to be defined.

    Returns:
      The function; it writes step t to `hints[k][t, place]`, field by field, and returns the number of steps,
      or -1 where there is no room for one more. For `first` see `nar.traces.recorder.write_values.write`.
      None if the source of the generator is not to be had, or has a yield of another form.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(steps)))
    except (OSError, TypeError, SyntaxError):
        return None
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list or steps.__closure__:
        return None
    if inspect.getfullargspec(steps)[1:5] != (None, None, None, []):
        return None  # not only plain parameters
    scope = steps.__globals__
    yields = _Yields(scope)
    body = [statement for old in definition.body for statement in yields.statements(old)]
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for line in body for node in ast.walk(line)):
        return None
    definition.name = name
    definition.returns = None
    definition.args.args += [ast.arg(_HINTS), ast.arg(_PLACE), ast.arg(_FIRST)]
    definition.body = [*ast.parse(f"{_LENGTH} = 0").body, *body, *ast.parse(f"return {_LENGTH}").body]
    scope = {**scope, **_SCOPE}
    exec(compile(ast.fix_missing_locations(tree), file, "exec"), scope)
    return scope[name]


class _Yields(ast.NodeTransformer):
    """Replaces statements `yield value` and `return`."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._scope = scope
        self._count = 0

    def statements(self, statement: ast.stmt) -> list[ast.stmt]:
        """What stands for one statement."""
        changed = self.visit(statement)
        return changed if isinstance(changed, list) else [changed]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node  # a function of its own

    def visit_Return(self, node: ast.Return) -> ast.AST:
        return ast.Return(ast.Name(_LENGTH, ast.Load())) if node.value is None else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        if not isinstance(node.value, ast.Yield) or node.value.value is None:
            return node
        place = f"({_LENGTH}, {_PLACE})"
        fields = self._fields(node.value.value)
        if fields is None:
            writing = [f"_write({_HINTS}, {place}, {ast.unparse(node.value.value)}, {_FIRST})"]
        else:
            # Values get names first: numba 0.68 goes wrong where it inlines a call with a condition in it.
            names = [f"_{self._count}_{k}" for k in range(len(fields))]
            writing = [f"{name} = {field}" for name, field in zip(names, fields, strict=True)]
            writing += [
                f"_write_value({_HINTS}[{k}], {place}, {name}, {_FIRST} + {k})"
                for k, name in enumerate(names)
            ]
            self._count += 1
        lines = [f"if {_LENGTH} == len({_HINTS}[0]):", "    return -1", *writing, f"{_LENGTH} += 1"]
        return ast.parse("\n".join(lines)).body

    def _fields(self, value: ast.expr) -> list[str] | None:
        """The arguments in a call of a NamedTuple, in the order of its fields; None if it is no such call."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            return None
        names = getattr(self._scope.get(value.func.id), "_fields", None)
        if names is None or any(isinstance(argument, ast.Starred) for argument in value.args):
            return None
        given = dict(zip(names, value.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in value.keywords if keyword.arg}
        return [ast.unparse(given[name]) for name in names] if set(given) == set(names) else None
