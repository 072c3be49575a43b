import random
from functools import partial
from types import SimpleNamespace

import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import PRFScore
from spacy.tokens import Span

from spacy_rehearse import account, prepare
from spacy_rehearse import findings as module
from spacy_rehearse import trial as trial_module
from spacy_rehearse.expert import (
    Expert,
    _learn,
    miss_most,
    split_folds,
    train_experts,
)
from spacy_rehearse.findings import (
    Findings,
    count,
    find,
    find_alone,
    find_twice,
)
from spacy_rehearse.margin import get_bias, raise_scores, set_bias
from spacy_rehearse.trial import Trial, try_out

from .test_component import initialized
from .util import make_docs, make_texts

SETTINGS = {"n_experts": 2, "max_passes": 6, "learn_rate": 0.005, "seed": 0}


@pytest.fixture(scope="module")
def gold():
    return make_docs(spacy.blank("xx"), 60, ("GADGET",), seed=2)


@pytest.fixture(scope="module")
def experts(base, gold):
    return train_experts(
        lambda: spacy.load(base), ["ner"], gold, ("GADGET",), **SETTINGS
    )


def test_expert_finds_the_new_label_in_raw_text(experts):
    made = make_texts(60, ("GADGET",), seed=8)
    findings = find(experts, [text for text, _ in made], ("GADGET",))
    true = {(i, *e) for i, (_, entities) in enumerate(made) for e in entities}
    said = {(i, *e) for i, found in enumerate(findings) for e in found.certain}
    assert len(said & true) > 0.7 * len(true)
    assert len(said & true) > 0.7 * len(said)


def test_expert_stops_at_its_best_pass_on_a_fold_of_its_own(experts):
    assert [1 <= expert.n_passes <= 6 for expert in experts] == [True, True]
    assert all(expert.score.fscore > 0.5 for expert in experts)
    assert experts[0].nlp is not experts[1].nlp


def test_expert_with_shared_embeddings_learns_them_too(shared_base, gold):
    pipes = ["tok2vec", "ner"]
    settings = {**SETTINGS, "n_experts": 1}
    (expert,) = train_experts(
        lambda: spacy.load(shared_base), pipes, gold, ("GADGET",), **settings
    )
    assert expert.score.fscore > 0.5
    before = spacy.load(shared_base)
    moved = [
        not numpy.array_equal(a.get_param(name), b.get_param(name))
        for pipe in ("tok2vec", "tagger")
        for a, b in zip(
            expert.nlp.get_pipe(pipe).model.walk(),
            before.get_pipe(pipe).model.walk(),
            strict=True,
        )
        for name in a.param_names
        if a.has_param(name)
    ]
    n_tagger = 2  # its output layer has a W and a b, and stays as it is
    assert all(moved[:-n_tagger]) and not any(moved[-n_tagger:])


def test_expert_speaks_of_new_labels_only(experts):
    (found,) = find(experts, ["then mister Ana Ruiz saw the device Pixo Pad ."], ())
    assert not found.certain and not found.doubtful


def test_expert_learns_where_an_annotating_pipe_would_cut_an_entity(base, gold):
    def load():
        nlp = spacy.load(base)
        nlp.add_pipe("sentencizer", first=True)
        return nlp

    long = spacy.blank("xx").make_doc("They sold a Zoom ! Max to us , and then " * 20)
    long.ents = [Span(long, i, i + 3, "GADGET") for i in range(3, len(long), 11)]
    pipes = ["sentencizer", "ner"]
    settings = {**SETTINGS, "max_passes": 2}
    experts = train_experts(load, pipes, [long] * 8 + gold[:4], ("GADGET",), **settings)
    assert len(experts) == 2
    assert len(long.ents) == 20 and not long.has_annotation("SENT_START")


