"""Learning curves of a run, drawn from its `metrics.jsonl`. Needs matplotlib (extra `plots`)."""

import json
import os
import pathlib


def draw_curves(metrics: pathlib.Path, picture: pathlib.Path) -> bool:
    """Losses of all probes and the validation score over steps, as PNG.

    Args:
      metrics: lines that a run wrote.
      picture: where to write; replaced as a whole.

    Returns:
      False if matplotlib is not installed and nothing was drawn.
    """
    try:
        import matplotlib.figure
    except ImportError:
        return False
    lines = [json.loads(line) for line in metrics.read_text().splitlines()]
    figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for name in sorted({key for line in lines for key in line if key.startswith("loss/")}):
        points = [(line["step"], line[name]) for line in lines if name in line]
        losses.plot(*zip(*points, strict=True), label=name.removeprefix("loss/"), linewidth=1.2)
    losses.set(title="training loss by probe", xlabel="step", yscale="log")
    names = sorted({key for line in lines for key in line if _is_score(key)})
    # The mean over tasks is a line of its own only where there are several.
    for name in names if len(names) > 2 else names[:1]:
        points = [(line["step"], 100 * line[name]) for line in lines if name in line]
        scores.plot(*zip(*points, strict=True), label=_score_label(name), marker=".", linewidth=1.2)
    scores.set(title="validation score (%)", xlabel="step", ylim=(0, 102))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="small", frameon=False)
    temporary = picture.with_name(f".{picture.name}.{os.getpid()}")
    figure.savefig(temporary, format="png", dpi=120)
    temporary.replace(picture)
    return True


def _is_score(key: str) -> bool:
    return key.startswith("validation/") and key.endswith("/score")


def _score_label(key: str) -> str:
    return "mean" if key == "validation/score" else key.removeprefix("validation/").removesuffix("/score")
