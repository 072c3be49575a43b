"""`python -m spacy rehearse init-config`."""

import os
from pathlib import Path
from shlex import quote
from subprocess import list2cmdline
from typing import Any, List, Optional, Sequence

import spacy
import typer
from spacy.cli._util import Arg, Opt
from thinc.api import Config
from wasabi import msg

from .. import init_config, recipe
from ..column_fit import copy_fits
from ..corpus import create_raw_text_v1
from ..explain import describe_base, explain
from ..files import write_whole
from ..gold import resolve_labels
from ..labelling import count_texts
from ..methods import METHODS, REHEARSAL, method_config
from ..teacher import load_pipeline
from . import rehearse_cli
from ._code import CODE
from ._comments import with_comments
from ._fail import fail_on, require, require_different, require_free, require_kept
from ._lists import items_of
from ._texts import SKIP_INVALID


@rehearse_cli.command("init-config", short_help="Write the config for `spacy train`")
def init_config_cli(
    output_file: Path = Arg(..., help="File to save the config to"),
    base: str = Opt(
        ...,
        "--base",
        "-b",
        help="The pipeline to fine-tune: an installed package or a path",
    ),
    train: Path = Opt(
        ...,
        "--train",
        "-t",
        help="Gold to train on: .spacy file or folder, annotated for the new labels only",
    ),
    dev: Path = Opt(
        ...,
        "--dev",
        "-d",
        help="Gold to choose the checkpoint by, annotated like the training gold",
    ),
    pool: Optional[List[Path]] = Opt(
        None,
        "--pool",
        "-p",
        help="Raw text to rehearse on: .txt, .jsonl, .jsonl.gz, .spacy or a folder. Repeat it for several. Not needed by methods that learn nothing from it",
    ),
    labels: Optional[str] = Opt(
        None,
        "--labels",
        "-l",
        help="Comma-separated labels that the gold marks in full. By default those that the base lacks",
    ),
    component: str = Opt(
        "ner", "--component", "-c", help="Name of the base's entity recogniser"
    ),
    naive: bool = Opt(
        False,
        "--naive",
        help="Write the config of naive fine-tuning instead, without rehearsal, to compare with",
    ),
    method: str = Opt(
        REHEARSAL, "--method", "-m", help=f"What to train by: {', '.join(METHODS)}"
    ),
    dry_run: bool = Opt(
        False,
        "--dry-run",
        "-D",
        help="Write nothing: show what was found about base and gold, and why each setting is what it is",
    ),
    memory: Optional[Path] = Opt(
        None,
        "--memory",
        help="File that keeps some of the annotated texts for later rounds, where more labels come, and replays those of earlier ones. The first round makes it",
    ),
    gpu: bool = Opt(False, "--gpu", "-G", help="Train on a GPU"),
    skip_invalid: bool = SKIP_INVALID,
    code: Optional[Path] = CODE,
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output file"),
):
    """
    Write a complete, commented config that adds labels to a pipeline without
    forgetting the old ones. Use it with `spacy train`, as it is.

    Example: a base that is to learn DRUG from the texts in train.spacy.

    \b
        python -m spacy rehearse init-config config.cfg \\
            --base en_core_web_sm --train train.spacy \\
            --dev dev.spacy --pool pool.jsonl

    \b
        python -m spacy train config.cfg --output training
    """
    if naive and method not in (REHEARSAL, "naive"):
        msg.fail(f"--naive and --method {method} are two methods: give one", exits=1)
    method = "naive" if naive else method
    if method not in METHODS:
        msg.fail(f"No method {method!r}: there are {', '.join(METHODS)}", exits=1)
    how = METHODS[method]
    if memory is not None and not how.rehearses:
        msg.fail(f"--memory is for rehearsal: {method} replays nothing", exits=1)
    if not dry_run:
        require_free(output_file, force)
    for path, name in [
        (train, "--train"),
        (dev, "--dev"),
        *((x, "--pool") for x in pool or []),
    ]:
        require(path, name)
    if how.learns_from_pool and not pool:
        msg.fail(
            f"No --pool given: {method} needs raw text like that which the pipeline reads",
            "There is none? --method rehearsal-no-pool learns from the gold alone.",
            exits=1,
        )
    require_different(train=train, dev=dev, output=output_file)
    for path in pool or []:
        require_different(pool=path, train=train, output=output_file)
    require_kept([output_file], pipelines=[base], files=[train, dev, *(pool or [])])
    given = items_of(labels) or None
    texts = (pool or [dev]) if how.rehearses else None  # dev shows what is kept, too
    with fail_on(ValueError, OSError):
        if texts:  # a line that can't be read shows now, not in an hour
            read = create_raw_text_v1(texts, skip_invalid=skip_invalid)
            count_texts(read(spacy.blank("xx")))
        config = init_config.make_config(
            base,
            train=train,
            dev=dev,
            pool=texts,
            labels=given,
            component=component,
            gpu=gpu,
        )
        if texts:
            reader = config["initialize"]["components"]["rehearsal"]["pool"]
            reader["skip_invalid"] = skip_invalid
            if memory is not None:
                settings = config["initialize"]["components"]["rehearsal"]
                settings["memory"] = recipe.memory_settings(str(memory))
            config = method_config(config, method)
        else:
            for change in how.changes:
                change(config)
        gold = recipe.measure_gold(init_config.read_gold_of(config))
        if dry_run:
            _explain(base, component, config, gold, method, given)
            return
        with_code = f" --code {_quoted(code)}" if code else ""
        options = f"--output {_free_folder(base)}" + " --gpu-id 0" * gpu + with_code
        where = _quoted(output_file)
        text = with_comments(config, config_path=where, gold=gold, options=options)
        output_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output_file, text.encode("utf8"))
    msg.good("Saved config", output_file)
    if not given and (known := _known_labels(base, component, gold)):
        msg.info(
            f"The gold marks {', '.join(known)}, which the base knows, too: --labels "
            "says which labels it marks in full, to correct such a one"
        )
    if how.rehearses:
        msg.text("Look at gold, dev and pool through the base's eyes, and train:")
        typer.echo(f"python -m spacy rehearse check {where}{with_code}")
    else:
        msg.text("You can now train the pipeline:")
    typer.echo(f"python -m spacy train {where} {options}")  # msg.text wraps