def test_expert_learns_from_the_annotation_that_it_will_be_shown(
    shared_base, gold, monkeypatch
):
    pipes = ["tok2vec", "tagger", "ner"]
    seen = []

    def update(self, examples, **kwargs):
        seen.append([token.tag_ for eg in examples for token in eg.predicted])
        raise KeyboardInterrupt

    nlp = spacy.load(shared_base)
    expected = [
        [token.tag_ for doc in nlp.pipe([x.text for x in gold]) for token in doc]
    ]
    assert len({*expected[0]}) > 1
    monkeypatch.setattr("spacy.language.Language.update", update)
    with pytest.raises(KeyboardInterrupt):
        _learn(nlp, pipes, iter([gold]), None)
    assert seen == expected


def test_expert_of_one_text_is_none(base, gold):
    load = lambda: spacy.load(base)  # noqa: E731
    assert train_experts(load, ["ner"], gold[:1], ("GADGET",), **SETTINGS) == []


@pytest.mark.slow
def test_expert_same_seed_same_answers(base, gold):
    texts = [text for text, _ in make_texts(20, (), seed=8)]
    answers = []
    for _ in range(2):
        spacy.util.fix_random_seed(0)
        settings = {**SETTINGS, "max_passes": 1}
        pair = train_experts(
            lambda: spacy.load(base), ["ner"], gold, ("GADGET",), **settings
        )
        answers.append(find(pair, texts, ("GADGET",)))
    assert answers[0] == answers[1]


def score(tp, fp):
    return PRFScore(tp=tp, fp=fp)


def answer(monkeypatch, said, scores):
    """What is found if each expert says this."""
    monkeypatch.setattr(module, "predict_entities", lambda number, *_: said[number])
    experts = [Expert(i, (), score, 1) for i, score in enumerate(scores)]
    return find(experts, ["some text"], ("GADGET",))[0]


A, B, C = (0, 4, "GADGET"), (5, 9, "GADGET"), (5, 9, "PERSON")


def test_expert_is_certain_only_of_what_all_say(monkeypatch):
    good = [score(9, 1)] * 2
    found = answer(monkeypatch, [[[A, B]], [[A, C]]], good)
    assert found.certain == [A] and found.doubtful == [B]


def test_expert_that_errs_on_held_out_gold_is_certain_of_nothing(monkeypatch):
    found = answer(monkeypatch, [[[A]], [[A]]], [score(9, 1), score(4, 6)])
    assert found.certain == [] and found.doubtful == [A]


def test_expert_that_leans_doubts_what_it_would_miss(experts):
    texts = [text for text, _ in make_texts(60, ("GADGET",), seed=8)]
    upright = find(experts, texts, ("GADGET",))
    leaning = [expert._replace(lean=8.0) for expert in experts]
    before = [expert.nlp.get_pipe("ner").model.to_bytes() for expert in experts]
    findings = find(leaning, texts, ("GADGET",))
    after = [expert.nlp.get_pipe("ner").model.to_bytes() for expert in experts]
    assert [x.certain for x in findings] == [x.certain for x in upright]
    assert [x.doubtful for x in findings] == [x.doubtful for x in upright]
    assert not any(x.leant for x in upright)
    doubts = [count(x, [()] * 60)["doubtful"] for x in (upright, findings)]
    assert doubts[1] > doubts[0]
    assert before == after


def test_expert_that_leans_reads_a_text_once(experts):
    texts = [text for text, _ in make_texts(60, ("GADGET",), seed=8)]
    expert = experts[0]._replace(lean=8.0)
    pipe = expert.nlp.get_pipe("ner")
    layer, bias = pipe.model.get_ref("tok2vec"), get_bias(pipe)
    forward, n_read = layer._func, []

    def counting(model, docs, is_train):
        n_read.append(len(docs))
        return forward(model, docs, is_train)

    layer._func = counting
    try:
        upright, leaning = find_twice(expert, texts, ("GADGET",))
        assert sum(n_read) == len(texts) and layer._func is counting
        assert upright == find_alone(expert, texts, ("GADGET",))
        raise_scores(pipe, lambda action: action.endswith("GADGET"), 8.0)
        assert leaning == find_alone(expert, texts, ("GADGET",)) != upright
    finally:
        layer._func = forward
        set_bias(pipe, bias)


