"""`python -m spacy rehearse check`."""

import json
import warnings
from collections import Counter
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import typer
from spacy.cli._util import Arg, NoSuchOption, Opt, parse_config_overrides
from spacy.language import Language
from spacy.schemas import ConfigSchemaTraining, validate_init_settings
from spacy.tokens import Doc
from spacy.training.initialize import load_vectors_into_model
from spacy.util import load_model_from_config, registry, resolve_dot_names
from spacy.vocab import Vocab
from thinc.api import Config, ConfigValidationError
from wasabi import msg

from ..checks import check_enabled
from ..column import DEFAULT_COLUMN
from ..diagnose import (
    Diagnosis,
    advise,
    advise_on_others,
    advise_on_rate,
    advise_on_weights,
    check_pool,
    diagnose,
)
from ..gold import check_dev, read_docs, spacy_file_of, until_repeated
from ..inputs import Inputs, read_inputs
from ..methods import check_has_rehearsal
from ..settings import Settings
from ..teacher import Teacher
from . import rehearse_cli
from ._code import CODE
from ._config import read_config
from ._fail import fail_on, require, wrong_settings
from ._texts import check_limit, draw, share_of, show_progress

MOST_LISTED = 20
GIVEN = ("get_examples", "nlp")  # by spaCy, not by the config
CORPORA = ("train_corpus", "dev_corpus")
_SCHEMA: Any = ConfigSchemaTraining  # of pydantic 1 before spaCy 3.8.13
SETTINGS_OF_TRAINING = set(getattr(_SCHEMA, "model_fields", None) or _SCHEMA.__fields__)
FILL = ". Is it a whole config? `python -m spacy init fill-config` fills in defaults"


