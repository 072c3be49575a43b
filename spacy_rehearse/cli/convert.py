"""`python -m spacy rehearse convert`."""

from pathlib import Path
from typing import Optional

import spacy
from spacy.cli._util import Arg, Opt
from wasabi import msg

from ..cache import write_whole
from ..convert import convert_prodigy
from . import rehearse_cli
from ._fail import fail_on, require, require_free

MOST_LISTED = 20


@rehearse_cli.command("convert")
def convert_cli(
    # fmt: off
    input_file: Path = Arg(
        ..., help="Prodigy annotation: .jsonl with text, spans and answer"
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
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output file"),
    # fmt: on
):
    """
    Convert Prodigy's JSONL to spaCy's binary format. Records that were rejected or
    ignored are left out. For CoNLL, IOB and JSON use `python -m spacy convert`.

    Example:

        python -m spacy rehearse convert drugs.jsonl corpus/train.spacy --base en_core_web_sm
    """
    require(input_file)
    require_free(output_file, force)
    with fail_on(ValueError, OSError, ImportError):
        nlp = spacy.load(base) if base else spacy.blank(lang)
        converted = convert_prodigy(input_file, nlp)
        output_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output_file, converted.doc_bin.to_bytes())
    for problem in converted.problems[:MOST_LISTED]:
        msg.warn(problem)
    if converted.problems:
        msg.warn(f"{len(converted.problems)} spans left as missing annotation")
    if converted.n_skipped:
        msg.info(f"Left out {converted.n_skipped} rejected or ignored records")
    msg.good(
        f"Converted {converted.n_docs} texts with {converted.n_entities} entities",
        output_file,
    )
