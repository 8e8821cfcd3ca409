"""Transforms a generator of hints into a function that writes the hints to arrays.

numba compiles generators, but keeps their variables in memory between steps and counts references to all
yielded values. Replacing each `yield Hints(...)` by writes to the hint arrays makes the compiled code twice
as fast. The generator stays the only source: the transformation works on its syntax tree.
"""

import ast
import inspect
import textwrap
import types
from typing import Any

from nar.traces.recorder.code_digest import source_in_memory
from nar.traces.recorder.write_values import write, write_value

_HINTS, _ROW, _FIRST, _LENGTH = "_hints", "_row", "_first", "_length"
_SCOPE = {"_write": write, "_write_value": write_value}


def inline_yields(steps: types.FunctionType, name: str, file: str) -> types.FunctionType | None:
    """Returns a function `(*parameters of steps, hints, row, first) -> length` that writes yielded values.

    Args:
      steps: a generator function that yields NamedTuples.
      name: name of the new function.
      file: file name that the new function reports.

    Returns:
      A function that writes field k of step t to `hints[k][t, row]` and returns the number of steps, or -1 if
      the arrays are full. For `first` see `nar.traces.recorder.write_values.write`.
      None if the source of the generator is unavailable, or if it yields other than by a statement.
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
    if source_in_memory(steps) is None:
        return None  # the file has changed since it was imported
    yields = _Yields(scope)
    body = [statement for old in definition.body for statement in yields.statements(old)]
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for line in body for node in ast.walk(line)):
        return None
    definition.name = name
    definition.returns = None
    definition.args.args += [ast.arg(_HINTS), ast.arg(_ROW), ast.arg(_FIRST)]
    definition.body = [*ast.parse(f"{_LENGTH} = 0").body, *body, *ast.parse(f"return {_LENGTH}").body]
    scope = {**scope, **_SCOPE}
    exec(compile(ast.fix_missing_locations(tree), file, "exec"), scope)
    return scope[name]


class _Yields(ast.NodeTransformer):
    """Replaces the statements `yield value` and `return`."""

    def __init__(self, scope: dict[str, Any]) -> None:
        self._scope = scope
        self._count = 0

    def statements(self, statement: ast.stmt) -> list[ast.stmt]:
        """The statements that replace one statement."""
        changed = self.visit(statement)
        return changed if isinstance(changed, list) else [changed]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return node  # yields of a nested function are its own

    def visit_Return(self, node: ast.Return) -> ast.AST:
        return ast.Return(ast.Name(_LENGTH, ast.Load())) if node.value is None else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        if not isinstance(node.value, ast.Yield) or node.value.value is None:
            return node
        leading = f"({_LENGTH}, {_ROW})"
        fields = self._fields(node.value.value)
        if fields is None:
            writing = [f"_write({_HINTS}, {leading}, {ast.unparse(node.value.value)}, {_FIRST})"]
        else:
            # Values are assigned to names first: numba 0.68 miscompiles inlined calls whose arguments branch.
            names = [f"_{self._count}_{k}" for k in range(len(fields))]
            writing = [f"{name} = {field}" for name, field in zip(names, fields, strict=True)]
            writing += [
                f"_write_value({_HINTS}[{k}], {leading}, {name}, {_FIRST} + {k})"
                for k, name in enumerate(names)
            ]
            self._count += 1
        lines = [f"if {_LENGTH} == len({_HINTS}[0]):", "    return -1", *writing, f"{_LENGTH} += 1"]
        return ast.parse("\n".join(lines)).body

    def _fields(self, value: ast.expr) -> list[str] | None:
        """Arguments of a NamedTuple constructor call in field order; None if the value is no such call."""
        if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name):
            return None
        names = getattr(self._scope.get(value.func.id), "_fields", None)
        if names is None or any(isinstance(argument, ast.Starred) for argument in value.args):
            return None
        given = dict(zip(names, value.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in value.keywords if keyword.arg}
        return [ast.unparse(given[name]) for name in names] if set(given) == set(names) else None
