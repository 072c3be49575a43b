"""Columns of tokens and tags, as spaCy's own converters read them, and some more."""

import re
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from spacy.training.converters import conll_ner_to_docs, iob_to_docs

COLUMNS = (".conll", ".iob")
TAG = re.compile(r"O|[BILUES]-.+")
# IOBES by the letters of BILUO: spaCy takes the end of an entity, E, for a new one.
BILUO = {"E-": "L-", "S-": "U-"}
NEW_DOCUMENT = "-DOCSTART-"


def read_columns(path: Path) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Read a token and its tag a line, or sentences of word|TAG.

    path (Path): The file, of suffix .conll or .iob. Tags are IOB, BILUO or IOBES.
    YIELDS (Tuple[str, Dict[str, Any]]): Which text it is, and a record of the text and
        its spans, as Prodigy has them.
    RAISES (ValueError): If it holds anything else, naming the line.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: not UTF-8 ({e})") from e
    # spaCy takes a line of nothing but tabs for a token, and joins two texts, and the
    # start of a document for a text if its tag is not where CoNLL 2003 has it.
    lines = [
        line if line.strip() and line.split()[0] != NEW_DOCUMENT else ""
        for line in lines
    ]
    whole = path.suffix == ".iob" and _is_sentence(lines)
    _check_tags(path, lines, whole)
    _check_tokens(path, lines, whole)
    read = iob_to_docs if whole else conll_ner_to_docs
    text = "\n".join(_with_spacys_tags(line, whole) for line in lines)
    try:
        docs = list(read(text, n_sents=1, no_print=True))
    except Exception as e:  # spaCy's converters raise what they meet
        short = [n for n, line in enumerate(lines, 1) if len(line.split()) == 1]
        why = f"line {short[0]} lacks a token or its tag" if short and not whole else e
        raise ValueError(f"{path}: spaCy can't read its columns ({why})") from e
    for number, doc in enumerate((doc for doc in docs if len(doc)), start=1):
        spans = [
            {"start": e.start_char, "end": e.end_char, "label": e.label_}
            for e in doc.ents
        ]
        yield f"text {number}", {"text": doc.text, "spans": spans}


def _is_sentence(lines: Sequence[str]) -> bool:
    """Whether the first line is a sentence of word|TAG, and not a token and its tag."""
    words = next((line.split() for line in lines if line.strip()), [])
    return bool(words) and all(re.search(r"\S\|\S", word) for word in words)


def _check_tags(path: Path, lines: Sequence[str], whole: bool) -> None:
    """Raise a ValueError at a tag that is no IOB or BILUO: spaCy's converters would cut
    a label out of whatever it is. `whole` if each line is a sentence of word|TAG.
    """
    counts = Counter(n for line in lines if (n := len(line.split())) > 1)
    usual = counts.most_common(1)[0][0] if counts else 0
    for number, line in enumerate(lines, 1):
        n_columns = len(line.split())
        if not whole and 1 < n_columns != usual:
            raise ValueError(
                f"{path}, line {number}: {n_columns} columns, and {usual} in most "
                "lines (they end at white space, so that a token can't hold any): mend "
                "the line, or cut the token in two"
            )
        for tag in _tags_of(line, whole):
            if not TAG.fullmatch(tag):
                raise ValueError(
                    f"{path}, line {number}: {tag!r} is no IOB tag: expected O, or "
                    "B- or I- and a label, e.g. B-DRUG"
                )
        if whole and len({word.count("|") for word in line.split()}) > 1:
            raise ValueError(
                f"{path}, line {number}: some words have more parts than others: "
                "expected word|TAG or word|POS|TAG in all of the line, and no other |"
            )


def _check_tokens(path: Path, lines: Sequence[str], whole: bool) -> None:
    """Raise a ValueError if the first column, where tokens are, counts them."""
    rows = [columns for line in lines if len(columns := line.split()) > 1]
    if not whole and rows and all(columns[0].isdecimal() for columns in rows):
        raise ValueError(
            f"{path}: the first column holds numbers only, and is where the tokens are "
            "expected. Leave it out"
        )


def _tags_of(line: str, whole: bool) -> List[str]:
    columns = line.split()
    if whole:
        return [word.rpartition("|")[2] for word in columns]
    return columns[-1:] if len(columns) > 1 else []


def _with_spacys_tags(line: str, whole: bool) -> str:
    """RETURNS (str): A line whose tags have the letters of BILUO."""
    for tag in _tags_of(line, whole):
        if tag[:2] in BILUO:
            ours = (BILUO[tag[:2]] + tag[2:]).replace("\\", r"\\")
            end = r"(?=\s|$)" if whole else r"\s*$"
            pattern = rf"(?<=[|\s]){re.escape(tag)}{end}"
            line = re.sub(pattern, ours, line)
    return line
