"""Mentions: where the pool names what the gold teaches, the teacher's `O` is wrong."""

from collections import Counter, defaultdict
from typing import Container, Dict, Iterable, List, Mapping, Set

from spacy.language import Language
from spacy.matcher import PhraseMatcher
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import filter_spans

from .completion import is_annotated

MENTION = "mention"
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
    spellings: Dict[str, Set[str]] = defaultdict(set)
    for doc in references:
        for ent in doc.ents:
            if ent.label_ in labels:
                spellings[_form(ent)] |= {ent.text, " ".join(ent.text.split())}
    matcher = _matcher(nlp, spellings, spellings)
    named: Counter = Counter()
    seen: Counter = Counter()
    for doc in references:
        marked = {(e.start, e.end) for e in doc.ents if e.label_ in labels}
        for span in find_mentions(doc, matcher):
            if not is_annotated(span):
                continue
            seen[_form(span)] += 1
            named[_form(span)] += (span.start, span.end) in marked
    mostly = [form for form in seen if named[form] >= MOSTLY * seen[form]]
    return _matcher(nlp, spellings, mostly)


def find_mentions(doc: Doc, matcher: PhraseMatcher) -> List[Span]:
    """RETURNS (List[Span]): The longest matches in a doc that do not overlap."""
    doc.vocab.strings.add(MENTION)  # it may have another vocab than the matcher
    return filter_spans(matcher(doc, as_spans=True))


def _form(span: Span) -> str:
    """RETURNS (str): What is the same of a name however it is written."""
    return " ".join(span.text.lower().split())


def _matcher(
    nlp: Language, spellings: Mapping[str, Set[str]], forms: Iterable[str]
) -> PhraseMatcher:
    # "D.C." is one token, "d.c." is two: so also look for what the gold has written.
    texts = {text for form in forms for text in {form, *spellings[form]}}
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add(MENTION, [nlp.make_doc(text) for text in sorted(texts)])
    return matcher
