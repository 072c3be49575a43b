import copy
import pickle
import warnings

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.symbols import NAMES
from spacy.tokens import Span
from spacy.training import Corpus, Example
from spacy.util import registry
from thinc.api import Adam

from spacy_rehearse import component, prepare, rehearse
from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.column import DEFAULT_COLUMN
from spacy_rehearse.corpus import create_raw_text_v1
from spacy_rehearse.discriminative import create_discriminative_v1
from spacy_rehearse.findings import Findings
from spacy_rehearse.freeze import put_back
from spacy_rehearse.parity import differences
from spacy_rehearse.scorer import SCORE_WEIGHTS
from spacy_rehearse.silver import SilverText
from spacy_rehearse.teacher import predict_entities, zone

from .util import LABELS, NER, entities_f, initialize, make_docs, train_base


def initialized(base, corpus, regularizers=None, ratio=3.0, **settings):
    """A pipeline with an initialized component, and the gold."""
    nlp = spacy.load(base)
    config = {"regularizers": regularizers or {}, "ratio": ratio}
    nlp.add_pipe("rehearsal", first=True, config=config)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    initialize(nlp, base, corpus, examples, **settings)
    return nlp, examples


def loop(nlp, examples, n_updates=40):
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.005
    losses = {}
    for i in range(n_updates):
        batch = examples[i * 8 % 32 : i * 8 % 32 + 8]
        nlp.update(batch, sgd=False, losses=losses)
        for _, pipe in nlp.pipeline:
            if hasattr(pipe, "finish_update"):
                pipe.finish_update(optimizer)
    return losses


def test_component_in_a_hand_written_loop(base, corpus):
    nlp, examples = initialized(base, corpus)
    losses = loop(nlp, examples)
    assert losses["rehearsal"] > 0
    assert entities_f(nlp, ("PERSON", "ORG")) > 0.8
    assert entities_f(nlp, ("GADGET",)) > 0.5


