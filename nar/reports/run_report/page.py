"""A report as one self-contained HTML page: offline, without scripts, with light and dark color schemes."""

import html
import re
from collections.abc import Sequence
from typing import Any

from nar.reports.escape import escape_html
from nar.reports.run_report.drawing import as_image, draw, draw_keys
from nar.reports.run_report.palette import light
from nar.reports.run_report.panels import Bars, Curves, Panel
from nar.reports.tables import Table
from nar.reports.trace_viewer.page import asset, fill_template


def report_page(title: str, subtitle: str, sections: Sequence[str]) -> str:
    """Renders the page.

    Args:
      title: the title.
      subtitle: a line below the title.
      sections: sections, as `section` returns them.
    """
    links = re.findall(r'<section id="([^"]*)"[^>]*>\s*<h2>(.*?)</h2>', "\n".join(sections))
    return fill_template(
        "report.html",
        style=asset("palette.css") + asset("report.css"),
        title=escape_html(title),
        subtitle=escape_html(subtitle),
        links="\n".join(f'<a href="#{name}">{text}</a>' for name, text in links),
        sections="\n".join(sections),
    )


def section(title: str, *parts: str) -> str:
    """Renders a section of the page, with a heading."""
    name = title.lower().replace(" ", "-")
    return f'<section id="{name}">\n<h2>{escape_html(title)}</h2>\n' + "\n".join(parts) + "\n</section>"


def notes(lines: Sequence[str]) -> str:
    """Renders a bullet list; empty if there are no lines."""
    return "<ul>" + "".join(f"<li>{escape_html(line)}</li>" for line in lines) + "</ul>" if lines else ""


def sources(table: Table) -> str:
    """Renders the Markdown and LaTeX sources of the table, collapsed, to be copied."""
    formats = (("Markdown", table.as_markdown()), ("LaTeX", table.as_latex()))
    return "\n".join(folded(name, f'<pre tabindex="0">{html.escape(text)}</pre>') for name, text in formats)


def folded(title: str, content: str) -> str:
    """Renders collapsible content; empty if the content is empty."""
    return f"<details><summary>{escape_html(title)}</summary>{content}</details>" if content else ""


def figures(name: str, panels: Sequence[Panel], note: str = "") -> str:
    """Renders panels next to each other as far as they fit, with one legend above."""
    keys = [
        f"<li>{inline_svg(figure, f'{name}-key-{number}', '')}{escape_html(label)}</li>"
        for number, (label, figure) in enumerate(draw_keys(panels).items())
    ]
    drawn = [
        f"<figure>{inline_svg(draw([panel], has_legend=False), f'{name}-{number}', describe(panel))}</figure>"
        for number, panel in enumerate(panels)
    ]
    text = f'<p class="note">{escape_html(note)}</p>' if note else ""
    legend = f'<ul class="keys">{"".join(keys)}</ul>'
    kind = "bars" if isinstance(panels[0], Bars) else "curves"
    return f'{text}{legend}\n<div class="{kind}">' + "\n".join(drawn) + "</div>"


def inline_svg(figure: Any, prefix: str, label: str) -> str:
    """Renders a figure as inline SVG, with the page's color variables and unique ids.

    Args:
      figure: a matplotlib figure.
      prefix: prefix of all ids in it.
      label: text alternative for screen readers; empty if the surrounding text suffices.
    """
    svg = as_image(figure, "svg").decode()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]*>", lambda tag: _adapted_tag(tag[0], prefix), svg)
    view = re.findall(r'viewBox="[^"]*"', svg)[0]
    aria = f'role="img" aria-label="{escape_html(label)}"' if label else 'aria-hidden="true"'
    opening = f"<svg {view} {aria}>"
    return re.sub(r"<svg[^>]*>", lambda _: opening, svg, count=1)


def _adapted_tag(tag: str, prefix: str) -> str:
    """An SVG tag with unique ids and the color variables of the page."""
    tag = re.sub(r'<g id="[^"]*"', "<g", tag)
    tag = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}-\1"', tag)
    tag = re.sub(r"url\(#([^)]*)\)", rf"url(#{prefix}-\1)", tag)
    tag = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{prefix}-\1"', tag)
    for name, value in light().items():
        tag = tag.replace(value, f"var(--{name})")
    return tag


def describe(panel: Panel) -> str:
    """Describes a panel in words: the last point of each line, or the value of each bar."""
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
