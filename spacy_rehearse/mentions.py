"""Mentions: where the pool names what the gold teaches, the teacher's `O` is wrong."""

from collections import Counter
from typing import Container, Iterable, List

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans

MOSTLY = 0.5  # share of a form's occurrences in the gold that carry a new label


def learn_mentions(
    examples: Iterable[Example], labels: Container[str], nlp: Language
) -> PhraseMatcher:
    """Collect the forms that the gold mostly calls by a new label.

    The teacher does not know the new concept: silver marks its mentions as `O`, or by
    an old label, and so teaches the student not to learn it.

    examples (Iterable[Example]): The gold.
    labels (Container[str]): Labels on which the gold is the authority.
    nlp (Language): The student, for its tokenizer.
    RETURNS (PhraseMatcher): Finds these forms, in upper or lower case.
    """
    references = [eg.reference for eg in examples]
    forms = {
        " ".join(ent.text.lower().split())
        for doc in references
        for ent in doc.ents
        if ent.label_ in labels
    }
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("mention", [nlp.make_doc(form) for form in sorted(forms)])
    named: Counter = Counter()
    seen: Counter = Counter()
    for doc in references:
        marked = {(e.start, e.end) for e in doc.ents if e.label_ in labels}
        for span in find_mentions(doc, matcher):
            form = span.text.lower()
            seen[form] += 1
            named[form] += (span.start, span.end) in marked
    mostly = sorted(form for form in seen if named[form] >= MOSTLY * seen[form])
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("mention", [nlp.make_doc(form) for form in mostly])
    return matcher


def find_mentions(doc: Doc, matcher: PhraseMatcher) -> List[Span]:
    """RETURNS (List[Span]): The longest matches in a doc that do not overlap."""
    return filter_spans(matcher(doc, as_spans=True))
