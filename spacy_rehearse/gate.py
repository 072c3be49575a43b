"""The gate: whether a student forgot more than is allowed."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .forgetting import FEWEST_TEXTS, Forgetting, LabelChange

FEWEST = 10  # entities of a label in the gold: with fewer, chance may decide
MOST_DROP = 100.0  # points of F
ROUNDING = 1e-9  # 90 to 88 is 2 points, and a little more as floats have it
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
    most_flood: Optional[float] = None,
) -> Verdict:
    """Judge a comparison.

    report (Forgetting): The comparison.
    least (Dict[str, float]): The least value of each figure, e.g. {"retention": 0.98}.
    most_drop (Optional[float]): By how many points the F of an old label may fall. Of a
        label with few entities in the gold, the whole interval must have fallen so far.
    most_flood (Optional[float]): How many entities of new labels there may be in 1,000
        words of raw text.
    RETURNS (Verdict): The verdict. A figure that can't be measured fails.
    RAISES (ValueError): As check_limits does.
    """
    check_limits(least, most_drop, most_flood)
    figures = report.summary()
    failures = []
    for name, limit in least.items():
        value = figures[name]
        if value is None:
            failures.append(f"{name} can't be measured with this data: {_needs(name)}")
        elif _exceeds(limit, value):
            failures.append(f"{name} is {value:.4f}, at least {limit:g} is asked for")
    if most_flood is not None:
        failures += _judge_flood(report.flood, most_flood)
    if most_drop is None:
        return Verdict(failures, [])
    drops, rare = _judge_drops(report, most_drop)
    return Verdict(failures + drops, rare)


def check_limits(
    least: Dict[str, float], most_drop: Optional[float], most_flood: Optional[float]
) -> None:
    """Raise a ValueError if there is no such figure, or a limit makes no sense.

    least (Dict[str, float]): The least value of each figure.
    most_drop (Optional[float]): By how many points the F of an old label may fall.
    most_flood (Optional[float]): How many new entities there may be in 1,000 words.
    """
    if most_drop is not None and not 0 <= most_drop < MOST_DROP:
        raise ValueError(
            f"a drop of {most_drop:g} points can't be allowed: expected 0 or more, "
            f"below {MOST_DROP:g}, e.g. 2 for 90 to 88"
        )
    if most_flood is not None and not most_flood >= 0:
        raise ValueError(
            f"a flood of {most_flood:g} can't be allowed: expected 0 or more entities "
            "in 1,000 words"
        )
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


def _judge_flood(flood: Optional[float], most: float) -> List[str]:
    if flood is None:
        return ["flood can't be measured with this data: it needs raw text (--pool)"]
    told = f"flood is {flood:.4g} entities in 1,000 words, {most:g} are allowed"
    return [told] if _exceeds(flood, most) else []


def _judge_drops(report: Forgetting, most: float) -> Tuple[List[str], List[str]]:
    """RETURNS (Tuple[List[str], List[str]]): Failures, and labels too rare to judge."""
    old = [scores for scores in report.labels if scores.label in report.old]
    fallen = [x for x in old if _has_fallen(x, most)]
    rare = [x for x in old if x.support < FEWEST and x not in fallen]
    failures = [_tell(scores, most) for scores in fallen]
    if len(rare) == len(old):
        failures.append(
            f"no old label can be judged: none has {FEWEST} entities in the annotated "
            "texts"
        )
    told = [f"{x.label} ({x.support})" for x in rare]
    unmarked = {*report.old} - {x.label for x in old}
    return failures, [*told, *(f"{label} (0)" for label in sorted(unmarked))]


def _has_fallen(scores: LabelChange, most: float) -> bool:
    if scores.support >= FEWEST:
        return _exceeds(-100 * scores.change, most)
    certain = _exceeds(-100 * scores.interval[1], most)
    return scores.n_texts >= FEWEST_TEXTS and certain


def _exceeds(value: float, limit: float) -> bool:
    return value - limit > ROUNDING


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
        return "it needs raw text (--pool) in which the base finds what is to be kept"
    kind = "new" if name == "new_f" else "old"
    return f"it needs text that marks the {kind} labels"


def _tell(scores: LabelChange, most: float) -> str:
    before, after = 100 * scores.before.fscore, 100 * scores.after.fscore
    low, high = (100 * value for value in scores.interval)
    return (
        f"{scores.label} fell by {before - after:.1f} points, {most:g} are allowed: F "
        f"{before:.1f} before, {after:.1f} after, of {scores.support} entities (95 % "
        f"interval of the change: {low:+.1f} to {high:+.1f})"
    )
