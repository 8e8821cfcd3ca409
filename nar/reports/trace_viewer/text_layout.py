"""How text is laid out in a terminal: its width, what is colored or marked, and what is cut."""

import dataclasses
from collections.abc import Sequence

MARK = "*"
"""Stands behind what changed, and before the name of its probe, where there is no color."""

WRONG = "!"
"""Stands behind what is wrong, with color and without."""

_CHANGED, _TITLE, _FAINT, _PLAIN = "\033[1;33m", "\033[1m", "\033[2m", "\033[0m"
_WRONG = "\033[1;31m"


@dataclasses.dataclass(frozen=True)
class Layout:
    """How wide text may be, and whether it is colored."""

    width: int = 100
    color: bool = False

    def changed(self, text: str) -> str:
        """Text of an entry that changed."""
        return f"{_CHANGED}{text}{_PLAIN}" if self.color else text + MARK

    def same(self, text: str) -> str:
        """Text of an entry that did not; as wide as one that did."""
        return text if self.color else text + " "

    def judged(self, text: str, is_wrong: bool) -> str:
        """Text of an entry that is right or wrong, and a place for the mark behind it."""
        if not is_wrong:
            return text + " "
        return f"{_WRONG}{text}{WRONG}{_PLAIN}" if self.color else text + WRONG

    def title(self, text: str) -> str:
        """A title of a stage or step."""
        return f"{_TITLE}{text}{_PLAIN}" if self.color else text

    def faint(self, text: str) -> str:
        """Text beside the matter."""
        return f"{_FAINT}{text}{_PLAIN}" if self.color else text

    def name(self, name: str, changed: bool, width: int) -> str:
        """The name of a probe at the start of a line, marked if any entry changed."""
        if self.color:
            return "  " + (self.changed(name) if changed else name) + " " * (width - len(name))
        return f"{MARK if changed else ' '} {name:{width}}"


def cut(text: str, width: int) -> str:
    """Plain text of at most this width."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def flow(items: Sequence[tuple[int, str]], indent: str, width: int, most_lines: int) -> list[str]:
    """Items (width, text) side by side over at most so many lines; says how many are left out."""
    lines, used, room = [indent], len(indent), width - len(f"… {len(items)} more")
    for index, (length, text) in enumerate(items):
        if used + length + 2 > room and used > len(indent):
            if len(lines) == most_lines:
                rest = f"… {len(items) - index} more"
                # An item that takes a line by itself leaves no room.
                return [*lines[:-1], lines[-1] + rest] if used <= room else [*lines, indent + rest]
            lines.append(indent)
            used = len(indent)
        lines[-1] += text + "  "
        used += length + 2
    return lines
