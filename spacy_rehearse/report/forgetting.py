"""The forgetting report: as HTML to look at, as Markdown and JSON to keep."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from markupsafe import Markup, escape
from spacy import displacy

from ..forgetting import FEWEST_TEXTS, NOTHING, Changed, Forgetting, LabelChange
from ..results import as_markdown
from ..teacher import Entity
from .chart import chart
from .definitions import DEFINITIONS
from .page import render

MOST_SHOWN = 500  # texts: a browser has to draw them
HUES = ("#a5d8ff", "#ffd8a8", "#b2f2bb", "#eebefa", "#ffec99", "#99e9f2", "#ffc9c9")
FIGURES = {
    "new_f": "new F",
    "old_f_before": "old F before",
    "old_f": "old F",
    "all_f": "all F",
    "bwt": "BWT",
    "retention": "retention",
    "flood": "flood per 1,000 words",
}
TITLES = ["", "entities", "P before", "R before", "F before"]
TITLES += ["P", "R", "F", "change in F", "95 % interval"]
KEPT_TITLES = ["on raw text", "before", "after", "both", "agreement"]


# A checkpoint's step, new F and retention, in percent, and the score it is chosen by.
StepT = Tuple[str, float, float, float]


def as_html(
    report: Forgetting,
    *,
    about: Mapping[str, str],
    show_texts: bool,
    steps: Sequence[StepT] = (),
) -> str:
    """Render a comparison.

    report (Forgetting): The comparison.
    about (Mapping[str, str]): What was compared: names, versions, settings.
    show_texts (bool): Whether the page may hold the texts that changed.
    steps (Sequence[StepT]): The checkpoints of the training. The best is highlighted.
    RETURNS (str): The page.
    """
    shown = report.changed[:MOST_SHOWN] if show_texts else []
    points = {step: (x, y) for step, x, y, _ in steps}
    return render(
        "forgetting.html",
        about=about,
        figures=figures(report),
        definitions=DEFINITIONS,
        rows=label_rows(report),
        kept=kept_rows(report),
        confusion=confusion_rows(report),
        n_changed=len(report.changed),
        show_texts=show_texts,
        shown=[_changed(text, _colours(report)) for text in shown],
        labels=sorted({e[2] for x in shown for e in (*x.before, *x.after)}),
        chart=points
        and chart(
            points,
            title="Retention and F of the new labels over the training",
            x_title="learnt: F of the new labels",
            y_title="kept: agreement with the base",
            # Of those that are level, spaCy saves the last.
            strong=[max(reversed(steps), key=lambda step: step[3])[0]],
            joined=True,
        ),
    )


def as_text(report: Forgetting) -> str:
    """RETURNS (str): The figures and the labels, as Markdown. No text is in it."""
    told = [[title, shown] for title, shown in figures(report)]
    parts = [as_markdown([["", "value"], *told]), as_markdown(label_rows(report))]
    parts += [as_markdown(rows) for rows in [kept_rows(report)] if rows]
    if changes := confusion_rows(report):
        parts.append(as_markdown([["before", "after", "entities"], *changes]))
    return "\n".join(parts)


def as_json(report: Forgetting) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The figures and the labels. No text is in it."""
    return {
        "figures": report.summary(),
        "labels": {
            scores.label: {
                "new": scores.is_new,
                "support": scores.support,
                "before": scores.before.to_dict(),
                "after": scores.after.to_dict(),
                "change_interval_95": _interval(scores),
            }
            for scores in report.labels
        },
        "kept": {
            label: {"before": b, "after": a, "both": both, "agreement": f}
            for label, b, a, both, f in _kept(report)
        },
        "confusion": [
            {"before": before, "after": after, "entities": n}
            for (before, after), n in report.confusion.most_common()
        ],
        "raw_texts": report.n_texts,
        "changed_texts": len(report.changed),
    }


def _interval(scores: LabelChange) -> Optional[List[float]]:
    """None where it is of too few texts to mean anything."""
    return list(scores.interval) if scores.n_texts >= FEWEST_TEXTS else None


def figures(report: Forgetting) -> List[Tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): Titles and values of what is known."""
    values = report.summary()
    return [
        (title, f"{value:.2f}" if key == "flood" else f"{100 * value:.1f}")
        for key, title in FIGURES.items()
        for value in [values[key]]
        if value is not None
    ]


def label_rows(report: Forgetting) -> List[List[str]]:
    """RETURNS (List[List[str]]): A table of the labels, the titles first; old labels
    before new ones.
    """
    rows = [list(TITLES)]
    for x in sorted(report.labels, key=lambda x: (x.is_new, x.label)):
        scores = [
            f"{100 * value:.1f}"
            for prf in (x.before, x.after)
            for value in (prf.precision, prf.recall, prf.fscore)
        ]
        low, high = (100 * value for value in x.interval)
        name = _named(x.label, report) if x.is_new else x.label
        change = f"{100 * x.change:+.1f}"
        interval = f"{low:+.1f} to {high:+.1f}" if x.n_texts >= FEWEST_TEXTS else ""
        rows.append([name, str(x.support), *scores, change, interval])
    return rows


def kept_rows(report: Forgetting) -> List[List[str]]:
    """RETURNS (List[List[str]]): A table of the base's labels on raw text, the titles
    first, then what was kept least: how many entities the base and the student see, how
    many both, and the F-score of one against the other. Empty without any.
    """
    rows = [
        [_named(label, report), str(before), str(after), str(both), f"{100 * f:.1f}"]
        for label, before, after, both, f in _kept(report)
    ]
    return [KEPT_TITLES, *rows] if rows else []


def _named(label: str, report: Forgetting) -> str:
    if label in report.corrected:
        return f"{label} (corrected)"
    return f"{label} (new)" if label in report.new else label


def _kept(report: Forgetting) -> List[Tuple[str, int, int, int, float]]:
    told = [
        (label, prf.tp + prf.fn, prf.tp + prf.fp, prf.tp, prf.fscore)
        for label, prf in report.kept_by_label.items()
    ]
    return sorted(told, key=lambda x: x[-1])


def confusion_rows(report: Forgetting) -> List[List[str]]:
    """RETURNS (List[List[str]]): What changed most: before, after, how often."""
    names = {NOTHING: "no entity"}
    return [
        [names.get(before, before), names.get(after, after), str(n)]
        for (before, after), n in report.confusion.most_common()
        if before != after
    ]


def _colours(report: Forgetting) -> Dict[str, str]:
    labels = sorted({x for e in report.changed for _, _, x in (*e.before, *e.after)})
    return {label: HUES[i % len(HUES)] for i, label in enumerate(labels)}


def _changed(changed: Changed, colours: Mapping[str, str]) -> Dict[str, Any]:
    entities = (*changed.before, *changed.after)
    return {
        "n_lost": changed.n_lost,
        "labels": sorted({label for _, _, label in entities}),
        "before": _draw(changed.text, changed.before, colours),
        "after": _draw(changed.text, changed.after, colours),
    }


def _draw(text: str, entities: Sequence[Entity], colours: Mapping[str, str]) -> Markup:
    ents = [{"start": s, "end": e, "label": escape(x)} for s, e, x in entities]
    drawn = displacy.render(
        {"text": text, "ents": ents, "title": None},
        style="ent",
        manual=True,
        jupyter=False,
        options={"colors": {str(escape(x)): y for x, y in colours.items()}},
    )
    return Markup(drawn)  # displaCy escapes the text, and not the labels
