"""`python -m spacy rehearse interpolate`."""

import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import typer
from spacy.cli._util import Arg, Opt
from spacy.util import load_config
from wasabi import msg

from ..files import write_whole, write_whole_folder
from ..forgetting import compare_pipelines
from ..gold import read_docs
from ..interpolate import interpolate
from ..progress import progress
from ..report.chart import chart
from ..report.page import render
from ..scorer import harmonic_mean
from ..teacher import load_pipeline
from . import rehearse_cli
from ._code import CODE
from ._fail import fail_on, require, require_free, require_kept
from ._texts import SKIP_INVALID, read_texts

STEPS = 10  # of a sweep


class Point(NamedTuple):
    """A point of a sweep.

    alpha (float): From 0, the base, to 1, the student.
    learnt (float): F of the new or corrected labels.
    kept (float): F of the old labels against gold or, where that marks none, agreement
        with the base.
    """

    alpha: float
    learnt: float
    kept: float


@rehearse_cli.command(
    "interpolate", short_help="Save a pipeline between base and student"
)
def interpolate_cli(
    base: str = Arg(..., help="The original pipeline: an installed package or a path"),
    student: str = Arg(..., help="The pipeline that was fine-tuned from it"),
    output_dir: Path = Arg(..., help="Where to save the pipeline between them"),
    alpha: Optional[float] = Opt(
        None, "--alpha", "-a", help="From 0, the base, to 1, the student"
    ),
    sweep: Optional[Path] = Opt(
        None,
        "--sweep",
        "-s",
        help="Annotated texts (.spacy) to choose alpha by: the best of eleven",
    ),
    pool: Optional[List[Path]] = Opt(
        None,
        "--pool",
        "-p",
        help="Raw text for the sweep, to see what is kept. Needed unless the annotated texts mark old labels, too. Repeatable",
    ),
    limit: int = Opt(
        1000,
        "--limit",
        "-l",
        help="At most so many texts of the pool, drawn at random, 0 for all",
    ),
    html: Optional[Path] = Opt(None, "--html", help="File for a chart of the sweep"),
    component: str = Opt(
        "ner", "--component", "-c", help="Name of the recogniser that learnt"
    ),
    as_json: bool = Opt(False, "--json", "-J", help="Print the sweep as JSON"),
    skip_invalid: bool = SKIP_INVALID,
    code: Optional[Path] = CODE,
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output"),
):
    """
    Save a pipeline whose weights are between a base's and its student's (WiSE-FT): a
    dial between what was known and what was learnt, after the training. Base and
    student stay as they are. Only where all weights learnt, as in --method distillation
    of init-config, is there anything between them: beside a column, the base's never
    moved.

    Examples: a pipeline nearer to the student, and the best on the dev set.

    \b
        python -m spacy rehearse interpolate en_core_web_sm \\
            distilled/model-best training/between --alpha 0.7

    \b
        python -m spacy rehearse interpolate en_core_web_sm \\
            distilled/model-best training/between --sweep dev.spacy \\
            --pool pool.jsonl --html sweep.html
    """
    require_free(output_dir, force, folder=True)
    if (alpha is None) == (sweep is None):
        msg.fail("Give either --alpha or --sweep", exits=1)
    if sweep is None and (html or pool):
        msg.fail("--html and --pool are for --sweep: give that, too", exits=1)
    for path, name in [(sweep, "--sweep"), *((x, "--pool") for x in pool or [])]:
        if path is not None:
            require(path, name)
    read = [sweep, *(pool or []), code]
    require_kept([output_dir, html], pipelines=[base, student], files=read)
    if output_dir.exists() and not _is_pipeline(output_dir):
        msg.fail(
            f"{output_dir} is no pipeline, or holds other files: it is not overwritten",
            exits=1,
        )
    if html is not None:
        if html.resolve().is_relative_to(output_dir.resolve()):
            msg.fail(f"{html} is inside {output_dir}: write it elsewhere", exits=1)
        require_free(html, force)
    with fail_on(ValueError, OSError):
        if sweep is not None:
            points = _sweep(
                base, student, component, sweep, pool or [], limit, skip_invalid
            )
            # Of those that are level, the one that is nearest to the base.
            best = max(points, key=lambda x: harmonic_mean(x.learnt, x.kept))
            alpha = best.alpha
            if not best.learnt:
                msg.warn(
                    f"Nothing was learnt at any point, by {sweep}", show=not as_json
                )
            _tell(points, alpha, as_json, html)
        assert alpha is not None
        before = load_pipeline(base, "base", "BASE")
        between = load_pipeline(student, "student", "STUDENT")
        n_moved = interpolate(before, between, component, alpha)
        # Scores of the student are not those of what is between.
        between.meta["performance"] = {}
        between.meta.get("spacy_rehearse", {}).pop("scores", None)
        between.meta["interpolated"] = {"alpha": alpha, "base": before.meta["name"]}
        write_whole_folder(output_dir, between.to_disk)
    if as_json:
        if sweep is None:
            typer.echo(json.dumps({"alpha": alpha, "weights_moved": n_moved}))
        return
    if not n_moved:
        msg.warn("Base and student have the same weights: alpha makes no difference")
    msg.good(f"Saved the pipeline at {alpha:g} between base and student")
    msg.text(str(output_dir))


