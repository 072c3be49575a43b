"""The gate: whether a student forgot more than is allowed."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from .forgetting import Forgetting, LabelScores

FEWEST = 10  # entities of a label in the gold: with fewer, chance decides
# Each with its least and its highest value.
FIGURES = {
    "new_f": (0.0, 1.0),
    "old_f": (0.0, 1.0),
    "all_f": (0.0, 1.0),
    "bwt": (-1.0, 1.0),
    "retention": (0.0, 1.0),
}


class Verdict(NamedTuple):
    """What the gate says.

    failures (List[str]): What is not good enough, with its figures.
    unjudged (List[str]): Labels too rare in the gold to be judged.
    """

    failures: List[str]
    unjudged: List[str]


def judge(
    report: Forgetting,
    *,
    least: Dict[str, float],
    most_drop: Optional[float] = None,
) -> Verdict:
    """Judge a comparison.

    report (Forgetting): The comparison.
    least (Dict[str, float]): The least value of each figure, e.g. {"retention": 0.98}.
    most_drop (Optional[float]): By how many points the F of an old label may fall.
    RETURNS (Verdict): The verdict. A figure that can't be measured fails.
    RAISES (ValueError): If there is no such figure, or a limit makes no sense.
    """
    if most_drop is not None and not most_drop >= 0:
        raise ValueError(
            f"a drop of {most_drop:g} points can't be allowed: expected 0 or more, "
            "e.g. 2 for 90 to 88"
        )
    figures = report.summary()
    failures = []
    for name, limit in least.items():
        if name not in FIGURES:
            raise ValueError(
                f"there is no figure {name!r}: expected one of {', '.join(FIGURES)}"
            )
        low, high = FIGURES[name]
        if not low <= limit <= high:
            raise ValueError(
                f"{name} is asked to be at least {limit:g}: it is a share, from "
                f"{low:g} to {high:g}, e.g. 0.98 for 98 %"
            )
        value = figures[name]
        if value is None:
            failures.append(f"{name} can't be measured with this data: {_needs(name)}")
        elif value < limit:
            failures.append(f"{name} is {value:.4f}, at least {limit:g} is asked for")
    old = [scores for scores in report.labels if scores.label in report.old]
    judged = [scores for scores in old if scores.support >= FEWEST]
    if most_drop is not None and not judged:
        failures.append(
            f"no old label can be judged: none has {FEWEST} entities in the annotated "
            "texts"
        )
    if most_drop is not None:
        failures += [
            _tell(scores, most_drop)
            for scores in judged
            if -100 * scores.change > most_drop
        ]
    rare = [f"{x.label} ({x.support})" for x in old if x not in judged]
    return Verdict(failures, rare if most_drop is not None else [])


def parse_limits(limits: Sequence[str]) -> Dict[str, float]:
    """Read limits such as "retention=0.98".

    limits (Sequence[str]): The limits.
    RETURNS (Dict[str, float]): The least value of each figure.
    RAISES (ValueError): If one is written otherwise.
    """
    parsed = {}
    for limit in limits:
        name, _, value = limit.partition("=")
        try:
            parsed[name.strip()] = float(value)
        except ValueError:
            raise ValueError(
                f"{limit!r} is no limit: expected a figure and its least value, e.g. "
                "retention=0.98"
            ) from None
    return parsed


def _needs(name: str) -> str:
    if name == "retention":
        return "it needs raw text (--pool)"
    kind = "new" if name == "new_f" else "old"
    return f"it needs text that marks the {kind} labels"


def _tell(scores: LabelScores, most: float) -> str:
    before, after = 100 * scores.before.fscore, 100 * scores.after.fscore
    low, high = (100 * value for value in scores.interval)
    return (
        f"{scores.label} fell by {before - after:.1f} points, {most:g} are allowed: F "
        f"{before:.1f} before, {after:.1f} after, of {scores.support} entities (95 % "
        f"interval of the change: {low:+.1f} to {high:+.1f})"
    )
