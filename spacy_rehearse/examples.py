"""Training examples of silver: what teacher, experts and people say of a text, and
where nothing is known.
"""

from typing import Container, List, Mapping, Sequence, Set

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.training import Example

from .completion import place_entities, set_entities, tokens_of
from .findings import Findings
from .gold import mend_entities
from .mentions import find_mentions
from .silver import SilverText
from .teacher import annotate_docs

NO_VERDICTS: Mapping[str, bool] = {}


def to_examples(
    nlp: Language,
    silver: Sequence[SilverText],
    *,
    unknown: Container[str],
    mentions: PhraseMatcher,
    verdicts: Mapping[str, bool] = NO_VERDICTS,
    doubted: Container[str] = (),
    annotating: Sequence[str] = (),
) -> List[Example]:
    """Make training examples of silver. Call it inside `zone(nlp)`.

    nlp (Language): The student.
    silver (Sequence[SilverText]): The texts.
    unknown (Container[str]): Labels on which the teacher's word does not count: what
        it calls so becomes missing annotation.
    mentions (PhraseMatcher): Finds what the gold calls by a new label. There, the
        teacher's word does not count either.
    verdicts (Mapping[str, bool]): Whether the experts' word beats a label of the
        teacher's where both have an entity. Where there is no verdict, it is missing.
    doubted (Container[str]): Labels of the teacher's that are missing where the experts
        doubt them.
    annotating (Sequence[str]): Pipes whose annotation the docs to predict shall have.
    RETURNS (List[Example]): Tokens that the teacher leaves blank are explicit `O`, so
        that a text without entities teaches that, too. Entities that the student's
        tokenizer splits differently become missing. What the experts are certain of
        is labelled so; what they doubt is missing where the teacher has no entity, or
        one of a label that is doubted.
    """
    predicted = [nlp.make_doc(item.text) for item in silver]
    references = [doc.copy() for doc in predicted]
    for reference, item in zip(references, silver, strict=True):
        mentioned = {t.i for span in find_mentions(reference, mentions) for t in span}
        _set_silver(reference, item, unknown, mentioned, verdicts, doubted)
    predicted = annotate_docs(nlp, annotating, predicted)
    examples = [Example(x, y) for x, y in zip(predicted, references, strict=True)]
    for example in examples:
        mend_entities(example)
    return examples


def _set_silver(
    reference: Doc,
    item: SilverText,
    unknown: Container[str],
    mentioned: Set[int],
    verdicts: Mapping[str, bool],
    doubted: Container[str],
) -> None:
    reference.set_ents([], default="outside")
    told = _told_by_people(item)
    placed, unplaced = place_entities(reference, item.entities)
    certain, beside = place_entities(reference, told.certain)
    doubtful, outside = place_entities(reference, [*told.doubtful, *told.leant])
    trusted = [x for x in placed if x.label_ not in unknown or x.label_ in item.exact]
    settled = tokens_of(span for span in trusted if span.label_ in item.exact)
    new, contested = [], mentioned | tokens_of(beside)
    for span in certain:
        rivals = [x.label_ for x in _rivals(span, trusted)]
        beats = {label not in item.exact and verdicts.get(label) for label in rivals}
        if beats <= {True}:
            new.append(span)
        if beats != {False}:
            contested |= tokens_of([span])
    for span in doubtful:
        if all(x.label_ in doubted for x in _rivals(span, trusted)):
            contested |= tokens_of([span])
    contested -= settled
    old = [span for span in trusted if contested.isdisjoint(tokens_of([span]))]
    gaps = place_entities(reference, [(*gap, "") for gap in item.missing])
    missing = contested | tokens_of(placed + unplaced + doubtful + outside)
    set_entities(reference, old + new, missing | tokens_of(gaps[0] + gaps[1]))


def _rivals(span: Span, others: Sequence[Span]) -> List[Span]:
    """RETURNS (List[Span]): Those that share a token with the span."""
    own = tokens_of([span])
    return [x for x in others if not own.isdisjoint(tokens_of([x]))]


def _told_by_people(item: SilverText) -> Findings:
    """The experts' findings, but for labels on which people have said all."""
    return Findings(*([e for e in f if e[2] not in item.exact] for f in item.findings))
