"""A report as one page that needs nothing else: no network, no script, light or dark as its reader has it."""

import html
import re
from collections.abc import Sequence
from typing import Any

from nar.reports.run_report.drawing import as_image, draw, draw_keys
from nar.reports.run_report.formats import as_latex, as_markdown
from nar.reports.run_report.palette import light
from nar.reports.run_report.panels import Bars, Curves, Panel
from nar.reports.run_report.tables import Table
from nar.reports.trace_viewer.page import asset


def report_page(title: str, facts: str, sections: Sequence[str]) -> str:
    """The page.

    Args:
      title: of it.
      facts: a line below the title.
      sections: as `section` makes them.
    """
    links = re.findall(r'<section id="([^"]*)"[^>]*>\s*<h2>(.*?)</h2>', "\n".join(sections))
    page = asset("report.html").replace("{{style}}", asset("palette.css") + asset("report.css"))
    page = page.replace("{{title}}", html.escape(title)).replace("{{facts}}", html.escape(facts))
    page = page.replace("{{links}}", "\n".join(f'<a href="#{name}">{text}</a>' for name, text in links))
    return page.replace("{{sections}}", "\n".join(sections))


def section(title: str, *parts: str) -> str:
    """A part of the page under a heading."""
    name = title.lower().replace(" ", "-")
    return f'<section id="{name}">\n<h2>{html.escape(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def notes(lines: Sequence[str]) -> str:
    """A list of lines."""
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def sources(table: Table) -> str:
    """The table in Markdown and LaTeX, folded, to be copied."""
    forms = (("Markdown", as_markdown(table)), ("LaTeX", as_latex(table)))
    return "\n".join(folded(name, f'<pre tabindex="0">{html.escape(text)}</pre>') for name, text in forms)


def folded(title: str, content: str) -> str:
    """What is shown on demand; nothing, if there is nothing."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>" if content else ""


def figures(name: str, panels: Sequence[Panel], note: str = "") -> str:
    """Panels side by side as far as there is room, with one legend above."""
    keys = [
        f"<li>{inline_svg(figure, f'{name}-key-{number}', '')}{html.escape(label)}</li>"
        for number, (label, figure) in enumerate(draw_keys(panels).items())
    ]
    drawn = [
        f"<figure>{inline_svg(draw([panel], has_legend=False), f'{name}-{number}', words_of(panel))}</figure>"
        for number, panel in enumerate(panels)
    ]
    text = f'<p class="note">{html.escape(note)}</p>' if note else ""
    legend = f'<ul class="keys">{"".join(keys)}</ul>'
    kind = "bars" if isinstance(panels[0], Bars) else "curves"
    return f'{text}{legend}\n<div class="{kind}">' + "\n".join(drawn) + "</div>"


def inline_svg(figure: Any, prefix: str, words: str) -> str:
    """A figure as a part of a page: its colors follow the page's, and its names are its own.

    Args:
      figure: of matplotlib.
      prefix: of all names in it.
      words: what it shows, for those who do not see it; empty if the text beside it says that.
    """
    svg = as_image(figure, "svg").decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", svg)
    svg = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{prefix}-\1"', svg)
    for name, value in light().items():
        svg = svg.replace(value, f"var(--{name})")
    view = re.findall(r'viewBox="[^"]*"', svg)[0]
    said = f'role="img" aria-label="{html.escape(words)}"' if words else 'aria-hidden="true"'
    opening = f"<svg {view} {said}>"
    return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)


def words_of(panel: Panel) -> str:
    """What a panel shows, in words: the end of each line, or the value of each bar."""
    if isinstance(panel, Curves):
        ends = [f"{line.label}: {line.points[-1][1]:.4g} at {line.points[-1][0]:g}" for line in panel.lines]
        return f"{panel.title}, by {panel.x_label}. {'; '.join(ends)}"
    assert isinstance(panel, Bars)
    values = [
        f"{row}: {one.label} {cell[0]:.2f}"
        for one in panel.ours
        for row, cell in zip(panel.rows, one.cells, strict=True)
        if cell
    ]
    return f"{panel.title}. {'; '.join(values)}"