def _is_pipeline(folder: Path) -> bool:
    """RETURNS (bool): Whether a folder holds a saved pipeline, and nothing else."""
    try:
        config = load_config(folder / "config.cfg")
    except (OSError, ValueError):
        return False
    own = {"config.cfg", "meta.json", "tokenizer", "vocab", *config["components"]}
    return (folder / "meta.json").exists() and own >= {x.name for x in folder.iterdir()}


def _sweep(
    base: str,
    student: str,
    component: str,
    data: Path,
    pool: List[Path],
    limit: int,
    skip_invalid: bool,
) -> List[Point]:
    before = load_pipeline(base, "base", "BASE")
    texts = read_texts(pool, limit, before, skip_invalid=skip_invalid).texts
    gold = read_docs(data, before.vocab)
    points = []
    for step in progress(range(STEPS + 1), unit=" steps", desc="Sweep"):
        between = load_pipeline(student, "student", "STUDENT")
        interpolate(before, between, component, step / STEPS)
        told = compare_pipelines(before, between, component, gold=gold, texts=texts)
        figures = told.summary()
        new_f, kept = figures["new_f"], figures["old_f"]
        kept = figures["retention"] if kept is None else kept
        if new_f is None or kept is None:
            raise ValueError(
                f"{data} must mark the new labels {told.new}, and old ones, too, "
                "unless there is raw text (--pool) in which the base finds some"
            )
        points.append(Point(step / STEPS, new_f, kept))
    return points


def _tell(
    points: List[Point], best: float, as_json: bool, html: Optional[Path]
) -> None:
    titles = ("alpha", "learnt: F of the new labels", "kept")
    rows = [[f"{x.alpha:g}", *(f"{100 * v:.1f}" for v in x[1:])] for x in points]
    if as_json:
        told = {"best": best, "points": [point._asdict() for point in points]}
        typer.echo(json.dumps(told, indent=2))
    else:
        msg.table(rows, header=titles, divider=True, aligns=("r", "r", "r"))
    if html is None:
        return
    places: Dict[str, tuple] = {
        f"{x.alpha:g}": (100 * x.learnt, 100 * x.kept) for x in points
    }
    page = render(
        "sweep.html",
        rows=[titles, *rows],
        best=f"{best:g}",
        chart=chart(
            places,
            title="What is kept against what is learnt, from base to student",
            x_title=titles[1],
            y_title=titles[2],
            strong=[f"{best:g}"],
            joined=True,
        ),
    )
    write_whole(html, page.encode("utf8"))