@pytest.mark.parametrize(
    "recalls, scarce",
    [((0.2, 0.3), True), ((0.7, 0.6), False), ((0.0, 0.99), True), ((), False)],
)
def test_expert_gold_is_scarce_where_they_miss_most_of_it(recalls, scarce):
    scores = [PRFScore(tp=round(100 * r), fn=round(100 - 100 * r)) for r in recalls]
    assert miss_most([Expert(None, (), score, 1) for score in scores]) == scarce


def test_expert_leans_by_itself_only_where_it_misses_most(base, gold):
    load = partial(spacy.load, base)
    settings = {**SETTINGS, "max_passes": 1, "n_experts": 1}
    lean = {}
    for rate in (1e-6, 0.01):
        given = {**settings, "learn_rate": rate}
        (expert,) = train_experts(load, ["ner"], gold, ("GADGET",), **given)
        lean[expert.score.recall < 0.5] = expert.lean
    assert lean == {True: 6.0, False: 0.0}


def test_expert_counts_what_the_teacher_contests():
    findings = [Findings([A, B], [C]), Findings([], [A])]
    entities = [[(2, 4, "PERSON")], [(0, 4, "ORG")]]
    assert count(findings, entities) == {"certain": 2, "contested": 1, "doubtful": 2}


@given(
    n=st.integers(2, 40),
    n_times=st.integers(1, 3),
    number=st.integers(0, 4),
    seed=st.integers(0, 5),
)
def test_expert_folds_divide_the_gold_and_part_no_text(n, n_times, number, seed):
    texts = [str(i) for i in range(n)] * n_times
    made = split_folds([SimpleNamespace(text=x) for x in texts], number, seed)
    train, heldout = ([doc.text for doc in part] for part in made)
    assert sorted(train + heldout) == sorted(texts)
    assert train and heldout and set(train).isdisjoint(heldout)


@given(n=st.integers(10, 40), seed=st.integers(0, 5))
def test_expert_folds_of_different_experts_are_disjoint(n, seed):
    docs = [SimpleNamespace(text=str(i)) for i in range(n)]
    folds = [{x.text for x in split_folds(docs, i, seed)[1]} for i in range(2)]
    assert folds[0].isdisjoint(folds[1])


def test_expert_rng_is_its_own(base, gold):
    state = random.getstate()
    split_folds(gold, 0, 0)
    assert random.getstate() == state


def tried_out(monkeypatch, *, found, contested, marked=(), annotated=10):
    """A trial of two experts that find the same. All entities are of a letter each, in
    ten words of pool, and ten of gold, or fewer that are annotated.
    """
    nlp = spacy.blank("xx")
    texts = {"pool": "a b c d e f g h i j", "gold": "k l m n o p q r s t"}
    answers = {texts[part]: letters(found[part]) for part in texts}
    monkeypatch.setattr(
        module, "predict_entities", lambda *how: [answers[text] for text in how[2]]
    )
    heldout = nlp.make_doc(texts["gold"])
    ents = [Span(heldout, i, i + 1, "GADGET") for i in marked]
    heldout.set_ents(ents, missing=[heldout[annotated:]], default="outside")
    pool, gold = ({texts[x]: letters(contested[x], "PERSON")} for x in texts)
    experts = [Expert(nlp, (), score(0, 0), 1, [heldout])] * 2
    return try_out(experts, ("GADGET",), pool=pool, gold=gold, docs=[heldout])


def letters(places, label="GADGET"):
    return [(2 * i, 2 * i + 1, label) for i in places]


