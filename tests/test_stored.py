import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span

from spacy_rehearse.stored import read_texts
from spacy_rehearse.teacher import as_entities

NLP = spacy.blank("xx")
# Some of them are symbols of spaCy's, with numbers of their own.
WORDS = st.sampled_from(["Ana", "ORG", "ID", "\n", " ", "é", "😀", "a b", "don't"])
LABELS = st.sampled_from(["ORG", "PERSON", "new label"])


@st.composite
def docs(draw):
    words = draw(st.lists(WORDS, max_size=12))
    spaces = draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    doc = Doc(NLP.vocab, words=words, spaces=spaces)
    edges = sorted(draw(st.sets(st.integers(0, len(words)))))
    pieces = zip(edges[:-1], edges[1:], strict=True)
    doc.set_ents(
        [Span(doc, *piece, draw(LABELS)) for piece in pieces if draw(st.booleans())],
        default="outside",
    )
    return doc


@given(st.lists(docs(), max_size=3))
def test_stored_texts_are_read_as_spacy_reads_them(given_docs):
    data = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=given_docs).to_bytes()
    expected = [
        (doc.text, as_entities(doc.ents), len(doc))
        for doc in DocBin().from_bytes(data).get_docs(NLP.vocab)
    ]
    assert list(read_texts(data)) == expected
