"""The results of a suite: a scatter plot of what was learnt against what was kept."""

import statistics
from pathlib import Path
from typing import Sequence, Tuple

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spacy_rehearse.results import ResultsT

LEARNT, KEPT = "new F", ("old F", "F against the base")
# Shapes and colours in turn: 7 times 10 pairs, so that no two methods look alike.
MARKERS, COLOURS = "osD^vP*", [f"C{number}" for number in range(10)]


def plot(results: ResultsT, path: Path) -> None:
    """Draw what was kept against what was learnt, means and spread over the seeds.

    results (ResultsT): The results.
    path (Path): The PNG to write.
    """
    kept = next(key for key in KEPT if any(key in row for row in results.values()))
    figure = Figure(figsize=(10, 6))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = {name: row for name, row in results.items() if kept in row}
    rows.pop("base", None)
    for number, (method, row) in enumerate(rows.items()):
        (x, dx), (y, dy) = (_mean_and_spread(row[key]) for key in (LEARNT, kept))
        shape, colour = MARKERS[number % len(MARKERS)], COLOURS[number % len(COLOURS)]
        axes.errorbar(
            x, y, dy, dx, fmt=shape, color=colour, elinewidth=0.6, label=method
        )
    axes.set_xlabel("Learnt: F on the new labels")
    axes.set_ylabel(f"Kept: {kept}")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    figure.savefig(path, dpi=120, bbox_inches="tight")


def _mean_and_spread(values: Sequence[float]) -> Tuple[float, float]:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return 100 * statistics.mean(values), 100 * spread
