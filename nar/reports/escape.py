"""Text in the formats of reports: every name that enters one goes through the function of its format.

Names of runs, algorithms, metrics and settings are whatever users and file systems allow: they may have line
breaks, control characters, and characters with a meaning in one of the formats.
"""

import html
import re


def plain(text: str) -> str:
    """Text on one line, for terminals and text files: without control characters and undecodable bytes."""
    if text.isprintable():
        return text
    return "".join(_printable(letter) for letter in text)


def _printable(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else "\N{REPLACEMENT CHARACTER}"


_MARKDOWN = re.compile(r"[\\`*\[\]<|&~$]|(?<![^\W_])_|_(?![^\W_])")
"""Characters with a meaning in Markdown; an underscore has one only at the start or end of a word."""

_MARKDOWN_ENTITIES = {"<": "&lt;", "&": "&amp;"}
"""Not all programs that show Markdown know backslashes before these, which begin HTML."""

_MARKDOWN_START = re.compile(r"^(\d*)([#>=]|[-+](?!\.?\d)|(?<=\d)[.)](?=\s))")
"""Beginnings of headings, quotes and lists; not those of numbers."""


def escape_markdown(text: str) -> str:
    """Text as Markdown that shows it as it is, in a cell of a table or a paragraph."""
    escaped = _MARKDOWN.sub(lambda match: _MARKDOWN_ENTITIES.get(match[0], f"\\{match[0]}"), plain(text))
    return _MARKDOWN_START.sub(r"\1\\\2", escaped)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    # Protected, since both would be arguments of a row break before them.
    **{letter: f"{{{letter}}}" for letter in "[]*"},
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "†": r"\textsuperscript{\textdagger}",
    "–": "--",
    "…": r"\dots{}",
    "×": r"$\times$",
    "·": r"\textperiodcentered{}",
    "č": r"\v{c}",
    "ć": r"\'c",
}


def escape_latex(text: str) -> str:
    """Text as LaTeX, with the font encoding T1; letters that it doesn't have are shown by their numbers."""
    # LaTeX takes two hyphens as a dash, unless there are braces between them.
    return "{}".join("".join(map(_latex_letter, part)) for part in re.split("(?<=-)(?=-)", plain(text)))


def _latex_letter(letter: str) -> str:
    if letter in _LATEX or letter.isascii():
        return _LATEX.get(letter, letter)
    is_in_latin_1 = letter.isalpha() and ord(letter) < 256
    return letter if is_in_latin_1 else rf"\texttt{{U+{ord(letter):04X}}}"


def escape_html(text: str) -> str:
    """Text as HTML or SVG, in elements and in quoted attributes."""
    return html.escape(plain(text))


def escape_matplotlib(text: str) -> str:
    """Text for labels of matplotlib, which takes text between dollars as a formula.

    It also leaves out of legends whatever begins with an underscore.
    """
    escaped = plain(text).replace("$", r"\$")
    return f" {escaped}" if escaped.startswith("_") else escaped
