"""Results of several methods: mean and spread over seeds, and who is not beaten."""

import statistics
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

ResultsT = Dict[str, Dict[str, List[float]]]  # method, measure, a value for each seed


class Measure(NamedTuple):
    """Something measured in each run.

    title (str): Its title.
    value (Callable[[Mapping[str, Any]], Optional[float]]): Its value in a run, or None.
    form (str): How a number is shown.
    factor (int): What it is multiplied by first.
    """

    title: str
    value: Callable[[Mapping[str, Any]], Optional[float]]
    form: str = ".1f"
    factor: int = 100


def gather(
    runs: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    measures: Sequence[Measure],
) -> ResultsT:
    """Gather the values of all seeds.

    runs (Sequence[Mapping[str, Any]]): The runs, each with its "method".
    methods (Sequence[str]): The order of the rows.
    measures (Sequence[Measure]): What is measured.
    RETURNS (ResultsT): For each method and measure, a value for each seed. What is not
        known is left out.
    """
    results: ResultsT = {}
    for method in methods:
        mine = [run for run in runs if run["method"] == method]
        for measure in measures:
            values = [measure.value(run) for run in mine]
            known = [value for value in values if value is not None]
            if known:
                results.setdefault(method, {})[measure.title] = known
    return results


def as_table(results: ResultsT, measures: Sequence[Measure]) -> List[List[str]]:
    """RETURNS (List[List[str]]): Rows of cells, the titles first. Measures that no
    method has are left out.
    """
    shown = [m for m in measures if any(m.title in row for row in results.values())]
    rows = [["", "seeds", *(measure.title for measure in shown)]]
    for method, row in results.items():
        n_seeds = max(map(len, row.values()))
        cells = [as_cell(row.get(measure.title, []), measure) for measure in shown]
        rows.append([method, str(n_seeds), *cells])
    return rows


def as_cell(values: Sequence[float], measure: Measure) -> str:
    """RETURNS (str): Mean ± standard deviation. Empty for no value."""
    if not values:
        return ""
    values = [measure.factor * value for value in values]
    text = f"{statistics.mean(values):{measure.form}}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):{measure.form}}"
    return text


def as_markdown(rows: Sequence[Sequence[str]]) -> str:
    """RETURNS (str): A Markdown table of rows of cells."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    first, *rest = [f"| {' | '.join(row)} |\n" for row in escaped]
    return first + "| --- " * len(rows[0]) + "|\n" + "".join(rest)


def pareto_front(points: Mapping[str, Sequence[float]]) -> List[str]:
    """Find the methods that no other beats in all respects.

    points (Mapping[str, Sequence[float]]): What each reaches: more is better.
    RETURNS (List[str]): Those for which no other is at least as good everywhere, and
        better somewhere.
    """

    def beats(one: Sequence[float], other: Sequence[float]) -> bool:
        pairs = list(zip(one, other, strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    return [
        name
        for name, point in points.items()
        if not any(beats(rival, point) for rival in points.values())
    ]
