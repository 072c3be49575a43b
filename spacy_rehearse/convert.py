"""Conversion of gold from annotation tools to spaCy's binary format."""

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span

from .completion import set_entities, tokens_of
from .iob import COLUMNS, read_columns
from .teacher import Entity

OTHER_KEYS = {"label", "labels", "entities", "annotations"}  # of other tools


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


def convert(
    path: Path, nlp: Language, labels: Optional[Sequence[str]] = None
) -> Converted:
    """Convert a file of annotation, whatever its format: Prodigy's JSONL, or with
    lists of start, end and label under "entities", "label" or "labels", spaCy's
    simple JSON of (text, {"entities": ...}), or columns of tokens and IOB tags, which
    spaCy's own converters read.

    Texts are taken to be annotated in full for the labels in the file: what carries
    no span is `O`.

    path (Path): The file. Its suffix tells the format.
    nlp (Language): Its tokenizer is used.
    labels (Optional[Sequence[str]]): Keep spans of these labels only. None for all.
    RETURNS (Converted): The docs.
    RAISES (ValueError): If the format is another or the file is damaged, naming the
        line or record; or if there is nothing to convert, or nothing of a label.
    """
    if path.suffix == ".jsonl":
        lines = ((f"line {n}", record) for n, record in _read_records(path))
        return _convert(lines, nlp, path, labels)
    if path.suffix == ".json":
        return _convert(_read_json(path), nlp, path, labels)
    if path.suffix in COLUMNS:
        return _convert(read_columns(path), nlp, path, labels)
    known = ", ".join([".jsonl", ".json", *COLUMNS])
    raise ValueError(
        f"{path}: its suffix is none of {known}. Rename the "
        "file, e.g. to .conll if it holds a token and its tag a line"
    )


def _convert(
    records: Iterable[Tuple[str, Dict[str, Any]]],
    nlp: Language,
    path: Path,
    labels: Optional[Sequence[str]],
) -> Converted:
    docs: List[Doc] = []
    problems: List[str] = []
    n_skipped = 0
    marked: Set[str] = set()
    unread: Set[str] = set()
    has_spans = False
    for where, record in list(records):
        has_spans |= "spans" in record
        unread.update(key for key in OTHER_KEYS if record.get(key))
        try:
            record["text"].encode("utf8")
            record["spans"] = _spans_of(record)
        except UnicodeEncodeError as e:
            raise ValueError(
                f"{path}, {where}: half of a character in the text ({e})"
            ) from e
        except ValueError as e:
            raise ValueError(f"{path}, {where}: {e}") from e
        if record.get("answer", "accept") != "accept":
            n_skipped += 1
            continue
        doc, unplaced = _make_doc(nlp, record, f"{path}, {where}", marked, labels)
        docs.append(doc)
        problems += unplaced
    if not marked and not has_spans and unread:
        raise ValueError(
            f'{path}: no record has "spans", but {sorted(unread)}: expected '
            '{"text": ..., "spans": [{"start": 0, "end": 4, "label": "DRUG"}, ...]} or '
            '"entities": [[0, 4, "DRUG"], ...]'
        )
    if not docs:
        raise ValueError(
            f"{path} holds no accepted record ({n_skipped} rejected or ignored): "
            "nothing to convert"
            if n_skipped
            else f"{path} holds no annotated text: nothing to convert"
        )
    if unused := sorted(set(labels or ()) - marked):
        raise ValueError(
            f"{path} marks no {', '.join(unused)}: it marks {', '.join(sorted(marked))}"
        )
    counts = Counter(ent.label_ for doc in docs for ent in doc.ents)
    return Converted(docs, counts, n_skipped, problems)


def _spans_of(record: Dict[str, Any]) -> Any:
    """RETURNS (Any): The spans of a record: Prodigy's, or lists of start, end and label
    under one of the keys that other tools have for them.
    RAISES (ValueError): If something else is listed there.
    """
    if record.get("spans"):
        return record["spans"]
    for key in ("entities", "label", "labels"):
        listed = record.get(key)
        if isinstance(listed, list) and any(
            isinstance(x, (list, dict)) for x in listed
        ):
            if not all(map(_is_triple, spans := [_as_triple(x) for x in listed])):
                raise ValueError(f"{key!r} must be a list of [start, end, label]")
            return [{"start": s, "end": e, "label": x} for s, e, x in spans]
    return record.get("spans") or []


def _as_triple(span: Any) -> Any:
    """RETURNS (Any): A span of doccano's, where it was to mark relations, too, as a
    list. Others as they are.
    """
    keys = ("start_offset", "end_offset", "label")
    return [span.get(x) for x in keys] if isinstance(span, dict) else span


