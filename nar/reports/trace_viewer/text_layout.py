"""Layout of text in a terminal: width, colors, marks and truncation."""

import dataclasses
from collections.abc import Sequence

MARK = "*"
"""Mark after a changed entry, and before the name of its probe, if there is no color."""

WRONG = "!"
"""Mark after a wrong entry, with or without color."""

_CHANGED, _TITLE, _FAINT, _PLAIN = "\033[1;33m", "\033[1m", "\033[2m", "\033[0m"
_WRONG = "\033[1;31m"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Maximum width of the text, and whether to use color."""

    width: int = 100
    color: bool = False

    def changed(self, text: str) -> str:
        """Formats an entry that changed."""
        return f"{_CHANGED}{text}{_PLAIN}" if self.color else text + MARK

    def same(self, text: str) -> str:
        """Formats an unchanged entry, as wide as a changed one."""
        return text if self.color else text + " "

    def checked(self, text: str, is_wrong: bool) -> str:
        """Formats a correct or wrong entry, with one column for the mark that follows it."""
        if not is_wrong:
            return text + " "
        return f"{_WRONG}{text}{WRONG}{_PLAIN}" if self.color else text + WRONG

    def title(self, text: str) -> str:
        """Formats the title of a stage or step."""
        return f"{_TITLE}{text}{_PLAIN}" if self.color else text

    def faint(self, text: str) -> str:
        """Formats secondary text."""
        return f"{_FAINT}{text}{_PLAIN}" if self.color else text

    def name(self, name: str, changed: bool, width: int) -> str:
        """Formats the name of a probe at the start of a line, marked if any entry changed."""
        if self.color:
            return "  " + (self.changed(name) if changed else name) + " " * (width - len(name))
        return f"{MARK if changed else ' '} {name:{width}}"


def cut(text: str, width: int) -> str:
    """Truncates plain text to this width."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def flow(items: Sequence[tuple[int, str]], indent: str, width: int, max_lines: int) -> list[str]:
    """Wraps items (width, text) over at most `max_lines` lines; a note counts those left out."""
    lines, used, limit = [indent], len(indent), width - len(f"… {len(items)} more")
    for index, (length, text) in enumerate(items):
        if used + length + 2 > limit and used > len(indent):
            if len(lines) == max_lines:
                rest = f"… {len(items) - index} more"
                # An item as wide as the line leaves no space for the note.
                return [*lines[:-1], lines[-1] + rest] if used <= limit else [*lines, indent + rest]
            lines.append(indent)
            used = len(indent)
        lines[-1] += text + "  "
        used += length + 2
    return lines