def test_component_initialized_through_nlp_initialize(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    nlp.config["initialize"]["components"]["rehearsal"] = {
        "teacher": str(base),
        "cache": None,
        "expert": None,
        "pool": {
            "@readers": "spacy-rehearse.RawText.v1",
            "path": str(corpus / "pool.jsonl"),
        },
    }
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    with nlp.select_pipes(enable=["rehearsal"]):
        nlp.initialize(lambda: examples)
    losses = nlp.update(examples[:4], sgd=False)
    assert losses["ner"] > 0 and losses["rehearsal"] > 0


def test_component_notices_that_the_student_was_initialized_anew(base, corpus):
    nlp, examples = initialized(base, corpus)
    nlp.get_pipe("ner").initialize(lambda: examples)
    with pytest.raises(ValueError, match="The weights of 'ner' are not the teacher's"):
        nlp.update(examples[:4], sgd=False)


def test_component_says_so_if_weights_move_before_all_gradients_are_in(base, corpus):
    nlp, examples = initialized(base, corpus)
    with pytest.warns(UserWarning, match="sgd=False"):
        nlp.update(examples[:4], sgd=nlp.resume_training())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.update(examples[4:8], sgd=nlp.resume_training())  # once is enough


def test_component_puts_frozen_weights_back_that_others_moved(base, corpus):
    nlp, examples = initialized(base, corpus)
    rehearsal, ner = nlp.get_pipe("rehearsal"), nlp.get_pipe("ner")
    before, optimizer = rehearsal.session.frozen_weights, nlp.resume_training()
    n_moved = 0
    nlp.update(examples[:4], sgd=False)
    ner.finish_update(optimizer)  # too early
    for node in ner.model.walk():
        for name in node.param_names:
            if (node.id, name) in before:
                wrong = node.get_param(name) != before[node.id, name]
                free = rehearsal.session.movable[node.id, name]
                n_moved += (wrong if free is None else wrong & ~free).sum()
    assert n_moved
    with pytest.warns(UserWarning, match="in the order of nlp.pipeline"):
        nlp.update(examples[4:8], sgd=False)
    rehearsal.settle()  # take off the margin, which is no move
    assert not put_back(ner.model, rehearsal.session.movable, before)


def test_component_ships_frozen_weights_where_a_loop_leaves_it_out(base, corpus):
    nlp, examples = initialized(base, corpus)
    nlp.update(examples[:4], sgd=False)
    nlp.get_pipe("ner").finish_update(nlp.resume_training())  # with the margin on
    with pytest.warns(UserWarning, match="in the order of nlp.pipeline"):
        plain = create_export_v1()(nlp)
    session = nlp.get_pipe("rehearsal").session
    model = plain.get_pipe("ner").model
    assert not put_back(model, session.movable, session.frozen_weights)


def test_component_says_so_if_a_loop_leaves_it_out_without_a_column(base, corpus):
    nlp, examples = initialized(base, corpus, column=None)
    optimizer = nlp.resume_training()
    nlp.update(examples[:4], sgd=False)
    nlp.update(examples[4:8], sgd=False)  # gradients may be accumulated
    nlp.get_pipe("ner").finish_update(optimizer)
    with pytest.warns(UserWarning, match="in the order of nlp.pipeline"):
        nlp.update(examples[8:12], sgd=False)


def test_component_refuses_gold_that_another_training_completed(base, corpus):
    nlp, examples = initialized(base, corpus)
    nlp.update(examples, sgd=False)
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    initialize(nlp, base, corpus, examples, column=None)  # the same: no harm
    with pytest.raises(ValueError, match="read the examples from the file again"):
        initialize(nlp, base, corpus, examples, labels=["GADGET", "ORG"], column=None)


def test_component_says_where_it_goes_on_if_it_is_interrupted(
    base, corpus, tmp_path, monkeypatch, capfd
):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(component, "prepare", interrupt)
    for cache in (None, str(tmp_path)):
        with pytest.raises(KeyboardInterrupt):
            initialized(base, corpus, cache=cache)
        told = " ".join(capfd.readouterr().err.split())
        assert ("Interrupted. What is done is kept in" in told) == bool(cache)


def test_component_completes_the_gold_in_place_once(base, corpus):
    nlp, examples = initialized(base, corpus)
    rehearsal = nlp.get_pipe("rehearsal")
    teacher = spacy.load(base)
    nlp.update(examples, sgd=False)
    filled = rehearsal.counts.copy()
    assert filled["filled"] > 0
    for eg in examples:
        labels = {ent.label_ for ent in eg.reference.ents}
        expected = {ent.label_ for ent in teacher(eg.reference.text).ents}
        assert labels - {"GADGET"} <= expected
    nlp.update(examples, sgd=False)
    assert rehearsal.counts == filled


def test_component_draws_silver_by_the_ratio(base, corpus, monkeypatch):
    nlp, examples = initialized(base, corpus)
    rehearsal = nlp.get_pipe("rehearsal")
    drawn, gold = [], 0
    real = rehearse.to_examples
    monkeypatch.setattr(
        rehearse, "to_examples", lambda n, s, **kw: drawn.extend(s) or real(n, s, **kw)
    )
    for start in range(0, 40, 4):
        nlp.update(examples[start : start + 4], sgd=False)
        gold += sum(len(eg) for eg in examples[start : start + 4])
    assert abs(sum(s.n_words for s in drawn) - 3.0 * gold) < 20
    heldout = {item.text for item in rehearsal.session.heldout}
    assert not heldout & {item.text for item in drawn}


@pytest.mark.slow
def test_component_ratio_zero_is_completion_alone(base, corpus):
    nlp = spacy.load(base)
    rehearsal = nlp.add_pipe("rehearsal", first=True, config={"ratio": 0.0})
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    initialize(nlp, base, corpus, examples)
    assert nlp.update(examples[:4], sgd=False)["rehearsal"] == 0.0
    assert rehearsal.counts["filled"] > 0


def test_component_predicted_docs_never_carry_entities(base, corpus):
    nlp, examples = initialized(base, corpus)
    doc = make_docs(nlp, 1, ("PERSON", "ORG", "GADGET"), seed=12)[0]
    with pytest.warns(UserWarning, match="entities were set on the docs to predict"):
        nlp.update([Example(doc, doc.copy())], sgd=False)


def test_component_initialized_again_starts_anew(base, corpus):
    nlp, examples = initialized(base, corpus, column=None)
    rehearsal = nlp.get_pipe("rehearsal")
    rehearsal.best_score, rehearsal.n_updates = 0.9, 7
    rehearsal.counts["filled"] = 7
    pool = create_raw_text_v1(corpus / "pool.jsonl")
    settings = {"teacher": str(base), "pool": pool, "cache": None, "expert": None}
    rehearsal.initialize(lambda: examples, nlp=nlp, column=None, **settings)
    assert (rehearsal.best_score, rehearsal.n_updates) == (0, 0)
    assert not rehearsal.counts


def test_component_initialized_twice_says_so(base, corpus):
    nlp, examples = initialized(base, corpus)
    pool = create_raw_text_v1(corpus / "pool.jsonl")
    with pytest.raises(ValueError, match="was initialized before: load the base anew"):
        nlp.get_pipe("rehearsal").initialize(
            lambda: examples, nlp=nlp, teacher=str(base), pool=pool, cache=None
        )


def test_component_freezes_what_a_regularizer_freezes(base, corpus):
    freeze = {"@misc": "spacy-rehearse.Freeze.v1", "parts": ["tok2vec"], "rows": "old"}
    nlp, examples = initialized(
        base, corpus, regularizers={"freeze": freeze}, column=None
    )
    loop(nlp, examples, n_updates=3)
    ours = nlp.get_pipe("ner").model
    theirs = spacy.load(base).get_pipe("ner").model
    for part in ("tok2vec", "lower", "upper"):
        pairs = zip(ours.get_ref(part).walk(), theirs.get_ref(part).walk(), strict=True)
        moved = False
        for now, then in pairs:
            for name in then.param_names:
                old, new = then.get_param(name), now.get_param(name)
                moved |= bool((new[: len(old)] != old).any())
                if part == "upper":
                    assert (new[len(old) :] != 0).any()
        assert moved == (part == "lower")


def test_component_lets_old_labels_step_back_where_they_hide_the_new_one(
    base, corpus, capfd
):
    never = {**DEFAULT_COLUMN, "step_back": False}
    always = {**DEFAULT_COLUMN, "step_back": True}
    for n_hidden, column in (
        (0, DEFAULT_COLUMN),
        (8, DEFAULT_COLUMN),
        (8, never),
        (0, always),
    ):
        nlp = spacy.load(base)
        doc = nlp.make_doc("made the firm Acme Corp and the device Zoomer X late .")
        doc.set_ents([doc.char_span(19, 23, "GADGET")])  # "Corp"
        hidden = Example(nlp.make_doc(doc.text), doc)
        nlp.add_pipe("rehearsal", first=True, config={"margin": 1.0})
        examples = list(Corpus(corpus / "train.spacy")(nlp)) + [hidden] * n_hidden
        rehearsal = initialize(nlp, base, corpus, examples, column=column)
        steps_back = column is always or (bool(n_hidden) and column is not never)
        about = rehearsal.session.about["settings"]
        assert about["column"]["step_back"] == steps_back
        # Old scores can move then: they are distilled, and would make up for a margin.
        assert (rehearsal.session.soft > 0) == steps_back
        assert (rehearsal.session.margin == 0) == steps_back
        assert (about["hidden_share"] > 0.05) == bool(n_hidden)
        told = " ".join(capfd.readouterr().err.split())
        hides = "begin inside one of the teacher's" in told
        assert hides == (steps_back and column is not always)
        assert ("as step_back = true asks for" in told) == (column is always)


@pytest.mark.parametrize("column", [None, DEFAULT_COLUMN])
def test_component_names_layers_that_can_not_be_frozen_before_the_work(
    base, corpus, column
):
    freeze = {"@misc": "spacy-rehearse.Freeze.v1", "parts": ["encoder"]}
    with pytest.raises(ValueError, match="Freeze.v1: no layer is called 'encoder'"):
        initialized(base, corpus, regularizers={"it": freeze}, column=column)


@pytest.mark.parametrize("frozen", [[], ["tok2vec"]])
def test_component_tells_of_siblings_that_read_what_learns(shared_base, corpus, frozen):
    nlp = spacy.load(shared_base)
    training = {"frozen_components": frozen, "annotating_components": frozen}
    nlp.config["training"].update(training)
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    told = initialize(nlp, shared_base, corpus, examples).session.summary
    warned = [line for line in told if "tagger may get worse" in line]
    assert bool(warned) == (not frozen)
    assert any("will change: tagger" in line for line in told)
    training["frozen_components"].append("tagger")
    nlp = spacy.load(shared_base)
    nlp.config["training"].update(training)
    nlp.add_pipe("rehearsal", first=True)
    told = initialize(nlp, shared_base, corpus, examples).session.summary
    assert not any("will change" in line for line in told)


@pytest.mark.parametrize(
    "fixture, column, copied",
    [
        ("base", {}, True),
        ("base", {"copy": False}, False),
        ("base", {"hidden": 4}, False),
        ("base", {"depth": 1}, False),
        ("base", {"step_back": True}, True),
        ("shared_base", {}, False),
        ("shared_base", {"copy": True}, True),
    ],
)
def test_component_copies_the_base_where_gold_is_small(
    corpus, capfd, request, fixture, column, copied
):
    base = request.getfixturevalue(fixture)
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    shared = [name for name in nlp.pipe_names if name in ("tok2vec", "tagger")]
    nlp.config["training"]["frozen_components"] = shared
    nlp.config["training"]["annotating_components"] = shared[:1]
    rehearsal = initialize(nlp, base, corpus, examples, column=column)
    assert rehearsal.session.about["settings"]["column"]["copy"] == copied
    assert ("a copy of the base's weights" in capfd.readouterr().err) == copied
    n_hidden = nlp.get_pipe_config("ner")["model"]["hidden_width"]
    assert (n_hidden == 2 * 32) == copied


@pytest.mark.parametrize("column, said", [(DEFAULT_COLUMN, ""), (None, "B")])
def test_component_listens_to_doubt_only_where_old_scores_stay(
    base, corpus, column, said
):
    nlp, _ = initialized(base, corpus, column=column)
    session = nlp.get_pipe("rehearsal").session
    session.overlaps = {"PERSON": (5, 5)}
    doubt = Findings([], [(0, 8, "GADGET")])
    item = SilverText("Ana Ruiz left .", ((0, 8, "PERSON"),), 4, findings=doubt)
    (example,) = rehearse.silver_examples(nlp, session, [item])
    assert example.reference[0].ent_iob_ == said


def test_component_lets_all_labels_learn_where_one_is_corrected(base, corpus, capfd):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    docs = make_docs(nlp, 40, ("ORG",), seed=4)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    rehearsal = initialize(nlp, base, corpus, examples, labels=["ORG"])
    assert rehearsal.session.about["settings"]["column"]["step_back"]
    assert rehearsal.session.soft > 0 and rehearsal.session.margin == 0
    assert rehearsal.session.about["corrected"] == ["ORG"]
    assert "ORG: the teacher knows it already" in capfd.readouterr().err


def test_component_corrected_label_is_never_taken_from_the_teacher(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    docs = make_docs(nlp, 20, ("PERSON",), seed=13)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    rehearsal = initialize(nlp, base, corpus, examples, labels=["PERSON"])
    assert rehearsal.session.old_labels == ("ORG",)
    before = [[e.text for e in d.ents if e.label_ == "PERSON"] for d in docs]
    nlp.update(examples, sgd=False)
    assert [[e.text for e in d.ents if e.label_ == "PERSON"] for d in docs] == before
    assert any(e.label_ == "ORG" for doc in docs for e in doc.ents)


def test_component_scores_have_all_keys_always(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    docs = make_docs(nlp, 5, ("GADGET",), seed=3)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    scores = nlp.evaluate(examples)
    assert {key: scores[key] for key in SCORE_WEIGHTS} == dict.fromkeys(SCORE_WEIGHTS)
    nlp, _ = initialized(base, corpus)
    scores = nlp.evaluate(examples)
    assert set(SCORE_WEIGHTS) <= set(scores)
    assert scores["rehearsal_retention"] == 1.0 and scores["rehearsal_new_f"] == 0.0
    assert scores["rehearsal_old_f"] is None and scores["rehearsal_bwt"] is None


def test_component_old_labels_are_scored_where_dev_has_them(base, corpus):
    nlp, _ = initialized(base, corpus)
    docs = make_docs(nlp, 20, ("PERSON", "ORG", "GADGET"), seed=3)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    scores = nlp.evaluate(examples)
    assert scores["rehearsal_old_f"] == 1.0 and scores["rehearsal_bwt"] == 0.0
    ner = nlp.get_pipe("ner")
    ner.model.get_ref("upper").get_param("W")[:] = 0
    scores = nlp.evaluate(examples)
    assert scores["rehearsal_old_f"] < 0.2 and scores["rehearsal_bwt"] < -0.8
    assert scores["rehearsal_retention"] < 0.2


def test_component_counts_nothing_as_lost_that_dev_marks_in_a_held_out_text(
    base, corpus
):
    nlp, _ = initialized(base, corpus)
    rehearsal = nlp.get_pipe("rehearsal")
    examples = []
    for item in rehearsal.session.heldout:
        doc = nlp.make_doc(item.text)
        persons = [(s, e) for s, e, x in item.entities if x == "PERSON"]
        doc.set_ents([doc.char_span(s, e, label="GADGET") for s, e in persons])
        examples.append(Example(nlp.make_doc(item.text), doc))
    nlp.evaluate(examples[:1])
    before = {x.label: x.kept for x in rehearsal.labels_scored}
    nlp.evaluate(examples)
    after = {x.label: x.kept for x in rehearsal.labels_scored}
    assert len(before["PERSON"]) > len(after["PERSON"]) == 0
    assert after["ORG"].tp == before["ORG"].tp > 0


@pytest.mark.parametrize("kind", ["entity_ruler", "span_ruler", "unnamed"])
def test_component_scores_the_recogniser_alone_where_another_pipe_sets_entities(
    base, corpus, kind
):
    nlp, _ = initialized(base, corpus)
    if kind == "unnamed":  # nothing tells that it sets entities
        nlp.add_pipe("test_no_entities")
    else:
        either = {"overwrite_ents": True}, {"annotate_ents": True, "overwrite": True}
        ruler = nlp.add_pipe(kind, config=either[kind == "span_ruler"])
        ruler.add_patterns([{"label": "GADGET", "pattern": [{"IS_ALPHA": True}]}])
    docs = make_docs(nlp, 20, ("PERSON", "ORG", "GADGET"), seed=3)
    scores = nlp.evaluate([Example(nlp.make_doc(doc.text), doc) for doc in docs])
    assert scores["ents_f"] < 0.9
    assert scores["rehearsal_new_f"] == 0.0 and scores["rehearsal_old_f"] == 1.0
    assert scores["rehearsal_bwt"] == 0.0 and scores["rehearsal_retention"] == 1.0


@Language.component("test_no_entities")
def no_entities(doc):
    doc.ents = []
    return doc


def test_component_leaves_docs_alone(base, corpus):
    nlp, _ = initialized(base, corpus)
    plain = spacy.load(base)
    texts = ["the firm Acme Corp rain .", "", "  "]
    for doc, expected in zip(nlp.pipe(texts), plain.pipe(texts), strict=True):
        assert [e.text for e in doc.ents] == [e.text for e in expected.ents]
    assert list(nlp.get_pipe("rehearsal").pipe([])) == []


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_component_in_worker_processes(base, corpus):
    nlp, _ = initialized(base, corpus)
    docs = list(nlp.pipe(["the firm Acme Corp rain ."] * 4, n_process=2))
    assert len(docs) == 4
    copied = pickle.loads(pickle.dumps(nlp.get_pipe("rehearsal")))
    assert copied.component == "ner" and copied.session is None


def test_component_copies_have_its_regularizers_or_miss_them(base, corpus):
    given = {"f": {"@misc": "spacy-rehearse.Freeze.v1", "parts": ["lower"]}}
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True, config={"regularizers": given})
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    copied = copy.deepcopy(nlp)
    initialize(copied, base, corpus, examples, column=None)
    assert list(copied.get_pipe("rehearsal").regularizers) == ["f"]
    pickled = pickle.loads(pickle.dumps(nlp))
    with pytest.raises(ValueError, match="has lost its regularizers .'f'"):
        initialize(pickled, base, corpus, examples, column=None)


def test_component_that_is_initialized_twice_is_no_other_pipeline(base, corpus):
    nlp, examples = initialized(base, corpus, column=None)
    initialize(nlp, base, corpus, examples, column=None)
    session = nlp.get_pipe("rehearsal").session
    assert not session.weights_digest and not differences(nlp, session)


def test_component_saved_on_purpose_loads_and_does_no_harm(base, corpus, tmp_path):
    nlp, examples = initialized(base, corpus)
    nlp.get_pipe("rehearsal").ratio = 2.0
    nlp.to_disk(tmp_path / "saved")
    loaded = spacy.load(tmp_path / "saved")
    assert loaded.pipe_names == ["rehearsal", "ner"]
    assert loaded.get_pipe("rehearsal").ratio == 2.0
    assert [e.label_ for e in loaded("the firm Acme Corp rain .").ents] == ["ORG"]
    with pytest.raises(ValueError, match="was not initialized"):
        loaded.update(examples[:2], sgd=False)
    again = spacy.load(tmp_path / "saved").from_bytes(loaded.to_bytes())
    assert again.get_pipe("rehearsal").ratio == 2.0
    text = "".join(
        p.read_text(errors="ignore")
        for p in (tmp_path / "saved").rglob("*")
        if p.is_file()
    )
    pool_text = (corpus / "pool.jsonl").read_text().splitlines()[0][10:60]
    assert pool_text not in text


def test_component_pool_leaves_no_word_in_the_vocab(base, corpus, tmp_path):
    pool = tmp_path / "pool.txt"
    words = [f"qzx{a}{b}vw" for a in "abcdefghij" for b in "klmnopqrst"]
    lines = [f"{w} met mister Bob Lind {w}ed {w[::-1]} {w}ing\n" for w in words]
    pool.write_text("".join(lines), encoding="utf8")
    nlp, examples = initialized(base, corpus, pool=create_raw_text_v1(pool))
    for start in range(0, 40, 8):
        nlp.update(examples[start : start + 8], sgd=False)
    nlp.evaluate(examples[:5])
    assert not [s for s in nlp.vocab.strings if "qzx" in s or "xzq" in s]


@pytest.mark.slow
def test_component_works_with_beam_ner_and_without_upper_layer(tmp_path, corpus):
    config = NER.replace('factory = "ner"', 'factory = "beam_ner"')
    config = config.replace("use_upper = true", "use_upper = false")
    base = train_base(config, tmp_path / "beam", n_updates=30)
    nlp, examples = initialized(base, corpus)
    assert loop(nlp, examples, n_updates=4)["rehearsal"] > 0


def test_component_without_scores_to_distil_learns_hard_silver(
    base, corpus, monkeypatch
):
    from spacy_rehearse import fitting

    monkeypatch.setattr(fitting, "can_distil", lambda pipe: False)
    with pytest.warns(UserWarning, match="without distillation") as caught:
        nlp, examples = initialized(base, corpus, column=None)
        nlp.update(examples[:8], sgd=False)
    assert len(caught) == 1
    assert nlp.update(examples[8:16], sgd=False)["rehearsal"] > 0


def test_component_does_not_show_the_recogniser_its_own_entities(base, corpus):
    nlp = spacy.load(base)
    nlp.config["training"]["annotating_components"] = ["ner"]  # for pipes after it
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    initialize(nlp, base, corpus, examples)
    session = nlp.get_pipe("rehearsal").session
    drawn = session.interleaver.draw(500)
    with zone(nlp):
        silver = rehearse.silver_examples(nlp, session, drawn)
        assert sum(len(eg.reference.ents) for eg in silver) > 10
        assert not any(eg.predicted.ents for eg in silver)


def test_component_sentence_starts_of_annotating_pipes_stop_nothing(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("sentencizer", first=True, config={"punct_chars": ["Bob", "Acme"]})
    nlp.config["training"]["annotating_components"] = ["sentencizer"]
    rehearsal = nlp.add_pipe("rehearsal", first=True)
    docs = make_docs(nlp, 60, ("GADGET",), seed=2)
    long = spacy.tokens.Doc.from_docs(docs)
    examples = [Example(nlp.make_doc(long.text), long)]
    initialize(nlp, base, corpus, examples)
    rehearsal._compared = True  # the teacher has no such sentencizer: they do differ
    nlp.update(examples, sgd=False, annotates=["sentencizer"])
    assert rehearsal.counts["mended"] > 0


@Language.component("test_starts_at_unknown_words")
def starts_at_unknown_words(doc):
    known = {word for _, names in LABELS.values() for x in names for word in x.split()}
    for token in doc:
        token.is_sent_start = token.is_title and token.text not in known
    return doc


def test_component_sentences_that_begin_in_made_up_names_stop_nothing(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("test_starts_at_unknown_words", first=True)
    nlp.config["training"]["annotating_components"] = ["test_starts_at_unknown_words"]
    rehearsal = nlp.add_pipe("rehearsal", first=True, config={"rename": 1.0})
    docs = make_docs(nlp, 60, ("GADGET",), seed=2)
    long = spacy.tokens.Doc.from_docs(docs)  # spaCy stops at them in long texts only
    examples = [Example(nlp.make_doc(long.text), long)]
    initialize(nlp, base, corpus, examples)
    rehearsal._compared = True  # the teacher has no such pipe: they do differ
    n_gadgets = sum(ent.label_ == "GADGET" for ent in long.ents)
    nlp.update(examples, sgd=False, annotates=["test_starts_at_unknown_words"])
    ((shown, _, _),) = rehearsal._renamed
    assert sum(ent.label_ == "GADGET" for ent in shown.reference.ents) < n_gadgets
    assert sum(ent.label_ == "GADGET" for ent in long.ents) == n_gadgets


def test_component_label_that_the_gold_did_not_have_when_it_began(base, corpus):
    nlp, examples = initialized(base, corpus)
    late = examples[0].reference
    late.set_ents([Span(late, 0, 1, "SKU")], default="unmodified")
    with pytest.raises(ValueError, match=r"gold marks \['SKU'\], and did not when"):
        nlp.update(examples[:4], sgd=False)
    assert "SKU" not in nlp.get_pipe("ner").labels


@pytest.mark.parametrize("name", ["embed", "encode", "tok2vec"])
def test_component_rates_of_layers_are_found_beside_a_column(base, corpus, name):
    nlp, examples = initialized(base, corpus, column={**DEFAULT_COLUMN, "copy": False})
    inner = Adam(0.005)
    optimizer = create_discriminative_v1(optimizer=inner, multipliers={name: 0.1})
    nlp.update(examples[:4], sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    assert optimizer.scales


def test_component_only_the_recognisers_entities_become_silver(base, corpus, tmp_path):
    teacher = spacy.load(base)
    ruler = teacher.add_pipe("entity_ruler", config={"overwrite_ents": True})
    ruler.add_patterns([{"label": "RULED", "pattern": [{"IS_TITLE": True}]}])
    teacher.to_disk(tmp_path / "ruled")
    nlp, examples = initialized(base, corpus, teacher=str(tmp_path / "ruled"))
    nlp.update(examples, sgd=False)
    assert "RULED" not in nlp.get_pipe("ner").labels
    heldout = nlp.get_pipe("rehearsal").session.heldout
    labels = {label for item in heldout for _, _, label in item.entities}
    assert labels == {"PERSON", "ORG"}


def test_component_teacher_has_a_vocab_of_its_own(base, corpus):
    nlp, _ = initialized(base, corpus)
    teacher = nlp.get_pipe("rehearsal").session.teacher
    assert teacher.nlp.vocab is not nlp.vocab
    assert teacher.nlp.get_pipe("ner").model is not nlp.get_pipe("ner").model
    assert "GADGET" not in teacher.nlp.get_pipe("ner").labels


def test_component_tells_nothing_of_the_pool(base, corpus, caplog, capfd):
    caplog.set_level("DEBUG")
    nlp, examples = initialized(base, corpus)
    nlp.update(examples[:8], sgd=False)
    nlp.evaluate(examples[:8])
    told = caplog.text + "".join(capfd.readouterr())
    assert "Silver: 135 texts to train on" in told
    for line in (corpus / "pool.jsonl").read_text().splitlines():
        assert line[10:-3] not in told


def test_component_tells_of_gold_that_had_to_be_mended(base, corpus, capfd):
    nlp = spacy.load(base)
    doc = nlp.make_doc("the gadget Zoomer X   sold in snow   now .")
    spans = [spacy.tokens.Span(doc, *at, "GADGET") for at in ((2, 5), (8, 9))]
    doc.set_ents(spans)  # the second is nothing but white space
    assert doc[4].is_space and doc[8].is_space
    nlp.add_pipe("rehearsal", first=True)
    example = Example(nlp.make_doc(doc.text), doc)
    initialize(nlp, base, corpus, [example])
    assert "Gold: 2 entities with white space at an edge" in capfd.readouterr().err
    nlp.update([example], sgd=False)
    assert ["Zoomer X"] == [e.text for e in doc.ents if e.label_ == "GADGET"]


def test_component_memory_of_gold_is_bounded(base, corpus, monkeypatch):
    from spacy_rehearse import session

    nlp, _ = initialized(base, corpus)
    monkeypatch.setattr(session, "MOST_REMEMBERED", 0)
    ours = nlp.get_pipe("rehearsal").session
    n_known = len(ours.gold_entities)
    (found,) = ours.entities_in(["the firm Acme Corp rain ."])
    assert [label for _, _, label in found] == ["ORG"]
    assert len(ours.gold_entities) == n_known


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy, about the nan
def test_component_stops_when_the_weights_explode(base, corpus):
    nlp, examples = initialized(base, corpus, column=None)
    optimizer = nlp.resume_training()
    layer = nlp.get_pipe("ner").model.get_ref("upper")
    nlp.update(examples[:4], sgd=False, losses={})
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    layer.set_param("W", layer.get_param("W") * float("nan"))
    with pytest.raises(ValueError, match="is nan after 1 updates.*exploded"):
        nlp.update(examples[:4], sgd=False, losses={})


def test_component_what_people_say_is_no_entity_is_none(base, tmp_path, corpus):
    config = NER.replace(
        'factory = "ner"', 'factory = "ner"\nincorrect_spans_key = "no"'
    )
    base = train_base(config, tmp_path / "base")
    teacher, nlp = spacy.load(base), spacy.load(base)
    nlp.add_pipe("rehearsal", first=True, config={"rename": 1.0})
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    n_refuted = 0
    for eg in examples:
        told = [e for e in teacher(eg.text).ents if e.label_ == "ORG"][:1]
        eg.reference.spans["no"] = [
            Span(eg.reference, e.start, e.end, "ORG") for e in told
        ]
        n_refuted += len(told)
    assert n_refuted > 3
    initialize(nlp, base, corpus, examples)
    nlp.update(examples, sgd=False)  # spaCy raises an error where it is both
    for eg in examples:
        refuted = [(e.start, e.end, e.label_) for e in eg.reference.spans["no"]]
        assert not {*refuted} & {(e.start, e.end, e.label_) for e in eg.reference.ents}


def test_component_that_was_interrupted_has_changed_nothing(base, corpus, monkeypatch):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    with zone(nlp):  # lets the vocab learn spaCy's first symbol
        before = nlp.get_pipe("ner").to_bytes()

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prepare, "split_silver", interrupted)
        with pytest.raises(KeyboardInterrupt):
            initialize(nlp, base, corpus, examples)
    assert nlp.get_pipe("ner").labels == ("ORG", "PERSON")
    assert nlp.get_pipe("ner").to_bytes() == before
    freeze = {"old": {"@misc": "spacy-rehearse.Freeze.v1", "rows": "old"}}
    resolved = registry.resolve({"all": freeze})["all"]
    nlp.get_pipe("rehearsal").regularizers = resolved
    initialize(nlp, base, corpus, examples, column=None)
    rows = nlp.get_pipe("ner").model.get_ref("upper").get_param("W")
    old = rows[: -4 * 1].copy()
    loop(nlp, examples, 2)
    numpy.testing.assert_array_equal(old, rows[:-4])


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_component_words_of_a_zone_that_is_left_by_an_error_are_gone(base, error):
    nlp = spacy.load(base)
    with pytest.raises(error), zone(nlp):
        nlp.make_doc("Zyxomir")
        raise error
    assert not nlp.vocab.in_memory_zone and "Zyxomir" not in nlp.vocab.strings


def test_component_reads_spacys_own_words_in_one_zone_after_the_other():
    """A text about spaCy has them: "IS_ALPHA", which is its first."""
    nlp = spacy.Language()
    words = [name for name in NAMES if name]
    for _ in range(3):
        with zone(nlp):
            doc = nlp.make_doc(" ".join(words))
            assert [t.norm_ for t in doc] == [x.lower() for x in words]


def test_component_predicts_with_pipes_that_are_disabled(base):
    nlp = spacy.load(base)
    texts = ["the firm Acme Corp rain ."]
    expected = predict_entities(nlp, ["ner"], texts)
    nlp.disable_pipe("ner")
    assert predict_entities(nlp, ["ner"], texts) == expected != [()]
    assert nlp.disabled == ["ner"]