@rehearse_cli.command(
    "check",
    short_help="Look at gold, dev and pool before training",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def check_cli(
    ctx: typer.Context,
    config_path: Path = Arg(..., help="A config with the rehearsal component"),
    limit: int = Opt(
        2000,
        "--limit",
        "-l",
        help="At most so many texts of the pool, drawn at random, 0 for all",
    ),
    show_texts: bool = Opt(
        False,
        "--show-texts",
        "-S",
        help="List the gold spans that the teacher calls otherwise",
    ),
    as_json: bool = Opt(False, "--json", "-J", help="Print what was found as JSON"),
    code: Optional[Path] = CODE,
    strict: bool = Opt(False, "--strict", help="Exit with 1 if there is any advice"),
):
    """
    Look at gold, dev set and pool through the teacher's eyes, before training: what it
    calls the new concept, which old labels the pool hardly mentions, whether the pool
    leaks the dev set, and whether the teacher is good enough to rehearse on. Use it
    beside `spacy debug data`, which checks the annotation itself.

    Settings of the config can be overridden, as in `spacy train`.

    Example:

    \b
        python -m spacy rehearse check config.cfg --paths.pool more.jsonl
    """
    with fail_on(NoSuchOption):
        overrides = parse_config_overrides(ctx.args)
    require(config_path, "CONFIG_PATH")
    with fail_on(ValueError, OSError):
        config = read_config(config_path, overrides, interpolate=True)
        check_limit(limit)
        inputs = check_config(config)
        teacher = inputs.teacher
        found = diagnose(
            teacher, **_load(config, teacher, limit), progress=show_progress
        )
        check_pool(found)
    defaults = Language.get_factory_meta("rehearsal").default_config or {}
    ratio = {**defaults, **config["components"]["rehearsal"]}["ratio"]
    given = config["initialize"]["components"]["rehearsal"]
    grows = given.get("column", DEFAULT_COLUMN) is not None and not inputs.no_column
    advice = advise(found, learns_from_pool=ratio > 0, column=grows)
    still = (*inputs.frozen, *inputs.upstream)
    advice += advise_on_others(config["nlp"]["pipeline"], teacher, still)
    advice += advise_on_weights(config, teacher)
    advice += advise_on_rate(config["training"], column=grows)
    if as_json:
        told = {**_as_json(found), "advice": advice}
        typer.echo(json.dumps(told, indent=2))
    else:
        path = spacy_file_of(config, "train_corpus")
        n_all = len(read_docs(path, teacher.nlp.vocab)) if path else 0
        n_out = n_all - found.n_gold
        _show(found, show_texts, n_out)
        for line in advice:
            msg.warn(line)
        if not advice:
            msg.good("Nothing to mend")
    if strict and advice:
        raise typer.Exit(1)


def check_config(config: Config) -> Inputs:
    """Find out at once what would stop a training.

    config (Config): A config, interpolated.
    RETURNS (Inputs): What there is to train with.
    RAISES (ValueError): If a setting is wrong, a file can't be read, there is no text
        in the pool, or dev marks none of the new labels.
    """
    nlp, how = _check_settings(config)
    for path in (spacy_file_of(config, corpus) for corpus in CORPORA):
        if path:  # it says more than spaCy's own reader does where a file is wrong
            read_docs(path, Vocab())
    (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
    if vectors := config["initialize"].get("vectors"):
        load_vectors_into_model(nlp, vectors)  # as spaCy does when it initializes
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* marks none of the labels")  # see below
        inputs = read_inputs(nlp, lambda: corpus(nlp), how)
    check_enabled(nlp, how.component)
    dev = _read_dev(config, inputs.teacher)
    marked = Counter(ent.label_ for doc in dev for ent in doc.ents)
    where = spacy_file_of(config, "dev_corpus") or config["training"]["dev_corpus"]
    check_dev(str(where), marked, inputs.labels)
    return inputs


def _check_settings(config: Config) -> Tuple[Language, Settings]:
    """RETURNS (Tuple[Language, Settings]): The pipeline before the training, and how it
    would rehearse.
    """
    check_has_rehearsal(config)
    for section in ("nlp", "initialize", "training"):
        if section not in config:
            raise ValueError(f"there is no section [{section}]{FILL}")
    if unknown := set(config["training"]) - SETTINGS_OF_TRAINING:
        raise ValueError(f"[training] {sorted(unknown)}: spaCy has no such setting")
    if isinstance(rate := config["training"].get("dropout"), int):  # it ends in spaCy
        raise ValueError(f"[training] dropout is {rate}: write {rate}.0")
    with _naming("[training]"):
        registry.resolve(config["training"], schema=ConfigSchemaTraining)
    pipeline = config["nlp"].get("pipeline", [])
    if "rehearsal" not in pipeline:
        raise ValueError(f"[nlp] pipeline is {pipeline}: put 'rehearsal' first")
    try:
        nlp = load_model_from_config(config)
    except (OSError, KeyError) as e:
        raise ValueError(
            f"{e.args[0]} It is the `source` of a component: set --paths.base to an "
            "installed package or to the folder of a saved pipeline"
        ) from e
    rehearsal: Any = nlp.get_pipe("rehearsal")
    known = [x for x in signature(rehearsal.initialize).parameters if x not in GIVEN]
    known_settings = f". Settings there: {', '.join(known)}"
    with _naming("[initialize.components.rehearsal]", known_settings):
        settings = validate_init_settings(
            rehearsal.initialize,
            registry.resolve(config["initialize"])["components"]["rehearsal"],
            section="components",
            name="rehearsal",
        )
    return nlp, rehearsal.settings(**settings)


@contextmanager
def _naming(section: str, more: str = "") -> Iterator[None]:
    """Say in which section settings are wrong."""
    try:
        yield
    except ConfigValidationError as e:
        if not more and any("missing" in error for error in e.error_types):
            more = FILL
        raise ValueError(f"{section} {'; '.join(wrong_settings(e))}{more}") from e


def _load(config: Config, teacher: Teacher, limit: int) -> Dict[str, Any]:
    given = config["initialize"]["components"]["rehearsal"]
    read = registry.resolve({"pool": given["pool"]})["pool"]
    pool = draw(read(teacher.nlp), limit)
    (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
    examples = corpus(teacher.nlp)
    if config["training"]["max_epochs"] == -1:  # it may never end
        examples = until_repeated(examples)
    return {
        "gold": [eg.reference for eg in examples],  # what will be trained on
        "dev": _read_dev(config, teacher),
        "pool": pool.texts,
        "n_texts": pool.n_all,
        "labels": given.get("labels"),
    }


def _read_dev(config: Config, teacher: Teacher) -> List[Doc]:
    if path := spacy_file_of(config, "dev_corpus"):
        return read_docs(path, teacher.nlp.vocab)
    (corpus,) = resolve_dot_names(config, [config["training"]["dev_corpus"]])
    return [eg.reference for eg in corpus(teacher.nlp)]


def _show(found: Diagnosis, show_texts: bool, n_out: int) -> None:
    msg.divider("Gold")
    share = 100 * found.n_seen / max(found.n_gold, 1)
    msg.text(
        f"{found.n_gold} texts; what is to be learnt is in {found.n_marked}; the "
        f"teacher sees an entity in {share:.0f} %"
    )
    if n_out > 0:
        msg.text(f"{n_out} more are left out by the settings of [corpora.train]")
    rows = [(x, n, _called(found, x)) for x, n in found.gold_labels.most_common()]
    msg.table(
        rows, header=("label", "entities", "the teacher calls them"), divider=True
    )
    if show_texts and found.confusing:
        listed = found.confusing[:MOST_LISTED]
        msg.table(listed, header=("entity", "gold", "teacher"), divider=True)
        if len(found.confusing) > len(listed):
            msg.text(f"and {len(found.confusing) - len(listed)} more")
    msg.divider("Dev")
    marked = ", ".join(f"{x} {n}" for x, n in found.dev_labels.most_common())
    msg.text(f"{found.n_dev} texts; entities: {marked or 'none'}")
    if not found.teacher_f:
        msg.text("It marks no label of the teacher: how good that is can't be seen")
    msg.divider("Pool")
    msg.text(f"Texts looked at: {share_of(found.n_pool, found.n_texts)}")
    msg.table(found.coverage.most_common(), header=("label", "mentions"), divider=True)
    if found.teacher_f:
        msg.divider("Teacher")
        scores: List[Tuple[str, str, int]] = [
            (label, f"{100 * f:.1f}", n) for label, (f, n) in found.teacher_f.items()
        ]
        msg.table(scores, header=("label", "F on dev", "entities"), divider=True)


def _called(found: Diagnosis, label: str) -> str:
    named = [(n, x) for (gold, x), n in found.called.items() if gold == label]
    return (
        ", ".join(f"{x} {n}" for n, x in sorted(named, reverse=True)[:4]) or "nothing"
    )


def _as_json(found: Diagnosis) -> Dict[str, Any]:
    return {
        "new": found.new,
        "gold_texts": found.n_gold,
        "gold_labels": dict(found.gold_labels),
        "gold_texts_with_new_entities": found.n_marked,
        "gold_texts_marked_twice_otherwise": len(found.contradicted),
        "gold_texts_with_teacher_entities": found.n_seen,
        "new_entities_hidden": found.hidden,
        "called": [
            {"gold": gold, "teacher": teacher, "entities": n}
            for (gold, teacher), n in found.called.most_common()
        ],
        "pool_texts": found.n_pool,
        "pool_texts_in_all": found.n_texts,
        "pool_mentions": dict(found.coverage),
        "pool_texts_like_gold": found.n_copied,
        "pool_texts_like_dev": found.n_leaked,
        "dev_texts_in_gold": found.n_repeated,
        "teacher_on_dev": {
            label: {"f": f, "entities": n} for label, (f, n) in found.teacher_f.items()
        },
    }
