"""A recogniser that is no parser of spaCy's: it gives each word a tag."""

import warnings

import numpy
import pytest
import spacy
from spacy.cli.train import train
from spacy.language import Language
from spacy.ml.models import build_hash_embed_cnn_tok2vec, build_tagger_model
from spacy.pipeline import TrainablePipe
from spacy.training import Example, biluo_tags_to_spans, biluo_to_iob, iob_to_biluo
from spacy.util import fix_random_seed

from spacy_rehearse.interpolate import interpolate

from .util import make_docs, quick_config

MOST_TAGS = 16
WIDTH = 32


class WordTagger(TrainablePipe):
    """Gives each word a tag: `O`, or that it begins an entity or goes on with one."""

    def __init__(self, nlp: Language, name: str) -> None:
        self.vocab, self.name = nlp.vocab, name
        tok2vec = build_hash_embed_cnn_tok2vec(
            width=WIDTH,
            depth=2,
            embed_size=500,
            window_size=1,
            maxout_pieces=2,
            subword_features=True,
            pretrained_vectors=None,
        )
        self.model = build_tagger_model(tok2vec, nO=MOST_TAGS)
        self.cfg = {"labels": []}

    @property
    def labels(self):
        return tuple(self.cfg["labels"])

    @property
    def tags(self):
        return ["O", *(f"{x}-{label}" for label in self.labels for x in "BI")]

    def add_label(self, label):
        if label in self.labels:
            return 0
        self.cfg["labels"].append(label)
        return 1

    def initialize(self, get_examples, *, nlp=None):
        docs = [eg.predicted for eg in get_examples()]
        self.model.initialize(X=docs[:5])

    def predict(self, docs):
        if not any(map(len, docs)):
            return [numpy.zeros((0,), dtype="i") for _ in docs]
        n_tags = len(self.tags)
        return [x[:, :n_tags].argmax(axis=1) for x in self.model.predict(docs)]

    def set_annotations(self, docs, predicted):
        for doc, rows in zip(docs, predicted, strict=True):
            tags = iob_to_biluo([self.tags[i] for i in rows])
            doc.ents = biluo_tags_to_spans(doc, tags)

    def update(self, examples, *, drop=0.0, sgd=None, losses=None):
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        loss, gradient = self.get_loss(examples, scores)
        backprop(gradient)
        if sgd:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(self, examples, scores):
        places = {tag: i for i, tag in enumerate(self.tags)}
        gradients = []
        for eg, given in zip(examples, scores, strict=True):
            gradient = given.copy()
            for i, tag in enumerate(eg.get_aligned_ner()):
                if tag in (None, "-"):
                    gradient[i] = 0
                else:
                    (iob,) = biluo_to_iob([tag])
                    gradient[i, places[iob]] -= 1
            gradients.append(gradient)
        return sum(float((x**2).sum()) for x in gradients), gradients


@pytest.fixture(scope="module", autouse=True)
def factory():
    Language.factory("word_tagger", func=WordTagger, assigns=["doc.ents"])


@pytest.fixture(scope="module")
def tagging_base(tmp_path_factory, factory):
    fix_random_seed(0)
    nlp = spacy.blank("xx")
    tagger = nlp.add_pipe("word_tagger", name="ner")
    for label in ("PERSON", "ORG"):
        tagger.add_label(label)
    docs = make_docs(nlp, 150, ("PERSON", "ORG"), seed=1)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    for i in range(60):
        nlp.update(examples[i % 10 :: 10], sgd=optimizer)
    path = tmp_path_factory.mktemp("tagging") / "base"
    nlp.to_disk(path)
    return path


def test_other_recogniser_learns_hard_silver(tagging_base, corpus, workdir):
    config = quick_config(tagging_base, corpus, "c.cfg")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(config, "out", overrides={"training.max_steps": 40})
    told = [str(w.message) for w in caught]
    assert sum("without distillation" in x for x in told) == 1, told
    nlp = spacy.load("out/model-last")
    assert {"PERSON", "ORG", "GADGET"} <= set(nlp.get_pipe("ner").labels)
    scores = nlp.meta["spacy_rehearse"]["scores"]
    assert scores["rehearsal_retention"] > 0.8


def test_other_recogniser_is_not_interpolated(tagging_base):
    nlp = spacy.load(tagging_base)
    with pytest.raises(ValueError, match="no transition-based parser"):
        interpolate(nlp, spacy.load(tagging_base), "ner", 0.5)
