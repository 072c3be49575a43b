"""The results of a suite: numbers and a Markdown table."""

import json
import statistics
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional

from spacy_rehearse import scorer

from .methods import METHODS, TWO_PIPES
from .suites import Suite

RunT = Dict[str, Any]
ResultsT = Dict[str, Dict[str, List[float]]]  # method, measure, a value for each seed
ORDER = ("base", *METHODS, *TWO_PIPES)


class Column(NamedTuple):
    """A column of the table.

    title (str): Its title.
    value (Callable[[RunT], Optional[float]]): The value of a run.
    form (str): How a number is shown.
    factor (int): What it is multiplied by first.
    """

    title: str
    value: Callable[[RunT], Optional[float]]
    form: str = ".1f"
    factor: int = 100


def _last(key: str) -> Callable[[RunT], Optional[float]]:
    return lambda run: run["steps"][-1].get(key)


def _dev(run: RunT) -> Optional[float]:
    told = run["steps"][-1].get("dev", {})
    return told.get("rehearsal_new_f", told.get("ents_f"))


COLUMNS = (
    Column("new F", _last("new")),
    Column("new F on dev", _dev),
    Column("old F", _last("old")),
    Column("micro F", _last("micro")),
    Column("macro F", _last("macro")),
    Column("F against the base", _last("retention")),
    Column("flood per 1,000 words", _last("flood"), ".2f", 1),
    Column("BWT", lambda run: run.get("bwt")),
    Column("forgetting", lambda run: run.get("forgetting")),
    Column("new F ÷ naive", lambda run: None, ".2f", 1),
    Column("gap closed", lambda run: None, ".2f", 1),
    Column("CPU s", lambda run: sum(s["seconds"] for s in run["steps"]), ".0f", 1),
)


def read_runs(folder: Path, plan: Suite) -> List[RunT]:
    """Read all finished runs, and add what the steps tell together.

    folder (Path): Where the runs' JSON files are.
    plan (Suite): The suite.
    RETURNS (List[RunT]): The runs.
    """
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    tasks = [plan.old, *(step.labels for step in plan.steps)]
    before = [run["steps"][0]["labels"] for run in runs if run["method"] == "base"]
    for run in runs:
        if plan.old and before:
            rows = [before[0], *(step["labels"] for step in run["steps"])]
            matrix = [
                [scorer.mean([row.get(x, 0.0) for x in task]) for task in tasks]
                for row in rows
            ]
            run["bwt"] = scorer.backward_transfer(matrix)
            run["forgetting"] = scorer.forgetting(matrix)
    return runs


def summarise(runs: List[RunT]) -> ResultsT:
    """Gather the values of all seeds.

    runs (List[RunT]): The runs.
    RETURNS (ResultsT): For each method and measure, a value for each seed.
    """
    results: ResultsT = {}
    for method in ORDER:
        mine = [run for run in runs if run["method"] == method]
        for column in COLUMNS:
            values = [column.value(run) for run in mine]
            known = [value for value in values if value is not None]
            if known:
                results.setdefault(method, {})[column.title] = known
    return _relate(results)


def _relate(results: ResultsT) -> ResultsT:
    """Add what needs other methods, too: their means over the seeds."""
    naive, joint = results.get("naive", {}), results.get("joint", {})
    for row in results.values():
        if "new F" in row and "new F" in naive:
            best = scorer.mean(naive["new F"])
            row["new F ÷ naive"] = [value / best for value in row["new F"]]
        if "old F" in row and "micro F" in joint and "micro F" in naive:
            ends = scorer.mean(naive["micro F"]), scorer.mean(joint["micro F"])
            row["gap closed"] = [
                scorer.gap_closed(value, *ends) for value in row["micro F"]
            ]
    return results


def table(results: ResultsT) -> str:
    """RETURNS (str): Mean ± standard deviation over the seeds, as Markdown."""
    shown = [c for c in COLUMNS if any(c.title in row for row in results.values())]
    lines = [f"| | seeds | {' | '.join(column.title for column in shown)} |"]
    lines.append("| --- " * (len(shown) + 2) + "|")
    for method, row in results.items():
        n_seeds = max(map(len, row.values()))
        cells = [_cell(row.get(column.title), column) for column in shown]
        lines.append(f"| {method} | {n_seeds} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(values: Optional[List[float]], column: Column) -> str:
    if not values:
        return ""
    values = [column.factor * value for value in values]
    text = f"{statistics.mean(values):{column.form}}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):{column.form}}"
    return text
