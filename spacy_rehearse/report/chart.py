"""Charts as SVG, drawn in the page's own colours."""

import math
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from markupsafe import Markup

from .page import render

WIDTH, HEIGHT, MARGIN = 520, 400, 52  # pixels, so few that a phone can show them
LINE = 16  # between labels
LETTER = 7.2  # mean width of one in a label

PointT = Tuple[float, float]  # in percent


class Mark(NamedTuple):
    """A labelled point of a chart, in pixels.

    name (str): Its label.
    x (float): Its place.
    y (float): Its place.
    label_y (float): Where its label is.
    left (bool): Whether the label is on its left.
    strong (bool): Whether it is highlighted.
    tip (str): What is shown when it is pointed at.
    """

    name: str
    x: float
    y: float
    label_y: float
    left: bool
    strong: bool
    tip: str


def chart(
    points: Mapping[str, PointT],
    *,
    title: str,
    x_title: str,
    y_title: str,
    strong: Sequence[str] = (),
    joined: bool = False,
) -> Markup:
    """Draw named points.

    points (Mapping[str, Tuple[float, float]]): The points, in percent.
    title (str): What the chart shows, for those who do not see it.
    x_title (str): What is measured along.
    y_title (str): What is measured upwards.
    strong (Sequence[str]): Points to highlight.
    joined (bool): Whether they are steps of one way, in order.
    RETURNS (Markup): The SVG.
    """
    xs, ys = zip(*points.values(), strict=True)
    x_range, y_range = _range(xs), _range(ys)
    marks: List[Mark] = []
    for name, (x, y) in sorted(points.items(), key=lambda item: -item[1][1]):
        at_x = MARGIN + (WIDTH - 2 * MARGIN) * _share(x, x_range)
        at_y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * _share(y, y_range)
        left = at_x + 10 + LETTER * len(name) > WIDTH
        tip = f"{name}: {x_title} {x:.1f}, {y_title} {y:.1f}"
        label_y = _free(marks, at_x, at_y + 4, len(name), left)
        marks.append(Mark(name, at_x, at_y, label_y, left, name in strong, tip))
    place: Dict[str, Mark] = {mark.name: mark for mark in marks}
    way = [(place[name].x, place[name].y) for name in points] if joined else []
    svg = render(
        "chart.svg",
        width=WIDTH,
        height=HEIGHT,
        margin=MARGIN,
        title=title,
        x_title=x_title,
        y_title=y_title,
        marks=marks,
        way=way,
        x_ticks=_ticks(x_range, MARGIN, WIDTH - MARGIN),
        y_ticks=_ticks(y_range, HEIGHT - MARGIN, MARGIN),
    )
    return Markup(svg)


def _range(values: Sequence[float]) -> PointT:
    """Multiples of a round step around the values, none above 100 percent."""
    spread = max(values) - min(values)
    step = next(s for s in (1, 2, 5, 10, 20) if spread <= 6 * s or s == 20)
    low, high = math.floor(min(values) / step), math.ceil(max(values) / step)
    if low == high:
        low, high = (low - 1, high) if high * step >= 100 else (low, high + 1)
    return low * step, high * step


def _ticks(limits: PointT, start: float, end: float) -> List[Tuple[str, float]]:
    low, high = limits
    spread = high - low
    step = next(s for s in (1, 2, 5, 10, 20) if spread <= 7 * s or s == 20)
    n = int(spread // step) + 1
    values = [low + i * step for i in range(n)]
    return [(f"{v:g}", start + (end - start) * _share(v, limits)) for v in values]


def _share(value: float, limits: PointT) -> float:
    return (value - limits[0]) / (limits[1] - limits[0])


def _free(marks: List[Mark], x: float, y: float, n_letters: int, left: bool) -> float:
    """Move a label down until it covers no other, or up, above the axis."""
    span = _span(x, n_letters, left)
    taken = sorted(
        mark.label_y
        for mark in marks
        if _overlap(span, _span(mark.x, len(mark.name), mark.left))
    )
    down = y
    for other in taken:
        if abs(other - down) < LINE:
            down = other + LINE
    if down < HEIGHT - MARGIN + LINE / 2:
        return down
    for other in reversed(taken):
        if abs(other - y) < LINE:
            y = other - LINE
    return y


def _span(x: float, n_letters: int, left: bool) -> PointT:
    length = 10 + LETTER * n_letters
    return (x - length, x) if left else (x, x + length)


def _overlap(one: PointT, other: PointT) -> bool:
    return one[0] < other[1] and other[0] < one[1]
