"""Conversion of gold from annotation tools to spaCy's binary format."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import srsly
from spacy.language import Language
from spacy.tokens import DocBin

from .completion import place_entities, set_entities


class Converted(NamedTuple):
    """What became of an annotation file.

    doc_bin (DocBin): The accepted texts.
    n_docs (int): Their number.
    n_entities (int): Number of entities in them.
    n_skipped (int): Records that the annotator rejected or ignored.
    problems (List[str]): Spans that do not fall on tokens, or overlap another, by
        line. Their tokens are left as missing annotation.
    """

    doc_bin: DocBin
    n_docs: int
    n_entities: int
    n_skipped: int
    problems: List[str]


def convert_prodigy(path: Path, nlp: Language) -> Converted:
    """Convert Prodigy's JSONL ("text", "spans", "answer").

    Texts are taken to be annotated in full for the labels in the file: what carries
    no span is `O`.

    path (Path): The file.
    nlp (Language): Its tokenizer is used.
    RETURNS (Converted): The docs.
    RAISES (ValueError): If a line is no such record, naming the line; or if there is
        nothing to convert.
    """
    doc_bin = DocBin()
    problems: List[str] = []
    n_docs = n_entities = n_skipped = 0
    for number, record in _read_records(path):
        if record.get("answer", "accept") != "accept":
            n_skipped += 1
            continue
        doc, unplaced = _make_doc(nlp, record, f"{path.name}, line {number}")
        doc_bin.add(doc)
        problems += unplaced
        n_docs += 1
        n_entities += len(doc.ents)
    if not n_docs:
        raise ValueError(
            f"{path} holds no accepted record ({n_skipped} rejected or ignored): "
            "nothing to convert"
        )
    return Converted(doc_bin, n_docs, n_entities, n_skipped, problems)


def _read_records(path: Path) -> Iterator[Tuple[int, Dict[str, Any]]]:
    for number, line in enumerate(path.open("rb"), start=1):
        if not line.strip():
            continue
        try:
            record = srsly.json_loads(line.decode("utf-8-sig"))
        except ValueError as e:
            raise ValueError(f"{path}, line {number}: not a JSON record ({e})") from e
        if not isinstance(record, dict) or not isinstance(record.get("text"), str):
            raise ValueError(f'{path}, line {number}: no "text" in the record')
        yield number, record


def _make_doc(nlp: Language, record: Dict[str, Any], where: str):
    try:
        spans = sorted(
            (int(span["start"]), int(span["end"]), str(span["label"]))
            for span in record.get("spans") or []
        )
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(
            f'{where}: "spans" must be a list of records with start, end and label '
            f"({e!r})"
        ) from e
    doc = nlp.make_doc(record["text"])
    kept, problems = [], []
    for start, end, label in spans:
        overlaps = kept and start < kept[-1][1]
        if overlaps or not 0 <= start < end <= len(doc.text):
            why = "overlaps another" if overlaps else "is outside the text"
            problems.append(f"{where}: {label} at {start}-{end} {why}")
        else:
            kept.append((start, end, label))
    placed, unplaced = place_entities(doc, kept)
    for span in unplaced:
        problems.append(
            f"{where}: {span.label_} within {span.start_char}-{span.end_char} does not "
            "fall on tokens"
        )
    doc.set_ents([], default="outside")
    set_entities(doc, placed, {token.i for span in unplaced for token in span})
    return doc, problems
