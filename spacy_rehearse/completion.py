"""Completion: what the gold leaves unsaid about old labels, the teacher fills in."""

from typing import Container, Iterable, List, NamedTuple, Set, Tuple

from spacy.tokens import Doc, Span, Token

from .teacher import Entity, Teacher

COMPLETED = "spacy_rehearse_completed"  # in Doc.user_data: by whom


class Completion(NamedTuple):
    """What happened to the teacher's entities in a text.

    filled (int): Entities taken over.
    conflicts (int): Entities given up because gold says otherwise on their tokens.
    misaligned (int): Entities that do not fall on the tokens' edges.
    """

    filled: int
    conflicts: int
    misaligned: int


def complete(
    reference: Doc, entities: Iterable[Entity], authority: Container[str]
) -> Completion:
    """Complete gold annotation, in place, with the teacher's entities.

    Gold wins every overlap, and what is then left of the teacher's entity becomes
    missing: neither `O`, which the teacher denies, nor an entity that gold cut. But its
    stop words and punctuation are no entity alone: the article of "the Socialist Party"
    is `O` where gold calls the rest by a name.
    Tokens that are missing in the gold stay so, except under a teacher's entity.
    Completing twice changes nothing.

    reference (Doc): The gold annotation of one text.
    entities (Iterable[Entity]): The teacher's entities in that text, disjoint.
    authority (Container[str]): Labels on which only gold counts.
    RETURNS (Completion): The counts.
    """
    gold = list(reference.ents)
    settled = {t.i for t in reference if t.ent_iob in (1, 3)}  # in a span, or blocked
    missing = {t.i for t in reference if t.ent_iob == 0}
    wanted = [entity for entity in entities if entity[2] not in authority]
    placed, unplaced = place_entities(reference, wanted)
    filled = [span for span in placed if settled.isdisjoint(tokens_of([span]))]
    cut = [span for span in placed if span not in filled]
    missing |= {i for i in tokens_of(cut) if not _is_filler(reference[i])}
    missing |= tokens_of(unplaced)
    set_entities(reference, gold + filled, missing)
    return Completion(len(filled), len(cut), len(unplaced))


def completed_by(teacher: Teacher, labels: Iterable[str]) -> str:
    """RETURNS (str): Who completes gold, as it is noted in its docs."""
    return f"{teacher.fingerprint} {' '.join(labels)}"


def _is_filler(token: Token) -> bool:
    # Upper case: "US" and "May" are stop words, too.
    return token.is_punct or (token.is_stop and token.text == token.lower_)


def place_entities(
    doc: Doc, entities: Iterable[Entity]
) -> Tuple[List[Span], List[Span]]:
    """Place entities, given by character offsets, on a doc's tokens.

    doc (Doc): The doc.
    entities (Iterable[Entity]): The entities.
    RETURNS (Tuple[List[Span], List[Span]]): Those that fall on the edges of tokens,
        and, for the rest, the tokens that they touch.
    """
    placed, unplaced = [], []
    for start, end, label in entities:
        span = doc.char_span(start, end, label=label)
        if span is not None:
            placed.append(span)
        else:
            touched = doc.char_span(start, end, label=label, alignment_mode="expand")
            unplaced.extend([touched] if touched is not None else [])
    return placed, unplaced


def set_entities(doc: Doc, entities: List[Span], missing: Set[int]) -> None:
    """Set a doc's entities and missing tokens, leaving the rest as it is.

    doc (Doc): The doc, changed in place.
    entities (List[Span]): All its entities.
    missing (Set[int]): Tokens to mark as missing, where no entity or blocked token is.
    """
    blocked = {t.i for t in doc if t.ent_iob == 3 and not t.ent_type}
    covered = blocked | tokens_of(entities)
    gaps = [doc[i : i + 1] for i in sorted(missing - covered)]
    doc.set_ents(entities, missing=gaps, default="unmodified")


def is_annotated(tokens: Iterable[Token]) -> bool:
    """RETURNS (bool): Whether the gold says of each token what it is, if only `O`."""
    return all(token.ent_iob != 0 for token in tokens)


def tokens_of(spans: Iterable[Span]) -> Set[int]:
    """RETURNS (Set[int]): The positions of the spans' tokens."""
    return {i for span in spans for i in range(span.start, span.end)}
