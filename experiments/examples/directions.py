"""A custom kind, angles: the algorithm computes the direction from the center of some points to each of them.

    python -m experiments.show --algorithm=experiments.examples.directions:DIRECTIONS --size=5
    python -m experiments.train --config=configs/base.py --workdir=runs/directions \
        --config.algorithms=experiments.examples.directions:DIRECTIONS

As plain numbers, the angles 3.1 and -3.1 would be far apart. `ANGLE` is a scalar with an encoder, a loss and
a score on the circle; everything else is that of scalars. The algorithm has a score of its own, too: points
near the center, whose direction is arbitrary, count less.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from nar.algorithms import Algorithm
from nar.kinds import Kind, Location, register_kind
from nar.model.encoders import Channels
from nar.problems import POINTS
from nar.specs import make_spec

TOLERANCE = 0.1
"""Largest error of a correct angle, in radians."""


def differences(truth, predicted):
    """Absolute differences of angles, from 0 to pi."""
    return np.abs((truth - predicted + np.pi) % (2 * np.pi) - np.pi)


def _encode(location):
    def channels(value, mask):
        del mask
        return Channels(location, (jnp.stack([jnp.cos(value), jnp.sin(value)], axis=-1),))

    return channels


ANGLE = register_kind(
    "angle",
    like=Kind.SCALAR,
    encode={location: _encode(location) for location in Location},
    loss=lambda truth, predicted: 1 - jnp.cos(truth.astype(predicted.dtype) - predicted),
    score=lambda truth, predicted: float((differences(truth, predicted) <= TOLERANCE).mean()),
    match=lambda truth, predicted: differences(truth, predicted) <= TOLERANCE,
    print=lambda value, node: f"{np.degrees(value):.0f}°",
)

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "x": (Location.NODE, Kind.SCALAR),
        "y": (Location.NODE, Kind.SCALAR),
    },
    hints={
        "center_x": (Location.GRAPH, Kind.SCALAR),
        "center_y": (Location.GRAPH, Kind.SCALAR),
        "angle_h": (Location.NODE, ANGLE),
        "i": (Location.NODE, Kind.MASK_ONE),
    },
    outputs={"angle": (Location.NODE, ANGLE)},
)


class Hints(NamedTuple):
    """Hints of one step.

    Attributes:
      center_x: mean x of the points so far.
      center_y: mean y of the points so far.
      angle_h: direction from the center to each of the points so far.
      i: the point that was added.
    """

    center_x: float
    center_y: float
    angle_h: np.ndarray
    i: int


def directions(xs, ys, angle):
    """Adds one point after another to the mean, and then has the direction of each."""
    n = len(xs)
    center_x = center_y = 0.0
    for i in range(n):
        center_x += (xs[i] - center_x) / (i + 1)
        center_y += (ys[i] - center_y) / (i + 1)
        for j in range(i + 1):
            angle[j] = np.arctan2(ys[j] - center_y, xs[j] - center_x)
        yield Hints(center_x, center_y, angle, i)


def score(inputs, truth, predicted):
    """The share of correct angles, each weighted by the distance of the point from the center."""
    x, y = (inputs[name] - inputs[name].mean() for name in ("x", "y"))
    correct = differences(truth["angle"], predicted["angle"]) <= TOLERANCE
    distances = np.hypot(x, y)
    return float(np.average(correct, weights=distances if distances.any() else None))


DIRECTIONS = Algorithm(
    name="directions",
    family="geometry",
    spec=SPEC,
    problem=POINTS,
    steps=directions,
    source="the mean of a stream of numbers: Knuth, The Art of Computer Programming 2, section 4.2.2",
    score=score,
)
