"""Machine code on disk is keyed by the code and the constants that were compiled."""

import importlib
import itertools
import sys

import numba
import pytest
from trace_checks import run_python

import nar
from nar.traces.recorder import code_digest as module
from nar.traces.recorder.code_digest import code_digest
from nar.traces.recorder.inlining import inline_yields

NUMBERS = itertools.count()

STEPS = """
import os
from typing import NamedTuple
import numpy as np
import {helper}
from {helper} import shift

LIMIT = int(os.environ.get("LIMIT", "3"))
TABLE = np.array([1, LIMIT])

class Hints(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray

def steps(A, s, pi):
    '''Yields one step.'''
    pi[:] = shift(s) + {helper}.FACTOR * 0 + TABLE[0] * 0
    for _ in range(LIMIT):
        yield Hints(np.zeros(len(A), np.int8), pi)
"""

HELPER = """
from numba.extending import register_jitable

FACTOR = 1

@register_jitable
def shift(s):
    return s * FACTOR
"""


class Modules:
    """A module with an algorithm, and one with a helper, in a folder on the Python path."""

    def __init__(self, folder):
        number = next(NUMBERS)
        self.folder, self.helper, self.name = folder, f"helper_{number}", f"steps_{number}"
        self.write(self.helper, HELPER)
        self.write(self.name, STEPS.format(helper=self.helper))

    def write(self, name, text):
        (self.folder / f"{name}.py").write_text(text)

    def fresh(self):
        """The generator, as a new process would import it."""
        for name in (self.helper, self.name):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(self.name).steps


@pytest.fixture
def modules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return Modules(tmp_path)


def test_digest_depends_on_code_and_constants(modules, monkeypatch):
    digests = [code_digest(modules.fresh())]
    assert digests[0] and code_digest(modules.fresh()) == digests[0]
    monkeypatch.setenv("LIMIT", "5")
    digests.append(code_digest(modules.fresh()))
    modules.write(modules.helper, HELPER.replace("FACTOR = 1", "FACTOR = 2"))
    digests.append(code_digest(modules.fresh()))
    modules.write(modules.helper, HELPER.replace("s * FACTOR", "s + FACTOR"))
    digests.append(code_digest(modules.fresh()))
    modules.write(modules.name, STEPS.format(helper=modules.helper).replace("np.zeros", "np.ones"))
    digests.append(code_digest(modules.fresh()))
    assert "" not in digests and len(set(digests)) == len(digests)


@pytest.mark.parametrize("edited", ["helper", "name"])
def test_files_edited_after_import_are_not_the_key_of_the_code_in_memory(modules, edited):
    steps = modules.fresh()
    before = code_digest(steps)
    name = getattr(modules, edited)
    path = modules.folder / f"{name}.py"
    text = path.read_text()
    path.write_text(text.replace("s * FACTOR", "s + FACTOR").replace("np.zeros", "np.ones"))
    assert code_digest(steps) == ""
    assert (inline_yields(steps, "function", __file__) is None) == (edited == "name")
    after = code_digest(modules.fresh())
    assert after not in ("", before)
    path.write_text(text)
    assert code_digest(steps) == before


def test_lines_added_after_import_do_not_shift_the_code(modules):
    steps = modules.fresh()
    modules.write(modules.name, "\n\n\n\n" + STEPS.format(helper=modules.helper))
    inlined = inline_yields(steps, "function", __file__)
    assert inlined is None or inlined.__name__ == "function"


def test_options_of_compiled_helpers_are_part_of_the_digest(modules):
    compiled = "import numba\n" + HELPER.replace("@register_jitable", "@numba.njit{}")
    digests = set()
    for options in ("", "(fastmath=True)"):
        modules.write(modules.helper, compiled.format(options))
        digests.add(code_digest(modules.fresh()))
    assert len(digests) == 2 and "" not in digests


@pytest.mark.parametrize("name", nar.ALGORITHMS)
def test_code_of_every_algorithm_has_a_digest(name):
    """Its machine code is therefore cached between processes."""
    algorithm = nar.ALGORITHMS[name]
    assert code_digest(algorithm.steps, algorithm.problem.probes)


def test_unknown_contents_have_no_digest():
    assert code_digest(closure(1)) == ""
    assert code_digest(reads_an_object) == ""
    scope = {}
    exec("def sourceless(s):\n    return s", scope)
    assert code_digest(scope["sourceless"]) == ""


def test_nothing_is_cached_without_sources(monkeypatch):
    monkeypatch.setattr(module, "SOURCE_DIGEST", "")
    assert code_digest(closure) == ""


def closure(number):
    return lambda s: s + number