def _is_triple(span: Any) -> bool:
    return isinstance(span, list) and list(map(type, span)) == [int, int, str]


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


def _read_json(path: Path) -> Iterator[Tuple[str, Dict[str, Any]]]:
    try:
        records = srsly.json_loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as e:
        raise ValueError(f"{path}: not JSON ({e})") from e
    if not isinstance(records, list):
        raise ValueError(f"{path}: expected a list of [text, {{entities: ...}}]")
    for number, record in enumerate(records, start=1):
        where = f"record {number}"
        if isinstance(record, dict) and "text" in record:  # as a line of JSONL
            yield where, _check_record(record, f"{path}, {where}")
            continue
        try:
            text, annotation = record
            spans = annotation["entities"]
            keys = ("start", "end", "label")
            named = [dict(zip(keys, span, strict=True)) for span in spans]
        except (KeyError, TypeError, ValueError) as e:
            raise ValueError(
                f"{path}, {where}: expected [text, {{entities: [[start, end, "
                'label], ...]}], or {"text": ..., "entities": [[start, end, label], '
                "...]}. For spaCy 2's training JSON use `python -m spacy convert`"
            ) from e
        if not isinstance(text, str):
            raise ValueError(f"{path}, {where}: the text is no string")
        yield where, {"text": text, "spans": named}


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
    return _check_record(record, where)


def _check_record(record: Any, where: str) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The record, if it is one of an annotated text."""
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise ValueError(f'{where}: no "text" in the record')
    if record.get("_is_binary"):
        raise ValueError(
            f"{where}: a yes or no to one span (_is_binary) tells nothing of the rest "
            "of the text, and gold has to mark all mentions of its labels. Mark the "
            "texts in full, e.g. with Prodigy's ner.correct"
        )
    return record


def _make_doc(
    nlp: Language,
    record: Dict[str, Any],
    where: str,
    marked: Set[str],
    labels: Optional[Sequence[str]],
) -> Tuple[Doc, List[str]]:
    """Make a doc, with its problems. `marked` gets all labels of the record."""
    text = record["text"]
    if len(text) > nlp.max_length:
        raise ValueError(
            f"{where}: the text has {len(text):,} characters, and spaCy reads "
            f"{nlp.max_length:,} at most: cut it into several"
        )
    try:
        spans = sorted({_read_span(span, text) for span in record["spans"]})
    except (KeyError, TypeError, ValueError) as e:
        why = f"{e} is missing" if isinstance(e, KeyError) else e
        raise ValueError(
            f'{where}: "spans" must be a list of records with start, end and label '
            f"({why})"
        ) from e
    marked.update(label for _, _, label in spans)
    spans = [span for span in spans if labels is None or span[2] in labels]
    doc = nlp.make_doc(text)
    placed: List[Span] = []
    unclear: List[Span] = []
    problems: List[str] = []
    for start, end, label in spans:
        why = _why_not(doc, start, end, placed)
        span = None if why else doc.char_span(start, end, label=label)
        if span is None:
            why = why or "does not fall on tokens"
            problems.append(f"{where}: {label} at {start}-{end} {why}")
            unclear += _within(doc, start, end)
        else:
            placed.append(span)
    doc.set_ents([], default="outside")
    set_entities(doc, placed, tokens_of(unclear))
    return doc, problems


def _trim(text: str, start: int, end: int) -> Tuple[int, int]:
    """RETURNS (Tuple[int, int]): A span without white space at its edges."""
    while 0 <= start < end <= len(text) and text[start].isspace():
        start += 1
    while 0 <= start < end <= len(text) and text[end - 1].isspace():
        end -= 1
    return start, end


def _why_not(doc: Doc, start: int, end: int, placed: Sequence[Span]) -> str:
    """RETURNS (str): Why no entity can be there beside those before it, if so."""
    if start >= end:
        return "is empty"
    if not 0 <= start < end <= len(doc.text):
        return "is outside the text"
    if placed and start < placed[-1].end_char:
        return "overlaps another"
    return ""


def _read_span(span: Dict[str, Any], text: str) -> Entity:
    label = span["label"]
    if not isinstance(label, str) or not label.strip():
        raise ValueError(f"the label is {label!r}")
    return (*_trim(text, int(span["start"]), int(span["end"])), label.strip())


def _within(doc: Doc, start: int, end: int) -> List[Span]:
    """RETURNS (List[Span]): The tokens that a span touches, if it touches any. One that
    ends before it starts touches what is between.
    """
    start, end = min(start, end), max(start, end, start + 1)
    start, end = max(start, 0), min(end, len(doc.text))
    span = doc.char_span(start, end, alignment_mode="expand") if start < end else None
    return [] if span is None else [span]
