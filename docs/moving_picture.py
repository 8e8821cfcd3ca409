"""Draws breadth-first search, step by step, as an SVG that moves: the picture of the README.

python docs/moving_picture.py > docs/bfs.svg
"""

import numpy as np

import nar

EDGES = ((0, 1), (0, 2), (1, 3), (1, 4), (2, 4), (2, 5), (4, 6), (5, 7), (3, 8), (6, 9), (7, 9), (8, 9))
WIDTH, HEIGHT, RADIUS = 640, 260, 15
SECONDS_PER_STEP = 1.4
COLORS = {"card": "#ffffff", "rule": "#d5dbe3", "ink": "#1c2333", "node": "#eef1f5", "reached": "#2563b8"}


def moving_picture() -> str:
    """The picture as SVG."""
    trace = nar.run_algorithm("bfs", edges=EDGES, s=0)
    reached, parents = trace.hints["reach_h"] > 0, trace.hints["pi_h"]
    duration = f"{SECONDS_PER_STEP * (len(reached) + 1):g}s"
    places = positions(np.asarray(trace.outputs["pi"]))
    lines = [_edge(places, edge, _is_tree_edge(parents, edge), duration) for edge in EDGES]
    nodes = [_node(node, place, reached[:, node], duration) for node, place in enumerate(places)]
    captions = [_caption(step, reached, duration) for step in range(len(reached))]
    label = "Breadth-first search from node 0: reached nodes turn blue, level by level"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{label}" font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{COLORS["card"]}"/>',
            *lines,
            *nodes,
            *captions,
            "</svg>",
        ]
    )


def positions(parents: np.ndarray) -> list[tuple[float, float]]:
    """A column for each distance from the source, nodes evenly spaced in it."""
    levels = [_level(parents, node) for node in range(len(parents))]
    places = []
    for node, level in enumerate(levels):
        column = [other for other, its in enumerate(levels) if its == level]
        y = (column.index(node) + 0.5) / len(column) * (HEIGHT - 50) + 10
        places.append((60 + level * (WIDTH - 120) / max(levels), y))
    return places


def _level(parents: np.ndarray, node: int) -> int:
    return 0 if parents[node] == node else 1 + _level(parents, int(parents[node]))


def _is_tree_edge(parents: np.ndarray, edge: tuple[int, int]) -> np.ndarray:
    """For each step, whether one end of the edge is the predecessor of the other."""
    u, v = edge
    return (parents[:, u] == v) | (parents[:, v] == u)


def _animate(attribute: str, values: list[str], duration: str) -> str:
    """An animation of an attribute in steps; the last value stays for one step more."""
    listed = ";".join([*values, values[-1]])
    return (
        f'<animate attributeName="{attribute}" values="{listed}" dur="{duration}" calcMode="discrete" '
        'repeatCount="indefinite"/>'
    )


def _edge(
    places: list[tuple[float, float]], edge: tuple[int, int], is_tree: np.ndarray, duration: str
) -> str:
    (x1, y1), (x2, y2) = (places[node] for node in edge)
    colors = [COLORS["reached"] if one else COLORS["rule"] for one in is_tree]
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colors[-1]}" '
        f'stroke-width="2.5">{_animate("stroke", colors, duration)}</line>'
    )


def _node(node: int, place: tuple[float, float], reached: np.ndarray, duration: str) -> str:
    fills = [COLORS["reached"] if one else COLORS["node"] for one in reached]
    inks = [COLORS["card"] if one else COLORS["ink"] for one in reached]
    x, y = place
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}" fill="{fills[-1]}" stroke="{COLORS["ink"]}">'
        f"{_animate('fill', fills, duration)}</circle>"
        f'<text x="{x:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" fill="{inks[-1]}">{node}'
        f"{_animate('fill', inks, duration)}</text>"
    )


def _caption(step: int, reached: np.ndarray, duration: str) -> str:
    is_shown = ["visible" if other == step else "hidden" for other in range(len(reached))]
    text = f"step {step}: {int(reached[step].sum())} of {reached.shape[1]} nodes reached"
    return (
        f'<text x="{WIDTH / 2:g}" y="{HEIGHT - 12}" text-anchor="middle" fill="{COLORS["ink"]}" '
        f'visibility="{is_shown[-1]}">{text}{_animate("visibility", is_shown, duration)}</text>'
    )


if __name__ == "__main__":
    print(moving_picture())
