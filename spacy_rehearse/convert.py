"""Conversion of gold from annotation tools to spaCy's binary format."""

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import srsly
from spacy.language import Language
from spacy.tokens import Doc

from .completion import place_entities, set_entities


class Converted(NamedTuple):
    """What became of an annotation file.

    docs (List[Doc]): The accepted texts.
    labels (Counter): Number of entities in them by label.
    n_skipped (int): Records that the annotator rejected or ignored.
    problems (List[str]): Spans that do not fall on tokens, or overlap another, by
        line. Their tokens are left as missing annotation.
    """

    docs: List[Doc]
    labels: Counter
    n_skipped: int
    problems: List[str]

    @property
    def n_entities(self) -> int:
        return self.labels.total()


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
    docs: List[Doc] = []
    problems: List[str] = []
    n_skipped = 0
    for number, record in list(_read_records(path)):
        if record.get("answer", "accept") != "accept":
            n_skipped += 1
            continue
        doc, unplaced = _make_doc(nlp, record, f"{path.name}, line {number}")
        docs.append(doc)
        problems += unplaced
    if not docs:
        raise ValueError(
            f"{path} holds no accepted record ({n_skipped} rejected or ignored): "
            "nothing to convert"
        )
    labels = Counter(ent.label_ for doc in docs for ent in doc.ents)
    return Converted(docs, labels, n_skipped, problems)


def split_off(docs: List[Doc], share: float) -> Tuple[List[Doc], List[Doc]]:
    """Set a share of the docs aside, e.g. as a dev set.

    A doc's text alone decides on its side: the same text is never on both, and a
    larger file from the same annotators splits in the same way.

    docs (List[Doc]): The docs.
    share (float): The share to set aside, between 0 and 1.
    RETURNS (Tuple[List[Doc], List[Doc]]): The docs that stay, and the others.
    """

    def is_aside(doc: Doc) -> bool:
        digest = sha256(doc.text.encode("utf8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") < share * 2**64

    return [d for d in docs if not is_aside(d)], [d for d in docs if is_aside(d)]


def _read_records(path: Path) -> Iterator[Tuple[int, Dict[str, Any]]]:
    with path.open("rb") as file_:
        for number, line in enumerate(file_, start=1):
            if line.strip():
                yield number, _read_record(line, f"{path}, line {number}")


def _read_record(line: bytes, where: str) -> Dict[str, Any]:
    try:
        record = srsly.json_loads(line.decode("utf-8-sig"))
    except ValueError as e:
        raise ValueError(f"{where}: not a JSON record ({e})") from e
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise ValueError(f'{where}: no "text" in the record')
    return record


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
    kept: List[Tuple[int, int, str]] = []
    problems: List[str] = []
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
