"""`python -m spacy rehearse evaluate`."""

import json
from pathlib import Path
from typing import Any, Dict, List, Optional

import typer
from spacy.cli._util import Arg, Opt
from spacy.language import Language
from wasabi import msg

from ..about import __version__
from ..files import write_whole
from ..forgetting import Forgetting, compare_pipelines, labels_of, learnt
from ..gate import FIGURES, Verdict, check_limits, judge, parse_limits
from ..gold import read_docs
from ..report.forgetting import (
    StepT,
    as_html,
    as_json,
    as_text,
    figures,
    kept_rows,
    label_rows,
)
from ..teacher import check_recogniser, load_pipeline
from . import rehearse_cli
from ._code import CODE
from ._fail import fail_on, require, require_different, require_free, require_kept
from ._lists import items_of
from ._texts import SKIP_INVALID, Sample, read_texts, show_progress


@rehearse_cli.command(
    "evaluate", short_help="What was learnt and forgotten; a gate for CI"
)
def evaluate_cli(
    before: str = Arg(..., help="The original pipeline: a package or a path"),
    after: str = Arg(..., help="The pipeline that was fine-tuned from it"),
    data: Path = Arg(..., help="Annotated texts: a .spacy file or a folder"),
    pool: Optional[List[Path]] = Opt(
        None,
        "--pool",
        "-p",
        help="Raw text to see on what both agree, best not that of the training, which was learnt. Repeatable",
    ),
    limit: int = Opt(
        2000,
        "--limit",
        "-l",
        help="At most so many texts of the pool, drawn at random, 0 for all",
    ),
    labels: Optional[str] = Opt(
        None,
        "--labels",
        help="Comma-separated labels that were learnt. By default those that only the second pipeline knows, or that its meta.json says were corrected",
    ),
    component: str = Opt("ner", "--component", "-c", help="Name of the recogniser"),
    html: Optional[Path] = Opt(None, "--html", help="File for the report to look at"),
    markdown: Optional[Path] = Opt(None, "--md", help="File for the tables"),
    log: Optional[Path] = Opt(
        None,
        "--log",
        help="Log of the training (output_file of the logger), for a chart in the HTML",
    ),
    show_texts: bool = Opt(
        False, "--show-texts", "-S", help="Show the texts that changed in the HTML"
    ),
    fail_under: Optional[List[str]] = Opt(
        None,
        "--fail-under",
        help=f"Exit with 1 if a figure is lower, e.g. retention=0.98. Figures: {', '.join(FIGURES)}. Repeatable",
    ),
    fail_drop: Optional[float] = Opt(
        None,
        "--fail-drop",
        help="Exit with 1 if the F of an old label fell by more points. Of labels with fewer than 10 entities in DATA, only what can't be chance counts",
    ),
    fail_flood: Optional[float] = Opt(
        None,
        "--fail-flood",
        help="Exit with 1 if there are more entities of new labels in 1,000 words of the pool",
    ),
    as_json_: bool = Opt(False, "--json", "-J", help="Print the figures as JSON"),
    skip_invalid: bool = SKIP_INVALID,
    code: Optional[Path] = CODE,
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output files"),
):
    """
    Compare a pipeline with the one it was fine-tuned from: what was learnt, what was
    forgotten, label by label, and which texts changed. Only labels that the annotated
    texts hold are scored; of the others, the pool shows what was kept.

    Example: a report, and a gate for continuous integration.

    \b
        python -m spacy rehearse evaluate en_core_web_sm \\
            training/model-best dev.spacy --pool pool.jsonl \\
            --html report.html --fail-under retention=0.98
    """
    for path, name in [(data, "DATA"), *((x, "--pool") for x in pool or [])]:
        require(path, name)
    if log is not None:
        require(log, "--log")
    require_different(html=html, markdown=markdown)
    read = [data, *(pool or []), log, code]
    require_kept([html, markdown], pipelines=[before, after], files=read)
    for output in (html, markdown):
        if output is not None:
            require_free(output, force)
    if html is None and (show_texts or log):
        msg.fail("--show-texts and --log are for the report: give --html, too", exits=1)
    with fail_on(ValueError, OSError):
        least = parse_limits(fail_under or [])
        check_limits(least, fail_drop, fail_flood)  # before the work
        base, student = _load(before, component), _load(after, component)
        raw = read_texts(pool or [], limit, base, skip_invalid=skip_invalid)
        new = items_of(labels) or None
        check_labels(base, student, component, new)
        report = compare_pipelines(
            base,
            student,
            component,
            gold=read_docs(data, base.vocab),
            texts=raw.texts,
            new=new,
            progress=show_progress,
        )
        verdict = judge(report, least=least, most_drop=fail_drop, most_flood=fail_flood)
        doubts = _doubts(base, student, component, report)
        about = {
            "before": f"{_name(base)} ({before})",
            "after": f"{_name(student)} ({after})",
            "annotated texts": str(data),
            **({"raw texts": f"{raw} in {', '.join(map(str, pool))}"} if pool else {}),
            **_settings(student),
            "spacy-rehearse": __version__,
        }
        if html is not None:
            steps = _read_steps(log) if log else []
            page = as_html(report, about=about, show_texts=show_texts, steps=steps)
            write_whole(html, page.encode("utf8"))
        if markdown is not None:
            write_whole(markdown, as_text(report).encode("utf8"))
    if as_json_:
        told = {**as_json(report), **verdict._asdict(), "warnings": doubts}
        typer.echo(json.dumps(told, indent=2))
    else:
        _show(report, raw)
        for output in (html, markdown):
            if output is not None:
                msg.good(f"Saved {output}")
        for doubt in doubts:
            msg.warn(doubt)
        is_gate = bool(least) or fail_drop is not None or fail_flood is not None
        _show_verdict(verdict, is_gate)
    if verdict.failures:
        raise typer.Exit(1)


