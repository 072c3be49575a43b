"""Tiny data and pipelines for the tests: made in code, trained in seconds.

Their language is "xx": an English tokenizer has 1,300 special cases, and to read them
each time a pipeline is loaded took half of the time of all tests.
"""

import json
import random
import signal
from pathlib import Path

import spacy
import srsly
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import fix_random_seed, set_dot_to_object
from thinc.api import Config

from spacy_rehearse.corpus import create_raw_text_v1
from spacy_rehearse.init_config import make_config
from spacy_rehearse.scorer import entity_prf

PERSONS = ["Ana Ruiz", "Bob Lind", "Cleo Marx", "Dina Oz", "Emil Berg", "Fay Wong"]
ORGS = ["Acme Corp", "Blue Ltd", "Core Group", "Delta Inc", "Echo Bank", "Fjord Air"]
GADGETS = ["Zoomer X", "Pixo Pad", "Vibe Watch", "Lumo Cam", "Kaza Phone", "Tivo Box"]
LABELS = {
    "PERSON": (["mister", "doctor"], PERSONS),
    "ORG": (["firm", "company"], ORGS),
    "GADGET": (["device", "gadget"], GADGETS),
}
FILLERS = """
the a old red big cold town river then saw made went under over with from night day rain
snow road tree house quiet early late many some few last next green small bread table
window door street garden winter summer letter paper music story train boat wrote asked
found left kept heard sent walked slept talked near behind after before
""".split()

NER = """
[nlp]
lang = "xx"
pipeline = ["ner"]
[components]
[components.ner]
factory = "ner"
[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 32
maxout_pieces = 2
use_upper = true
[components.ner.model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 2
embed_size = 500
window_size = 1
maxout_pieces = 2
subword_features = true
"""
SHARED = """
[nlp]
lang = "xx"
pipeline = ["tok2vec","tagger","ner"]
[components]
[components.tok2vec]
factory = "tok2vec"
[components.tok2vec.model]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 32
depth = 2
embed_size = 500
window_size = 1
maxout_pieces = 2
subword_features = true
[components.tagger]
factory = "tagger"
[components.tagger.model]
@architectures = "spacy.Tagger.v2"
[components.tagger.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = 32
[components.ner]
factory = "ner"
[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 32
maxout_pieces = 2
use_upper = true
[components.ner.model.tok2vec]
@architectures = "spacy.Tok2VecListener.v1"
width = ${components.tok2vec.model.width}
"""


def with_embedding(attrs, vectors):
    """The config of a recogniser that sees just these attributes of a word."""
    start = NER.index("@architectures", NER.index("model.tok2vec"))
    rows = [500] * len(attrs)
    return f"""{NER[:start]}@architectures = "spacy.Tok2Vec.v2"
[components.ner.model.tok2vec.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 32
attrs = {json.dumps(attrs)}
rows = {rows}
include_static_vectors = {json.dumps(vectors is not None)}
[components.ner.model.tok2vec.encode]
@architectures = "spacy.MaxoutWindowEncoder.v2"
width = 32
depth = 2
window_size = 1
maxout_pieces = 2
[initialize]
vectors = {json.dumps(vectors)}
"""


def make_texts(n, labels, seed, kinds=tuple(LABELS)):
    """Make n texts that mention `kinds`, with the entities of `labels` only."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        words, entities = rng.sample(FILLERS, rng.randint(2, 4)), []
        for label in rng.choices([None, *kinds], k=2):
            if label is not None:
                cues, names = LABELS[label]
                words.append(rng.choice(cues))
                start = len(" ".join(words)) + 1
                words.append(rng.choice(names))
                if label in labels:
                    entities.append((start, len(" ".join(words)), label))
            words += rng.sample(FILLERS, rng.randint(1, 4))
        made.append((" ".join(words) + " .", entities))
    return made


def make_docs(nlp, n, labels, seed):
    docs = []
    for text, entities in make_texts(n, labels, seed):
        doc = nlp.make_doc(text)
        doc.set_ents([doc.char_span(s, e, label=x) for s, e, x in entities])
        docs.append(doc)
    return docs


def tag(doc):
    """Give the tagger something that can be learnt."""
    for token in doc:
        token.tag_ = "P" if token.is_punct else "T" if token.is_title else "W"
    return doc


def train_base(config, path, *, labels=("PERSON", "ORG"), n_updates=40, **meta):
    """Train a small pipeline in a few seconds and save it."""
    fix_random_seed(0)
    nlp = spacy.util.load_model_from_config(
        Config().from_str(config, interpolate=False), auto_fill=True
    )
    docs = make_docs(nlp, 150, labels, seed=1)
    examples = [Example(nlp.make_doc(doc.text), tag(doc)) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.005
    rng = random.Random(0)
    for _ in range(n_updates):
        batch = rng.sample(examples, 24)
        nlp.update(batch, sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
    nlp.meta.update({"name": "tiny", "version": "1.2.3", "license": "CC0", **meta})
    nlp.to_disk(path)
    return path


def write_corpus(folder, *, n_train=40, n_dev=30, n_pool=150, train_labels=("GADGET",)):
    """Write train.spacy and dev.spacy, annotated for GADGET only, and pool.jsonl."""
    folder = Path(folder)
    nlp = spacy.blank("xx")
    train = make_docs(nlp, n_train, train_labels, seed=2)
    DocBin(docs=[tag(doc) for doc in train]).to_disk(folder / "train.spacy")
    dev = make_docs(nlp, n_dev, train_labels, seed=3)
    DocBin(docs=dev).to_disk(folder / "dev.spacy")
    write_pool(folder / "pool.jsonl", n_pool)
    return folder


def initialize(nlp, base, corpus, examples, **settings):
    """Initialize the pipeline's rehearsal, without cache or experts if not told."""
    rehearsal = nlp.get_pipe("rehearsal")
    told = {
        "teacher": str(base),
        "pool": create_raw_text_v1(corpus / "pool.jsonl"),
        "cache": None,
        "expert": None,
        **settings,
    }
    with nlp.select_pipes(enable=["rehearsal"]):  # as spaCy's own loop does
        rehearsal.initialize(lambda: examples, nlp=nlp, **told)
    return rehearsal


def hear_ctrl_c():
    """What a shell has running in the background ignores SIGINT, and so would what it
    starts.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def write_pool(path, n, seed=4):
    made = make_texts(n, (), seed, kinds=("PERSON", "ORG"))
    srsly.write_jsonl(path, [{"text": text} for text, _ in made])
    return path


def quick_config(base, corpus, path, *, naive=False, labels=None, **settings):
    """Write a config as init-config does, cut down to a few seconds of training."""
    config = make_config(
        str(base),
        train=corpus / "train.spacy",
        dev=corpus / "dev.spacy",
        pool=None if naive else [corpus / "pool.jsonl"],
        labels=labels,
    )
    training = config["training"]
    training.update(max_steps=30, eval_frequency=15, patience=0)
    training["batcher"]["size"] = 150
    training["optimizer"]["learn_rate"] = 0.005
    if not naive:  # an expert takes seconds: see test_expert.py
        config["initialize"]["components"]["rehearsal"]["expert"] = None
    for key, value in settings.items():
        set_dot_to_object(config, key.replace("__", "."), value)
    config.to_disk(path)
    return path


def entities_f(nlp, labels, n=150, seed=11):
    """Score some labels on fresh texts annotated in full."""
    docs = make_docs(nlp, n, ("PERSON", "ORG", "GADGET"), seed)
    examples = [Example(nlp(doc.text), doc) for doc in docs]
    return entity_prf(examples, labels).fscore