@pytest.mark.parametrize(
    "n_found, precision, likeness",  # of ten words; in gold five, of which one is wrong
    [(0, 0.0, 0.0), (1, 0.0, 0.1), (2, 0.0, 0.2), (4, 0.5, 0.4), (8, 0.75, 0.8)],
)
def test_expert_errs_in_the_pool_as_often_as_in_gold(
    monkeypatch, n_found, precision, likeness
):
    trial = tried_out(
        monkeypatch,
        found={"pool": range(n_found), "gold": range(5)},
        contested={"pool": [], "gold": []},
        marked=range(1, 5),
        annotated=5,
    )
    assert trial.precision == pytest.approx(precision)  # two errors in ten words
    assert trial.likeness == pytest.approx(likeness)


@pytest.mark.parametrize(
    "n_contested, precision, likeness",  # of eight; in gold, four of eight
    [(0, 1.0, 1.0), (4, 1.0, 1.0), (5, 0.75, 0.75), (7, 0.25, 0.25), (8, 0.0, 0.0)],
)
def test_expert_is_right_no_more_often_against_the_teacher_than_in_gold(
    monkeypatch, n_contested, precision, likeness
):
    trial = tried_out(
        monkeypatch,
        found={"pool": range(8), "gold": range(8)},
        contested={"pool": range(n_contested), "gold": range(4)},
        marked=range(8),
    )
    assert trial.precision == pytest.approx(precision)
    assert trial.likeness == pytest.approx(likeness)
    assert trial.contested == pytest.approx(n_contested / 8)
    assert trial.contested_in_gold == pytest.approx(0.5)
    assert trial.is_unlike == (n_contested > 6)


def test_expert_errors_against_the_teacher_count_once(monkeypatch):
    trial = tried_out(
        monkeypatch,
        found={"pool": range(8), "gold": range(8)},
        contested={"pool": range(2), "gold": range(2)},
        marked=range(2, 8),  # those two are wrong
    )
    assert trial.precision == pytest.approx(6 / 8)


def test_expert_that_the_teacher_always_contests_is_tried_by_its_errors(monkeypatch):
    trial = tried_out(
        monkeypatch,
        found={"pool": range(8), "gold": range(8)},
        contested={"pool": range(8), "gold": range(10)},
        marked=range(2, 8),
    )
    assert trial.precision == pytest.approx(6 / 8)
    assert trial.likeness == pytest.approx(1.0)


def test_expert_that_finds_nothing_in_gold_is_tried_by_what_is_contested(monkeypatch):
    for contested, is_unlike in (([], False), (range(4), True)):
        trial = tried_out(
            monkeypatch,
            found={"pool": range(4), "gold": []},
            contested={"pool": contested, "gold": []},
            marked=[0],
        )
        assert trial.is_unlike == is_unlike
    nothing = {"pool": [], "gold": []}
    assert tried_out(monkeypatch, found=nothing, contested=nothing) == Trial()


@pytest.mark.parametrize("misses", [True, False])
def test_expert_is_not_asked_where_most_that_it_finds_is_wrong(
    base, corpus, monkeypatch, misses
):
    for place in (trial_module, account):
        monkeypatch.setattr(place, "miss_most", lambda experts: misses)
    asked = []
    monkeypatch.setattr(
        prepare, "ask_experts", lambda x, **how: asked.append(how.get("alone")) or x
    )
    for trial in (Trial(0.2, 0.2), Trial(0.8, 0.2), Trial(0.2, 0.8), Trial(0.2)):
        monkeypatch.setattr(prepare, "try_out", lambda *_, x=trial, **how: x)
        asked.clear()
        nlp, _ = initialized(base, corpus, expert={"n_experts": 1, "max_passes": 1})
        session = nlp.get_pipe("rehearsal").session
        assert session.trial == trial
        is_like = trial.likeness != 0.2
        is_asked = trial.precision > 0.5 or (misses and is_like)
        assert asked == [None, True][: 1 + is_asked]  # memory, pool
        told = " ".join(session.summary)
        assert ("not asked" in told) == (not is_asked)
        assert ("another kind of text" in told) == (misses and not is_asked)
