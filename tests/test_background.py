import math

import pytest
import spacy
from spacy.training import Example

from spacy_rehearse.background import start_as_outside

from .test_column import scores
from .util import make_docs


@pytest.fixture(params=[True, False], ids=["upper", "no-upper"])
def nlp(request):
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner", config={"model": {"use_upper": request.param}})
    ner.add_label("ORG")
    nlp.initialize()
    ner.add_label("GADGET")
    return nlp


def test_background_new_labels_start_below_outside_by_their_rarity(nlp):
    ner = nlp.get_pipe("ner")
    gold = make_docs(nlp, 40, ("GADGET",), seed=0)
    before = scores(nlp, ["Acme bought it"])
    start_as_outside(ner, ["GADGET"], [Example(doc.copy(), doc) for doc in gold])
    after = scores(nlp, ["Acme bought it"])
    names = [ner.moves.get_class_name(i) for i in range(ner.moves.n_moves)]
    n_words = sum(len(doc) for doc in gold)
    share = (sum(len(doc.ents) for doc in gold) + 1) / (n_words + 1) / 2
    for row, old in zip(after, before, strict=True):
        now = dict(zip(names, row, strict=True))
        was = dict(zip(names, old, strict=True))
        expected = was["O"] + math.log(share)
        assert now["B-GADGET"] == now["U-GADGET"] == pytest.approx(expected, abs=1e-4)
        assert all(now[x] == was[x] for x in names if x[:2] not in ("B-", "U-"))


def test_background_changes_no_prediction(base):
    nlp, before = spacy.load(base), spacy.load(base)
    nlp.get_pipe("ner").add_label("GADGET")
    gold = make_docs(nlp, 40, ("GADGET",), seed=0)
    examples = [Example(doc.copy(), doc) for doc in gold]
    start_as_outside(nlp.get_pipe("ner"), ["GADGET"], examples)
    nlp.get_pipe("ner").model.attrs["unseen_classes"].clear()
    for doc in gold:
        ours = [(e.text, e.label_) for e in nlp(doc.text).ents]
        assert ours == [(e.text, e.label_) for e in before(doc.text).ents]