def _show_verdict(verdict: Verdict, is_gate: bool) -> None:
    if verdict.unjudged:
        msg.warn(f"Too few entities to judge a drop: {', '.join(verdict.unjudged)}")
    for failure in verdict.failures:
        msg.fail(f"The gate fails: {failure}")
    if is_gate and not verdict.failures:
        msg.good("The gate passes")


def _read_steps(log: Path) -> List[StepT]:
    """New F and retention at each checkpoint, as the logger wrote them."""
    try:
        lines = [json.loads(line) for line in log.read_text("utf8").splitlines()]
        steps = [
            (str(x["step"]), x["scores"]["new_f"], x["scores"]["retention"], x["score"])
            for x in lines
            if {"new_f", "retention"} <= set(x["scores"] or {})
        ]
        if not steps:
            raise ValueError("no checkpoint with new_f and retention")
        return steps
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(
            f"{log} is no log of a training with rehearsal ({e}): "
            "spacy-rehearse.ConsoleLogger.v1 writes one if [training.logger] has an "
            "output_file"
        ) from e


def _load(source: str, component: str) -> Language:
    nlp = load_pipeline(source, "pipeline", "the argument")
    check_recogniser(nlp, component, f"pipeline {source!r}")
    return nlp


def _name(nlp: Language) -> str:
    return f"{nlp.meta['lang']}_{nlp.meta['name']} {nlp.meta['version']}"


def _settings(student: Language) -> Dict[str, str]:
    told: Dict[str, Any] = student.meta.get("spacy_rehearse", {})
    return {
        key: json.dumps(told[key])
        for key in ("teacher", "pool", "settings")
        if key in told
    }


def _show(report: Forgetting, raw: Sample) -> None:
    msg.table(figures(report), header=("figure", "value"), divider=True)
    for table in (label_rows(report), kept_rows(report)):
        if len(table) > 1:
            titles, *rows = table
            aligns = ["l", *["r"] * (len(titles) - 1)]
            msg.table(rows, header=titles, divider=True, aligns=aligns)
    both = ", annotated and raw" if report.n_texts else ""
    msg.text(f"{len(report.changed)} of {report.n_compared} texts changed{both}")
    if report.n_texts:
        msg.text(f"Raw texts looked at: {raw}")


def _doubts(
    base: Language, student: Language, component: str, report: Forgetting
) -> List[str]:
    """RETURNS (List[str]): What makes a comparison say less than it seems to."""
    doubts = []
    if labels_of(base, component) > labels_of(student, component):
        doubts.append(
            "The second pipeline lacks labels of the first: are they swapped?"
        )
    known = labels_of(base, component) | labels_of(student, component)
    if unknown := [x.label for x in report.labels if x.label not in known]:
        names = ", ".join(unknown)
        doubts.append(f"Neither pipeline knows {names}, which the texts mark")
    if not report.labels:
        doubts.append("The annotated texts hold no entity")
    elif unmarked := sorted({*report.new} - {x.label for x in report.labels}):
        doubts.append(
            f"The annotated texts mark no {', '.join(unmarked)}: what is found of it "
            "there is not counted"
        )
    return doubts


def check_labels(
    base: Language, student: Language, component: str, labels: Optional[List[str]]
) -> None:
    """Raise a ValueError if the student lacks a label that it is to have learnt, or if
    one is left out: it would count neither as new nor as old.
    """
    if labels is None:
        return
    known = labels_of(student, component)
    if unknown := [label for label in labels if label not in known]:
        raise ValueError(
            f"--labels: the pipeline has no {unknown}, only {sorted(known)}"
        )
    only_there = {*learnt(base, student, component)} - labels_of(base, component)
    if missing := sorted(only_there - {*labels}):
        raise ValueError(
            f"--labels leaves out {', '.join(missing)}, which only the second pipeline "
            "knows: add what is missing, or leave --labels out"
        )
