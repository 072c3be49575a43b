"""The results of a suite: numbers and a Markdown table."""

import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from spacy_rehearse import scorer
from spacy_rehearse.results import Measure, ResultsT, as_markdown, as_table, gather

from .methods import METHODS, TWO_PIPES
from .suites import Suite

RunT = Dict[str, Any]
ORDER = ("base", *METHODS, *TWO_PIPES)


def _last(key: str) -> Callable[[Mapping[str, Any]], Optional[float]]:
    return lambda run: run["steps"][-1].get(key)


def _dev(run: Mapping[str, Any]) -> Optional[float]:
    if run["method"].startswith("joint"):  # its dev set marks old labels, too
        return None
    told = run["steps"][-1].get("dev", {})
    return told.get("rehearsal_new_f", told.get("ents_f"))


MEASURES = (
    Measure("new F", _last("new")),
    Measure("new F on dev", _dev),
    Measure("old F", _last("old")),
    Measure("micro F", _last("micro")),
    Measure("macro F", _last("macro")),
    Measure("F against the base", _last("retention")),
    Measure("flood per 1,000 words", _last("flood"), ".2f", 1),
    Measure("BWT", lambda run: run.get("bwt")),
    Measure("forgetting", lambda run: run.get("forgetting")),
    Measure("new F ÷ naive", lambda run: None, ".2f", 1),
    Measure("gap closed", lambda run: None, ".2f", 1),
    Measure("CPU s", lambda run: sum(s["seconds"] for s in run["steps"]), ".0f", 1),
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


def summarise(runs: List[RunT], known: Optional[ResultsT] = None) -> ResultsT:
    """Gather the values of all seeds.

    runs (List[RunT]): The runs.
    known (Optional[ResultsT]): Earlier results: methods that have no run stay.
    RETURNS (ResultsT): For each method and measure, a value for each seed.
    """
    rows = {**(known or {}), **gather(runs, ORDER, MEASURES)}
    return _relate({name: rows[name] for name in ORDER if name in rows})


def _relate(results: ResultsT) -> ResultsT:
    """Add what needs other methods, too: of means over the seeds, so that there is no
    spread. That of the row alone would leave out the other's.
    """
    naive, joint = results.get("naive", {}), results.get("joint", {})
    for row in results.values():
        if "new F" in row and "new F" in naive:
            if best := scorer.mean(naive["new F"]):
                row["new F ÷ naive"] = [scorer.mean(row["new F"]) / best]
        if "old F" in row and "micro F" in joint and "micro F" in naive:
            ends = scorer.mean(naive["micro F"]), scorer.mean(joint["micro F"])
            if ends[0] != ends[1]:
                value = scorer.mean(row["micro F"])
                row["gap closed"] = [scorer.gap_closed(value, *ends)]
    return results


def table(results: ResultsT) -> str:
    """RETURNS (str): Mean ± standard deviation over the seeds, as Markdown."""
    return as_markdown(as_table(results, MEASURES))