def _known_labels(base: str, component: str, gold: recipe.GoldSize) -> List[str]:
    """RETURNS (List[str]): Labels of the gold that the base knows."""
    recogniser: Any = load_pipeline(base, "base", "--base").get_pipe(component)
    return sorted(set(gold.labels) & set(recogniser.labels))


def _free_folder(base: str) -> Path:
    """RETURNS (Path): Where to train. Not where the base, or an earlier pipeline, is: it
    would be replaced.
    """
    folder, number = Path("training"), 2
    while (
        Path(base).resolve().is_relative_to(folder.resolve())
        or (folder / "model-best").exists()
    ):
        folder, number = Path(f"training-{number}"), number + 1
    return folder


def _explain(
    base: str,
    component: str,
    config: Config,
    gold: recipe.GoldSize,
    method: str,
    labels: Optional[Sequence[str]],
) -> None:
    nlp = load_pipeline(base, "base", "--base")
    recogniser: Any = nlp.get_pipe(component)
    gold = gold.only(resolve_labels(labels, gold.labels, recogniser.labels))
    for title, rows in (
        ("Base", describe_base(nlp, component, METHODS[method].rehearses)),
        ("Settings", explain(config, gold, copies=copy_fits(nlp, component))),
    ):
        msg.divider(title)
        for what, value, why in rows:
            msg.text(f"{what}: {value}")
            msg.text(f"    {why}")


def _quoted(path: Path) -> str:
    """RETURNS (str): A path as the shell wants it."""
    return list2cmdline([str(path)]) if os.name == "nt" else quote(str(path))
