"""The vocabulary of the field: openings of docstrings, idioms and retired names that may not come back.

    python tests/house/test_words.py [PATH...]

prints every violation below the paths, with its line. `docs/glossary.md` has the terms to use instead.
"""

import ast
import pathlib
import re
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PLACES = ("nar", "experiments", "configs", "tests", "docs", "README.md", "CONTRIBUTING.md")
THIS = pathlib.Path(__file__).resolve()

OPENINGS = re.compile(r"(What|Whether|Which|Whose|Who|How|Of|That|Those|It|Where|When|If|As)\b")
"""First words of a summary that say neither what a thing is nor what it does."""

IDIOMS = (
    r"behind",  # after, following
    r"beside",  # next to, alongside
    r"anew",  # again, from scratch
    r"(?:go|goes|going|gone|went) on",  # continue, resume
    r"whose turn|owe[ds]?",  # scheduled, credit
    r"but for",  # except
    r"one way only",  # directed
    r"(?:cannot|can't) be told",  # is unknown
    r"so many",  # this many, as many
    r"luck of",  # varies with
    r"one'?s own",  # custom
    r"in vain",  # wasted
    r"hears?|heard",  # receives, is called with
    r"is asked|are asked|was asked|asked for",  # requested
    r"is handed|handed on",  # passed
    r"is told|are told|told of",  # is given
    r"comes? of it|come to be",  # results
    r"nothing but",  # only
    r"of all that",  # of everything
    r"for what suits",  # automatic
    r"by turns|in its turn",  # alternately
    r"rivals?|peers?",  # baseline, dm-clrs
)
"""Expressions that a native-speaking engineer would not use, and (in comments) what to write instead."""

BRITISH = (
    r"(?:optimis|initialis|normalis|generalis|randomis|summaris|recognis|parametris|serialis|vectoris"
    r"|discretis|minimis|maximis|regularis|quantis|synchronis|organis|visualis)(?:e|es|ed|er|ers|ing|ation|ations)\w*",
    r"(?:behaviour|neighbour|colour|favour|honour)\w*",
    r"centre\w*|grey",
)
"""Spellings, also at the end of a longer word; identifiers and prose are American."""

RETIRED = (
    r"optimiser\w*|average_decay|start_from|start_parts|start_renames|gradient_clip|checkpoint_every",
    r"learning_rate_factors|weight_decay_except|replicas?|lanes?|pointable|in_type|add_offset",
    r"nar\.batches|nar\.names|nar\.files|nar\.spread",
    r"RunParts|make_recorder|kill_test|latex_text",
    r"position_room|most_characters|longest_wave|stepwise\w*|foreseen|--most",
)
"""Names of earlier versions."""

TEXT = {".py", ".md", ".html", ".js", ".css"}


def files(*paths: pathlib.Path) -> Iterator[pathlib.Path]:
    """Files of text below the paths, but for this one."""
    for path in paths:
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in found if one.suffix in TEXT and one.resolve() != THIS)


def weak_openings(path: pathlib.Path) -> Iterator[tuple[int, str]]:
    """Lines and summaries of docstrings that begin with one of `OPENINGS`."""
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        bodies = [node.body] if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) else []
        for body in bodies:
            strings = [one.value for one in body if isinstance(one, ast.Expr)]
            for one in strings:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    summary = one.value.strip().split("\n")[0]
                    if OPENINGS.match(summary):
                        yield one.lineno, summary


def matches(path: pathlib.Path, expression: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Lines in which the expression is found."""
    text = path.read_text().lower()
    if expression.search(text):
        for number, line in enumerate(text.splitlines(), 1):
            if expression.search(line):
                yield number, line.strip()


def whole_words(patterns: tuple[str, ...], letter: str) -> str:
    """Expression of patterns between characters other than `letter`s."""
    return rf"(?<!{letter})(?:{'|'.join(patterns)})(?!{letter})"


EXPRESSIONS = {
    "idiom": re.compile(whole_words(IDIOMS, "[a-z0-9-]")),  # also inside of identifiers
    "spelling": re.compile(rf"(?:{'|'.join(BRITISH)})(?![a-z0-9-])"),
    "retired": re.compile(whole_words(tuple(map(str.lower, RETIRED)), r"[\w-]")),
}


def violations(*paths: pathlib.Path) -> list[str]:
    """All of them, as `file:line: kind: text`."""
    found = []
    for path in files(*paths):
        name = path.resolve().relative_to(ROOT)
        found += [f"{name}:{line}: opening: {text}" for line, text in weak_openings(path)]
        for kind, expression in EXPRESSIONS.items():
            found += [f"{name}:{line}: {kind}: {text}" for line, text in matches(path, expression)]
    return found


@pytest.mark.parametrize("place", PLACES)
def test_vocabulary(place):
    assert not violations(ROOT / place)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('"""Whether it is so."""', "opening"),
        ("x = 1  # the steps behind the last one", "idiom"),
        ("def test_scores_beside_others(): ...", "idiom"),
        ("optimiser = None", "spelling"),
        ("num = config.training.start_from", "retired"),
    ],
)
def test_a_violation_is_found(tmp_path, monkeypatch, text, kind):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "a.py").write_text(text + "\n")
    assert any(f": {kind}: " in one for one in violations(tmp_path))


if __name__ == "__main__":
    print("\n".join(violations(*map(pathlib.Path, sys.argv[1:] or [ROOT / place for place in PLACES]))))