class Content:
    """An object of a type that compiled code cannot use."""


CONTENT = Content()


def reads_an_object():
    return CONTENT


@numba.njit
def compiled_by_numba(s):
    return s + 1


def calls_compiled(s):
    return compiled_by_numba(s)


def test_functions_compiled_by_numba_are_followed():
    assert code_digest(calls_compiled) != ""


ALGORITHM = """
import dataclasses, pathlib, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import {name}
from nar.algorithms.graphs.bfs import BFS
from nar.traces import collect
if len(sys.argv) > 2:  # an edit between import and first use
    path = pathlib.Path(sys.argv[1], "{helper}.py")
    path.write_text(path.read_text().replace("s * FACTOR", "s + FACTOR"))
custom = dataclasses.replace(BFS, name="custom", steps={name}.steps)
batch = collect(custom, [(np.ones((3, 3)), 1)])
print(batch.outputs["pi"][0, 0], batch.lengths[0])
"""


@pytest.mark.jit
@pytest.mark.slow
def test_machine_code_is_never_stale(modules, tmp_path):
    code = ALGORITHM.format(name=modules.name, helper=modules.helper)
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run_python(code, tmp_path, "edit", **environment) == "1 3\n"
    assert run_python(code, tmp_path, **environment) == "2 3\n"
    assert run_python(code, tmp_path, **environment, LIMIT="5") == "2 5\n"


COMPILED = {
    "overload": """
from numba.extending import overload
def g(x): pass
@overload(g)
def implementation(x): return lambda x: x * 2
""",
    "intrinsic": """
from numba.extending import intrinsic
@intrinsic
def g(context, x): return x(x), lambda context, builder, signature, arguments: arguments[0 * 2]
""",
    "vectorize": "import numba\n@numba.vectorize\ndef g(x): return x * 2\n",
    "guvectorize": """
import numba
@numba.guvectorize(["void(int64[:],int64[:])"], "(n)->(n)")
def g(x, y):
    y[0] = x[0] * 2
""",
    "inlined": "import numba\n@numba.njit(inline='always')\ndef g(x): return x * 2\n",
    "nested": "import numba\n@numba.njit\ndef k(x): return x * 2\n@numba.njit\ndef g(x): return k(x)\n",
    "keyword": "import numba\n@numba.njit\ndef g(x, n=1 * 2): return x * n\n",
    "table of functions": "import numba\n@numba.njit\ndef a(x): return x * 2\ng = (a,)\n",
    "named tuple": "from typing import NamedTuple\nclass g(NamedTuple):\n    a: int = 1 * 2\n",
    "enum": "import enum\nclass g(enum.IntEnum):\n    A = 1 * 2\n",
    "class": "class g:\n    A = 1 * 2\n",
    "jitclass": """
import numba
from numba.experimental import jitclass
@jitclass([("a", numba.int64)])
class g:
    def __init__(self): self.a = 1 * 2
""",
    "closure": """
import numba
def make(n):
    @numba.njit
    def g(x): return x * n
    return g
g = make(1 * 2)
""",
    "cfunc": "import numba\n@numba.cfunc('int64(int64)')\ndef g(x): return x * 2\n",
}
NOT_CACHED = {"class", "jitclass", "closure", "cfunc"}
"""Kinds of objects without a digest: code that uses them is compiled in every process."""


@pytest.mark.parametrize("kind", COMPILED)
@pytest.mark.parametrize("use", ["from {0} import g\n\n", "import {0}\n\n"])
def test_everything_that_numba_compiles_is_part_of_the_digest(modules, kind, use):
    name = "g" if "from" in use else f"{modules.helper}.g"
    modules.write(modules.name, use.format(modules.helper) + f"def steps(x): return {name}")
    digests = []
    for text in (COMPILED[kind], COMPILED[kind], COMPILED[kind].replace("* 2", "* 3")):
        modules.write(modules.helper, text)
        digests.append(code_digest(modules.fresh()))
    assert digests[0] == digests[1]
    assert (digests == [""] * 3) if kind in NOT_CACHED else (digests[0] not in ("", digests[2]))


def test_overloads_of_functions_of_libraries_are_followed(modules):
    overload = """
import numpy as np
from numba.extending import overload
@overload(np.busday_offset)
def implementation(x): return lambda x: x * 2
"""
    modules.write(modules.helper, overload)
    use = f"import numpy as np, {modules.helper}\n"
    modules.write(modules.name, use + "def steps(x): return np.busday_offset(x)")
    steps = modules.fresh()
    assert code_digest(steps) != ""
    modules.write(modules.helper, overload.replace("* 2", "* 3"))
    assert code_digest(steps) == ""
