import warnings

import numpy
import pytest
import spacy
from thinc.api import Adam

from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.distillation import action_names
from spacy_rehearse.unseen import see_in_beam, seen_actions, silence_unseen

from .test_component import initialized
from .test_lead import COPY, scores, train
from .util import NER, make_texts, train_base

NEW = ("GADGET",)  # the gold's have two words each


def test_unseen_actions_lose_to_outside_on_any_text_and_no_other_changes(base, corpus):
    nlp, examples = initialized(base, corpus, column=COPY)
    train(nlp, examples, 2, Adam(0.01))
    ner = nlp.get_pipe("ner")
    names = action_names(ner)
    seen = seen_actions(ner, NEW)
    unseen = [i for i, x in enumerate(names) if "GADGET" in x and i not in seen]
    assert "B-GADGET" in {names[i] for i in seen}
    assert {"I-GADGET", "U-GADGET"} <= {names[i] for i in unseen}
    others = [i for i in range(len(names)) if i not in unseen]
    states = numpy.random.default_rng(0).normal(size=(20, 64)).astype("f")
    before = scores(ner, states)
    silence_unseen(ner, NEW)
    after = scores(ner, states)
    numpy.testing.assert_array_equal(after[:, others], before[:, others])
    lost = after[:, [names.index("O")]] - after[:, unseen]
    numpy.testing.assert_allclose(lost, 1.0, rtol=1e-4)


@pytest.fixture(scope="module")
def flat_base(tmp_path_factory):
    """A base whose NER has no upper layer."""
    config = NER.replace("use_upper = true", "use_upper = false")
    return train_base(config, tmp_path_factory.mktemp("flat") / "base")


@pytest.mark.parametrize("column", [COPY, None], ids=["copy", "all weights"])
def test_unseen_actions_are_not_found_by_what_is_saved(base, corpus, tmp_path, column):
    nlp, examples = initialized(base, corpus, column=column)
    optimizer = Adam(0.01, use_averages=True)
    train(nlp, examples, 2, optimizer)
    with nlp.use_params(optimizer.averages):  # as spaCy saves
        plain = create_export_v1()(nlp)
        plain.to_disk(tmp_path / "saved")
        saved = spacy.load(tmp_path / "saved")
        for text, _ in make_texts(60, ("PERSON", "ORG", "GADGET"), seed=1):
            ours, theirs = (
                [(e.text, e.label_) for e in x(text).ents] for x in (plain, saved)
            )
            assert ours == theirs


def test_unseen_actions_learn_on_from_where_they_were_when_it_was_saved(
    base, corpus, tmp_path
):
    nlp, examples = initialized(base, corpus, column=None)
    train(nlp, examples, 1, Adam(0.01))
    ner = nlp.get_pipe("ner")
    before = ner.model.get_ref("upper").get_param("b").copy()
    for _ in range(2):
        create_export_v1()(nlp).to_disk(tmp_path / "saved")
    saved = spacy.load(tmp_path / "saved").get_pipe("ner")
    assert (saved.model.get_ref("upper").get_param("b") != before).any()
    nlp.update(examples[:8], sgd=False)
    nlp.get_pipe("rehearsal").settle()
    numpy.testing.assert_array_equal(ner.model.get_ref("upper").get_param("b"), before)


def test_unseen_actions_are_no_weights_that_moved(base, corpus):
    """Saved in the middle of the first update, and gone on with: no warning."""
    nlp, examples = initialized(base, corpus, column=None)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            nlp.update(examples[:8], sgd=False)
            create_export_v1()(nlp)
            create_export_v1()(nlp)
    assert [str(x.message) for x in told] == []


def test_unseen_actions_lose_to_outside_without_an_upper_layer_too(flat_base, corpus):
    nlp, examples = initialized(flat_base, corpus, column=None)
    train(nlp, examples, 2, Adam(0.01))
    ner = nlp.get_pipe("ner")
    names, unseen = action_names(ner), ner.model.attrs["unseen_classes"]
    assert "U-GADGET" in {names[i] for i in unseen}
    (row, *_), outside = unseen, names.index("O")
    before = ner.model.get_ref("lower").get_param("b").copy()
    silence_unseen(ner, NEW)
    lower = ner.model.get_ref("lower")
    W, b, pad = (lower.get_param(name) for name in ("W", "b", "pad"))
    numpy.testing.assert_array_equal(W[:, row], W[:, outside])
    numpy.testing.assert_array_equal(pad[:, :, row], pad[:, :, outside])
    numpy.testing.assert_allclose(b[row], b[outside] - 1)
    others = [i for i in range(len(names)) if i not in unseen]
    numpy.testing.assert_array_equal(b[others], before[others])


@pytest.fixture(scope="module")
def beam_base(tmp_path_factory):
    beam = 'factory = "beam_ner"\nbeam_width = 2\nbeam_update_prob = 1.0'
    config = NER.replace('factory = "ner"', beam)
    return train_base(config, tmp_path_factory.mktemp("beam") / "base", n_updates=5)


def test_unseen_actions_learn_where_a_beam_makes_all_updates(beam_base, corpus):
    """There, spaCy does not look for what is called for."""
    nlp, examples = initialized(beam_base, corpus)
    ner = nlp.get_pipe("ner")
    assert {"B-GADGET", "L-GADGET"} <= names_of(ner, seen_actions(ner, NEW))
    before = ner.model.get_ref("upper").get_param("W").copy()
    train(nlp, examples, 2, Adam(0.01))
    row = action_names(ner).index("B-GADGET")
    assert (ner.model.get_ref("upper").get_param("W")[row] != before[row]).any()


def names_of(ner, actions):
    return {action_names(ner)[i] for i in actions}


def test_unseen_actions_are_seen_in_greedy_updates(base):
    ner = spacy.load(base).get_pipe("ner")
    ner.add_label("GADGET")
    see_in_beam(ner, NEW)
    assert not seen_actions(ner, NEW)
    ner.cfg.update(beam_width=2, beam_update_prob=0.5)
    see_in_beam(ner, NEW)
    assert not seen_actions(ner, NEW)
    ner.cfg["beam_update_prob"] = 1.0
    see_in_beam(ner, NEW)
    assert len(seen_actions(ner, NEW)) == 4
    see_in_beam(object(), NEW)  # another recogniser has no such settings


def test_unseen_actions_lose_by_far_where_a_beam_goes_on_with_what_is_not_best(base):
    nlp = spacy.load(base)
    ner = nlp.get_pipe("ner")
    ner.add_label("GADGET")
    ner.model.attrs["unseen_classes"] = {
        i for i, name in enumerate(action_names(ner)) if "GADGET" in name
    }
    states = numpy.zeros((1, 32), dtype="f")
    behind = {}
    for width in (1, 32):
        ner.cfg["beam_width"] = width
        silence_unseen(ner, NEW)
        (given,) = scores(ner, states)
        new = given[[*ner.model.attrs["unseen_classes"]]]
        behind[width] = (given[action_names(ner).index("O")] - new).min()
    assert behind[32] >= 10 * behind[1] > 0
