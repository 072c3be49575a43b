"""Real `spacy train` runs on tiny pipelines."""

import shutil

import numpy
import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.tokens import DocBin

from spacy_rehearse.column import DEFAULT_COLUMN

from .util import entities_f, make_docs, quick_config

OLD = ("PERSON", "ORG")
NEW = ("GADGET",)


@pytest.fixture
def run(corpus, workdir):
    def run(base, *, out="out", **settings):
        config = quick_config(base, corpus, workdir / f"{out}.cfg", **settings)
        train(config, workdir / out)
        return workdir / out

    return run


def weights(nlp, name):
    return [
        node.get_param(param)
        for node in nlp.get_pipe(name).model.walk()
        for param in node.param_names
        if node.has_param(param)
    ]


def test_train_naive_forgets_and_rehearsal_does_not(run, base):
    naive = spacy.load(run(base, out="naive", naive=True) / "model-best")
    rehearsed = spacy.load(run(base) / "model-best")
    assert entities_f(naive, OLD) < 0.2
    assert entities_f(naive, NEW) > 0.8
    assert entities_f(rehearsed, OLD) > 0.9
    assert entities_f(rehearsed, NEW) > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"training__max_epochs": -1},
        {"training__max_epochs": 10, "training__max_steps": 0},
        {"training__accumulate_gradient": 2},
        {"initialize__components__rehearsal__cache": None},
    ],
    ids=["streamed", "epochs", "accumulate", "no-cache"],
)
def test_train_works_with(run, base, settings):
    nlp = spacy.load(run(base, **settings) / "model-last")
    assert entities_f(nlp, OLD) > 0.8
    assert entities_f(nlp, NEW) > 0.5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_train_base_with_vectors_keeps_them(run, vectors_base):
    nlp = spacy.load(run(vectors_base, training__max_steps=20) / "model-last")
    before = spacy.load(vectors_base)
    assert nlp.vocab.vectors.n_keys == before.vocab.vectors.n_keys == 8
    assert nlp("Acme")[0].vector.tolist() == before("Acme")[0].vector.tolist()


@pytest.mark.slow
def test_train_shared_tok2vec_with_own_copy_leaves_the_tagger_alone(run, shared_base):
    nlp, before = spacy.load(run(shared_base) / "model-best"), spacy.load(shared_base)
    assert entities_f(nlp, OLD) > 0.9 and entities_f(nlp, NEW) > 0.8
    for name in ("tok2vec", "tagger"):
        for ours, theirs in zip(weights(nlp, name), weights(before, name), strict=True):
            numpy.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_train_shared_tok2vec_with_listeners_moves_it(run, shared_base):
    out = run(
        shared_base,
        components__ner={"source": "${paths.base}"},
        training__frozen_components=[],
    )
    nlp, before = spacy.load(out / "model-last"), spacy.load(shared_base)
    assert entities_f(nlp, OLD) > 0.8 and entities_f(nlp, NEW) > 0.5
    moved = zip(weights(nlp, "tok2vec"), weights(before, "tok2vec"), strict=True)
    assert any((ours != theirs).any() for ours, theirs in moved)


