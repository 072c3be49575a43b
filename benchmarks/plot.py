"""The results of a suite: a scatter plot of what was learnt against what was kept."""

import statistics
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from spacy_rehearse.results import ResultsT

LEARNT, KEPT = "new F", ("old F", "F against the base")


def plot(results: ResultsT, path: Path) -> None:
    """Draw what was kept against what was learnt.

    results (ResultsT): The results.
    path (Path): The PNG to write.
    """
    kept = next(key for key in KEPT if any(key in row for row in results.values()))
    figure = Figure(figsize=(8, 6))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for method, row in results.items():
        if kept in row and method != "base":
            x, y = (100 * statistics.mean(row[key]) for key in (LEARNT, kept))
            axes.scatter(x, y)
            axes.annotate(method, (x, y), xytext=(4, 4), textcoords="offset points")
    axes.set_xlabel("Learnt: F on the new labels")
    axes.set_ylabel(f"Kept: {kept}")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, bbox_inches="tight")
