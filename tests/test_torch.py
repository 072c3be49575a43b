"""Weights that PyTorch holds, as a transformer's are: inside a shim."""

import numpy
import pytest
import spacy

from spacy_rehearse.interpolate import interpolate
from spacy_rehearse.parameters import parameters

from .test_component import initialized, loop
from .util import SHARED, train_base

pytest.importorskip("torch", reason="PyTorch is not installed")
CNN = SHARED[SHARED.index('@architectures = "spacy.HashEmbedCNN.v2"') :].partition(
    "[components.tagger]"
)[0]
BILSTM = """@architectures = "spacy.Tok2Vec.v2"
[components.tok2vec.model.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 32
attrs = ["NORM", "SHAPE"]
rows = [500, 100]
include_static_vectors = false
[components.tok2vec.model.encode]
@architectures = "spacy.TorchBiLSTMEncoder.v1"
width = 32
depth = 1
dropout = 0.0
"""
L2SP = {"l2sp": {"@misc": "spacy-rehearse.L2SP.v1", "strength": 100.0}}
EWC = {"ewc": {"@misc": "spacy-rehearse.EWC.v1", "strength": 1e5, "n_texts": 20}}
FROZEN = {"freeze": {"@misc": "spacy-rehearse.Freeze.v1", "parts": ["encode"]}}


@pytest.fixture(scope="module")
def torch_base(tmp_path_factory):
    return train_base(SHARED.replace(CNN, BILSTM), tmp_path_factory.mktemp("torch"))


def torch_weights(nlp):
    model = nlp.get_pipe("tok2vec").model
    return {
        x.place[1]: x.weights.copy()
        for x in parameters(model)
        if x.place[1].startswith("shim.")
    }


def distance(nlp, base):
    before, after = torch_weights(spacy.load(base)), torch_weights(nlp)
    assert before.keys() == after.keys() and len(before) == 8  # of a BiLSTM
    return sum(float(numpy.abs(after[key] - before[key]).sum()) for key in before)


def trained(base, corpus, regularizers=None):
    nlp, examples = initialized(base, corpus, regularizers)
    loop(nlp, examples, n_updates=6)
    return nlp


@pytest.mark.slow
def test_torch_weights_are_pulled_back_and_frozen(torch_base, corpus):
    free = distance(trained(torch_base, corpus), torch_base)
    assert 0 < distance(trained(torch_base, corpus, L2SP), torch_base) < 0.8 * free
    assert 0 < distance(trained(torch_base, corpus, EWC), torch_base) < 0.8 * free
    assert distance(trained(torch_base, corpus, FROZEN), torch_base) == 0


@pytest.mark.slow
def test_torch_weights_are_interpolated(torch_base, corpus):
    base, student = spacy.load(torch_base), trained(torch_base, corpus)
    whole = distance(student, torch_base)
    interpolate(base, student, "ner", 0.5)
    assert distance(student, torch_base) == pytest.approx(whole / 2, rel=1e-3)
    interpolate(base, student, "ner", 0.0)
    assert distance(student, torch_base) == 0


@pytest.mark.slow
def test_torch_experts_get_the_weights_of_their_best_pass(torch_base, corpus):
    settings = {"n_experts": 1, "max_passes": 2, "lean": 0.0}
    nlp, _ = initialized(torch_base, corpus, expert=settings)
    (expert,) = nlp.get_pipe("rehearsal").session.experts
    assert distance(expert.nlp, torch_base) > 0