@pytest.mark.slow
def test_train_frozen_annotating_tok2vec_stays_and_the_head_learns(run, shared_base):
    out = run(
        shared_base,
        components__ner={"source": "${paths.base}"},
        training__frozen_components=["tok2vec", "tagger"],
        training__annotating_components=["tok2vec"],
    )
    nlp, before = spacy.load(out / "model-last"), spacy.load(shared_base)
    for ours, theirs in zip(
        weights(nlp, "tok2vec"), weights(before, "tok2vec"), strict=True
    ):
        numpy.testing.assert_array_equal(ours, theirs)
    assert entities_f(nlp, OLD) > 0.8 and entities_f(nlp, NEW) > 0.3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_train_same_seed_same_weights_with_cold_and_warm_cache(run, base, monkeypatch):
    from spacy_rehearse import silver

    cold = spacy.load(run(base, out="cold", training__max_steps=8) / "model-last")

    def fail(texts, *more):
        raise AssertionError(f"annotated {len(texts)} texts again")

    monkeypatch.setattr(silver, "annotate_batch", fail)
    warm = spacy.load(run(base, out="warm", training__max_steps=8) / "model-last")
    for a, b in zip(weights(cold, "ner"), weights(warm, "ner"), strict=True):
        numpy.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_train_best_checkpoint_is_neither_untrained_nor_forgetful(run, base):
    meta = srsly.read_json(run(base) / "model-best" / "meta.json")
    scores = meta["spacy_rehearse"]["scores"]
    assert scores["rehearsal_score"] > 0.8
    assert scores["rehearsal_new_f"] > 0.7 and scores["rehearsal_retention"] > 0.8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_train_averaged_weights_do_not_start_at_zero(run, base, capfd):
    # A copy's lead multiplies what a single update has left to chance.
    small = {**DEFAULT_COLUMN, "copy": False}
    section = "initialize__components__rehearsal__column"
    run(base, training__max_steps=1, training__eval_frequency=1, **{section: small})
    lines = capfd.readouterr().out.splitlines()
    (first,) = [line for line in lines if line.startswith("  0       0")]
    assert float(first.split()[5]) > 99  # retention after one update


@pytest.mark.slow
def test_train_warns_if_no_checkpoint_learnt_anything(run, base):
    with pytest.warns(UserWarning, match="no checkpoint scored above 0"):
        run(base, training__optimizer__learn_rate=0.0, training__max_steps=20)


@pytest.mark.slow
def test_train_experts_lift_the_new_label_and_tell_what_they_found(run, base):
    section = "initialize__components__rehearsal__expert"
    settings = {section: {"n_experts": 2, "max_passes": 6}}
    nlp = spacy.load(run(base, **settings) / "model-best")
    told = nlp.meta["spacy_rehearse"]["experts"]
    assert len(told["precision"]) == len(told["recall"]) == 2
    assert {"certain", "contested", "doubtful"} < set(told)
    assert entities_f(nlp, ("GADGET",)) > 0.5
    assert entities_f(nlp, ("PERSON", "ORG")) > 0.7


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"n_experts": 9, "max_passes": 6},
            "n_experts is 9: expected a whole number, 1",
        ),
        (
            {"n_experts": 2, "max_passes": 0},
            "max_passes is 0: expected a whole number",
        ),
        ({"n_experts": None, "max_passes": 6}, "n_experts is None: expected a whole"),
        ({"max_passes": 2.5}, "max_passes is 2.5: expected a whole number, 1 to"),
        ({"n_experts": "2"}, "n_experts is '2': expected a whole number, 1 to 5"),
        ({"experts": 2}, "holds .*'experts'.*expert = null"),
    ],
)
def test_train_rejects_expert_settings(run, base, settings, words):
    with pytest.raises(ValueError, match=words):
        run(base, initialize__components__rehearsal__expert=settings)


@pytest.mark.slow
def test_train_a_corrected_label_leaves_its_spans_to_no_other(base, corpus, workdir):
    wrong = ("Echo Bank", "Fjord Air", "Delta Inc")
    shutil.copytree(corpus, workdir / "own")
    for name, n, seed in (("train", 80, 5), ("dev", 40, 6)):
        docs = make_docs(spacy.blank("xx"), n, ("ORG",), seed)
        for doc in docs:
            doc.ents = [ent for ent in doc.ents if ent.text not in wrong]
        DocBin(docs=docs).to_disk(workdir / "own" / f"{name}.spacy")
    config = quick_config(
        base,
        workdir / "own",
        "c.cfg",
        labels=["ORG"],
        training__max_steps=120,
        training__patience=120,
    )
    train(config, "out")
    before, after = spacy.load(base), spacy.load("out/model-best")
    texts = [doc.text for doc in make_docs(before, 100, (), seed=21)]
    had, has = (
        sum(e.text in wrong for doc in nlp.pipe(texts) for e in doc.ents)
        for nlp in (before, after)
    )
    assert had > 20 and has < 0.2 * had
    scores = after.meta["spacy_rehearse"]["scores"]
    assert scores["rehearsal_new_f"] > 0.9 and scores["rehearsal_retention"] > 0.9
