"""`python -m spacy rehearse convert`."""

from collections import Counter
from pathlib import Path
from typing import Dict, List, Optional

import spacy
from spacy.cli._util import Arg, Opt
from spacy.tokens import Doc, DocBin
from wasabi import msg

from ..convert import convert, split_off
from ..diagnose import find_contradicted, tell_contradicted
from ..files import write_whole
from ..teacher import load_pipeline
from . import rehearse_cli
from ._code import CODE
from ._fail import fail_on, require, require_different, require_free
from ._lists import items_of

MOST_LISTED = 20
LONG = 1000  # tokens: longer texts are mostly several in one
DEV_SHARE = 0.2


@rehearse_cli.command("convert", short_help="Convert annotation to .spacy: start here")
def convert_cli(
    input_file: Path = Arg(
        ...,
        help="Prodigy's or doccano's .jsonl, a .json of (text, {entities}), or columns: .conll, .iob",
    ),
    output_file: Path = Arg(..., help="The .spacy file to write"),
    base: Optional[str] = Opt(
        None,
        "--base",
        "-b",
        help="Pipeline whose tokenizer to use: an installed package or a path",
    ),
    lang: str = Opt(
        "en",
        "--lang",
        "-l",
        help="Language whose tokenizer to use, if no base is given",
    ),
    dev_file: Optional[Path] = Opt(
        None,
        "--dev",
        "-d",
        help="Set a part of the texts aside and write them to this .spacy file",
    ),
    dev_share: Optional[float] = Opt(
        None,
        "--dev-share",
        help=f"The part that --dev sets aside, above 0 and below 1; by default {DEV_SHARE}",
    ),
    labels: Optional[str] = Opt(
        None,
        "--labels",
        help="Comma-separated labels to keep, if the file marks more than are to be learnt. By default all",
    ),
    code: Optional[Path] = CODE,
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output file"),
):
    """
    Convert annotation to spaCy's binary format. Prodigy's records that were rejected or
    ignored are left out. Columns are read by spaCy's own converters, as in `python -m
    spacy convert`; here, the base's tokenizer is used, and spans that do not fall on
    its tokens are listed.

    Example: a fifth of the texts becomes the dev set.

    \b
        python -m spacy rehearse convert drugs.jsonl train.spacy \\
            --dev dev.spacy --base en_core_web_sm
    """
    require(input_file, "INPUT_FILE")
    require_different(input=input_file, output=output_file, dev=dev_file)
    require_free(output_file, force)
    if dev_file is not None:
        require_free(dev_file, force)
    for path in (output_file, dev_file):
        if path is not None and path.suffix != ".spacy":
            msg.fail(f"{path}: the output is binary, so call it .spacy", exits=1)
    if dev_share is not None and dev_file is None:
        msg.fail("--dev-share is the share of --dev: give --dev, too", exits=1)
    dev_share = DEV_SHARE if dev_share is None else dev_share
    if not 0 < dev_share < 1:
        msg.fail(f"--dev-share is {dev_share}: expected above 0 and below 1", exits=1)
    with fail_on(ValueError, OSError, ImportError):
        nlp = load_pipeline(base, "base", "--base") if base else spacy.blank(lang)
        kept = items_of(labels) or None
        converted = convert(input_file, nlp, kept)
        outputs = {output_file: converted.docs}
        if dev_file is not None:
            train, dev = split_off(converted.docs, dev_share)
            outputs = {output_file: train, dev_file: dev}
        _write(outputs)
    for problem in converted.problems[:MOST_LISTED]:
        msg.warn(problem)
    if converted.problems:
        msg.warn(
            f"{len(converted.problems)} spans are not taken over: what no other span "
            "covers of them is left as missing annotation"
        )
    if converted.n_skipped:
        msg.info(f"Left out {converted.n_skipped} rejected or ignored records")
    if n_long := sum(len(doc) > LONG for doc in converted.docs):
        msg.warn(
            f"{n_long} texts have more than {LONG} tokens: is each a text of its own? In "
            "columns, a blank line separates them"
        )
    texts = Counter(doc.text for doc in converted.docs)
    if n_again := len(converted.docs) - len(texts):
        msg.info(
            f"{n_again} of the texts repeat another one of the file: each counts as "
            "often as it occurs"
        )
    if n_empty := sum(n for text, n in texts.items() if not text.strip()):
        msg.warn(f"{n_empty} texts are empty")
    if contradicted := find_contradicted(converted.docs):
        msg.warn(tell_contradicted(contradicted, "texts"))
    if not converted.n_entities:
        msg.warn("No text has an entity: is this the annotated file?")
    msg.good(
        f"Converted {len(converted.docs)} texts with {converted.n_entities} entities"
    )
    for label, n_entities in converted.labels.most_common():
        msg.text(f"{label}: {n_entities}")
    for path, docs in outputs.items():
        msg.text(f"{path}: {len(docs)} texts")


def _write(outputs: Dict[Path, List[Doc]]) -> None:
    """Write all files, or none if one of them would be empty."""
    for path, docs in outputs.items():
        if not docs:
            raise ValueError(f"no text is left for {path}: use another --dev-share")
    for path, docs in outputs.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, DocBin(docs=docs).to_bytes())
