import json
import random
import shutil
from collections import Counter
from functools import partial

import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy.cli.train import train
from spacy.tokens import DocBin, Span
from spacy.training import Example

from spacy_rehearse import silver
from spacy_rehearse.memory import (
    Exemplar,
    Memory,
    as_exemplars,
    earlier_than,
    merge,
    read_memory,
    round_key,
    save_memory,
    without_attempts,
)
from spacy_rehearse.policies import balanced, rare, reservoir
from spacy_rehearse.replay import as_silver
from spacy_rehearse.silver import SilverText
from spacy_rehearse.teacher import load_teacher, predict_entities

from .test_component import initialized
from .test_silver import NLP, TEXT, iob
from .util import initialize, make_docs, quick_config

POLICIES = {"reservoir": reservoir, "balanced": balanced, "rare": rare}


def exemplar(text, *entities, labels=("A", "B"), round="1"):
    return Exemplar(text, tuple(entities), (), tuple(labels), round)


words = st.text("abcde ", min_size=3, max_size=12)
spans = st.lists(
    st.sampled_from([(0, 1, "A"), (1, 2, "B"), (2, 3, "RARE")]), max_size=3
)
exemplars = st.dictionaries(words, spans, max_size=30).map(
    lambda texts: [exemplar(t, *sorted(set(e))) for t, e in texts.items()]
)


@given(texts=exemplars, capacity=st.integers(1, 20), seed=st.integers(0, 5))
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_memory_policies_fill_the_room_whatever_the_order(
    policy, texts, capacity, seed
):
    chosen = policy(texts, capacity)
    assert len(chosen) == len(set(chosen)) == min(capacity, len(texts))
    assert set(chosen) <= set(texts)
    shuffled = random.Random(seed).sample(texts, len(texts))
    assert set(policy(shuffled, capacity)) == set(chosen)


@given(texts=exemplars, more=exemplars, capacity=st.integers(1, 20))
def test_memory_reservoirs_can_be_merged(texts, more, capacity):
    everything = list({x.text: x for x in texts + more}.values())
    known = {x.text: x for x in everything}
    first = reservoir([known[x.text] for x in texts], capacity)
    both = {x.text: x for x in [*first, *(known[x.text] for x in more)]}
    merged = reservoir(list(both.values()), capacity)
    assert merged == reservoir(everything, capacity)


@pytest.mark.parametrize("policy", [balanced, rare])
def test_memory_policies_keep_rare_labels(policy):
    common = [exemplar(f"common {i}", (0, 6, "A")) for i in range(500)]
    seldom = [exemplar(f"seldom {i}", (0, 6, "RARE")) for i in range(5)]
    kept = Counter(e[2] for x in policy(common + seldom, 10) for e in x.entities)
    assert kept == {"RARE": 5, "A": 5}
    assert sum("seldom" in x.text for x in reservoir(common + seldom, 10)) < 3


def test_memory_rare_policy_prefers_other_surface_forms():
    same = [exemplar(f"Acme {i}", (0, 4, "A")) for i in range(50)]
    other = [exemplar(f"Ford {i}", (0, 4, "A")) for i in range(2)]
    forms = Counter(x.text[:4] for x in rare(same + other, 4))
    assert forms == {"Acme": 2, "Ford": 2}


def test_memory_survives_the_disk(tmp_path):
    text = "Ana \u2028 ☃ \x85 \n x"  # line ends of many kinds
    memory = Memory([exemplar(text, (0, 3, "A"))], {"1": "digest"})
    save_memory(memory, tmp_path / "new" / "memory.jsonl")
    assert read_memory(tmp_path / "new" / "memory.jsonl") == memory


@pytest.mark.parametrize(
    "content, words",
    [
        ("", "is no memory"),
        ('{"text": "a"}\n', "is no memory"),
        ("no JSON", "is no memory"),
        (b"\xff\xfe", "is no memory"),
        ('{"spacy_rehearse_memory": 2, "rounds": {}}\n', "version 2.*reads version 1"),
        ('{"spacy_rehearse_memory": 1, "rounds": {}}\n{"text": "a"}\n', "damaged"),
    ],
)
def test_memory_of_another_kind_is_refused(tmp_path, content, words):
    path = tmp_path / "memory.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=words):
        read_memory(path)


def test_memory_merges_a_round_once_and_again_when_its_gold_changed():
    keep = partial(merge, capacity=4, policy=reservoir)
    first = keep(Memory([], {}), [exemplar("one"), exemplar("two")])
    assert keep(first, [exemplar("two"), exemplar("one")]) is first
    second = keep(first, [exemplar(x, round="2") for x in ("two", "three")])
    assert {(x.text, x.round) for x in second.exemplars} == {
        ("one", "1"), ("two", "1"), ("two", "2"), ("three", "2"),
    }  # fmt: skip
    assert len(merge(second, [exemplar("two", round="2")], 2, reservoir).exemplars) == 2
    changed = keep(second, [exemplar("four", round="2")])
    assert {x.text for x in changed.exemplars} == {"one", "two", "four"}
    assert {x.text for x in earlier_than(changed, "2")} == {"one", "two"}


def test_memory_takes_more_of_a_round_when_there_is_more_room():
    gold = [exemplar(str(i)) for i in range(6)]
    small = merge(Memory([], {}), gold, 2, reservoir)
    assert merge(small, gold, 2, reservoir) is small
    assert len(merge(small, gold, 4, reservoir).exemplars) == 4


def test_memory_of_people_outweighs_what_a_teacher_said_of_the_same_text():
    text, people = "Acme met Ann", Exemplar("Acme met Ann", (), (), ("A",), "1")
    taught = Exemplar(text, ((0, 4, "A"), (9, 12, "B")), (), ("B",), "2")
    (both,) = earlier_than(Memory([people, taught], {"1": "", "2": ""}), "3")
    assert both.entities == ((9, 12, "B"),) and both.exact == ("A", "B")


@pytest.mark.parametrize("backwards", [False, True])
def test_memory_joins_what_people_said_of_a_text_in_several_rounds(backwards):
    told = [
        exemplar("Ana of Acme", (0, 3, "A"), (7, 11, "A"), labels="A", round="1"),
        exemplar("Ana of Acme", (4, 11, "B"), labels="B", round="2"),
    ]
    memory = Memory(told[::-1] if backwards else told, {"1": "", "2": ""})
    (both,) = earlier_than(memory, "3")
    assert both.exact == ("A", "B")
    assert both.entities == ((0, 3, "A"), (4, 11, "B"))
    assert both.missing == ((7, 11),)  # an A within a B: it is both
    assert earlier_than(memory, "2") == told[:1]


@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
@pytest.mark.filterwarnings("ignore:.*marks none of the labels")
def test_memory_of_a_text_that_is_gold_again_counts(base, corpus, workdir):
    # The pipeline of the first round has hardly learnt what people marked in it.
    docs = DocBin().from_disk(corpus / "train.spacy").get_docs(spacy.blank("xx").vocab)
    docs = list(docs)
    n_gadgets = sum(ent.label_ == "GADGET" for doc in docs for ent in doc.ents)
    config = quick_config(base, corpus, "a.cfg", **with_memory(capacity=99))
    train(config, "a", overrides={"training.max_steps": 1})
    for doc in docs:
        doc.set_ents([Span(doc, 0, 1, "FIRST")], default="outside")
    DocBin(docs=docs).to_disk("b.spacy")
    overrides = {"paths.train": "b.spacy", "paths.base": "a/model-best"}
    for _ in range(2):  # the second time, nothing changes
        train(config, "b", overrides={**overrides, "training.max_steps": 1})
        memory = read_memory(workdir / "memory.jsonl")
        assert len(memory.exemplars) == 2 * len(docs)
        completed = [x for x in memory.exemplars if x.exact == ("FIRST",)]
        marked = [e for x in completed for e in x.entities if e[2] == "GADGET"]
        assert len(marked) > 0.9 * n_gadgets > 9
        told = {x.exact for x in earlier_than(memory, "another")}
        assert told == {("FIRST", "GADGET")}


def test_memory_leaves_what_it_left_open_to_the_teacher(base, corpus, workdir):
    docs = DocBin().from_disk(corpus / "train.spacy").get_docs(spacy.blank("xx").vocab)
    teacher = load_teacher(str(base), "ner")
    texts = [doc.text for doc in docs]
    said = dict(zip(texts, predict_entities(teacher.nlp, ("ner",), texts), strict=True))
    text, (entity, *_) = next(x for x in said.items() if x[1])
    known = Exemplar(text, (), (entity[:2],), (entity[2],), "first")
    save_memory(Memory([known], {"first": "x"}), workdir / "memory.jsonl")
    memory = {"path": "memory.jsonl", "save_to": None, "capacity": 9, "policy": rare}
    nlp, _ = initialized(base, corpus, memory=memory, expert=None)
    assert entity in nlp.get_pipe("rehearsal").session.entities_in([text])[0]


@pytest.mark.filterwarnings("ignore:.*marks none of the labels")
def test_memory_of_another_attempt_at_a_round_does_not_count(base, corpus, workdir):
    memory = {"path": "m.jsonl", "save_to": "m.jsonl", "capacity": 99, "policy": rare}

    def orgs_in_gold(labels, **settings):
        nlp = spacy.load(base)
        nlp.add_pipe("rehearsal", first=True)
        docs = [
            *make_docs(nlp, 40, ("GADGET",), seed=2),
            *make_docs(nlp, 2, ("GADGET", "ORG"), seed=3),
        ]
        examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
        settings.update(labels=labels, expert=None)
        initialize(nlp, base, corpus, examples, **settings)
        known = nlp.get_pipe("rehearsal").session.gold_entities
        return sum(e[2] == "ORG" for entities in known.values() for e in entities)

    expected = orgs_in_gold(["GADGET"])
    orgs_in_gold(["GADGET", "ORG"], memory=memory)  # and then, ORG was thought over
    assert orgs_in_gold(["GADGET"], memory=memory) == expected > 5
    kept = read_memory(workdir / "m.jsonl")
    assert {x.exact for x in kept.exemplars} == {("GADGET",)}
    assert {x.round for x in kept.exemplars} == {*kept.rounds}


def test_memory_of_other_teachers_and_texts_outlives_another_attempt():
    key = partial(round_key, "weights")
    attempt = [exemplar("gold", labels="AB"), exemplar("other", labels="AB")]
    attempt = [x._replace(round=key("AB")) for x in attempt]
    own = exemplar("gold", labels="A")._replace(round=key("A"))
    earlier = exemplar("gold", labels="C")._replace(round=round_key("before", "C"))
    memory = Memory([*attempt, own, earlier], {key("AB"): "1", key("A"): "2"})
    assert without_attempts(memory, "weights", {"gold"}, "A", "") == Memory(
        [attempt[1], own, earlier], memory.rounds
    )
    rest = without_attempts(memory, "weights", {"gold", "other"}, "A", "")
    assert rest == Memory([own, earlier], {key("A"): "2"})


def test_memory_forgets_a_round_whose_teacher_was_trained_anew():
    """Unless this teacher knows the labels: then it may come from that round."""
    left = exemplar("gold", labels="A")._replace(round=round_key("before", "A"))
    other = exemplar("gold", labels="B")._replace(round=round_key("first", "B"))
    memory = Memory([left, other], {left.round: "1", other.round: "2"})
    anew = without_attempts(memory, "now", {"new"}, "A", "B")
    assert anew == Memory([other], {other.round: "2"})
    assert without_attempts(memory, "now", {"new"}, "A", "AB") == memory


def test_memory_names_rounds_by_teacher_and_labels():
    assert round_key("a", ["X", "Y"]) == round_key("a", ["Y", "X"])
    assert round_key("a", ["X", "Y"]) != round_key("a", ["X Y"])
    assert (
        len({round_key("a", ["X"]), round_key("b", ["X"]), round_key("a", ["Y"])}) == 3
    )


def test_memory_keeps_gold_completed_and_what_is_unknown():
    doc = NLP.make_doc(TEXT)
    doc.set_ents(
        [doc.char_span(32, 40, label="GADGET")], missing=[doc[5:7]], default="outside"
    )
    taught = {TEXT: [(0, 8, "PERSON"), (25, 34, "ORG")]}
    (kept,) = as_exemplars([doc, doc], taught, authority=["GADGET"], round="1")
    assert kept.entities == ((0, 8, "PERSON"), (32, 40, "GADGET"))
    assert kept.missing == ((22, 31),)  # "likes the", of which ORG would be a part
    assert kept.exact == ("GADGET",)
    assert len(doc.ents) == 1


def test_memory_people_are_right_about_labels_that_they_marked():
    told = SilverText(TEXT, ((0, 8, "PERSON"), (12, 21, "ORG")), 9, exact=("ORG",))
    found = told.findings._replace(certain=[(0, 8, "GADGET"), (12, 21, "GADGET")])
    told = told._replace(missing=((22, 27),))
    assert iob(told, unknown=("ORG",), found=found, verdicts={"ORG": True}) == [
        "", "", "O", "B-ORG", "I-ORG", "", "O", "O", "O",
    ]  # fmt: skip


def test_memory_of_other_labels_is_completed_by_the_teacher(base):
    teacher = load_teacher(str(base), "ner", [])
    text = "mister Ana Ruiz left the firm Acme Corp near the device Zoomer X ."
    known = exemplar(
        text, (56, 64, "GADGET"), (7, 15, "NICK"), labels=["GADGET", "NICK"]
    )
    (silver,) = as_silver([known], teacher, ["THING"])
    assert silver.entities == ((30, 39, "ORG"),)
    assert set(silver.missing) == {(56, 64), (7, 15)}  # nobody knows these any more
    (silver,) = as_silver([known], teacher, ["GADGET"])
    assert silver.entities == ((30, 39, "ORG"), (56, 64, "GADGET"))
    assert silver.exact == ("GADGET",)


def test_memory_the_teachers_completion_is_no_exact_word(base):
    teacher = load_teacher(str(base), "ner", [])
    text = "mister Ana Ruiz left the firm Acme Corp near the device Zoomer X ."
    known = Exemplar(text, ((30, 39, "ORG"),), (), ("GADGET",), "1")
    (silver,) = as_silver([known], teacher, ["ORG"])
    assert silver.exact == ()
    assert silver.entities == ((7, 15, "PERSON"), (30, 39, "ORG"))
    assert "B-ORG" not in iob(silver, unknown=("ORG",))
    wrong = known._replace(entities=((7, 15, "ORG"),))  # said before it was corrected
    assert as_silver([wrong], teacher, ["THING"])[0].entities == silver.entities


def test_memory_what_people_said_before_they_corrected_a_label_does_not_count(base):
    teacher = load_teacher(str(base), "ner", [])
    text = "mister Ana Ruiz left the firm Acme Corp near the device Zoomer X ."
    known = exemplar(text, (7, 15, "ORG"), labels=["ORG", "PERSON"])
    (silver,) = as_silver([known], teacher, ["ORG"])
    assert silver.exact == ("PERSON",) and silver.entities == ((30, 39, "ORG"),)
    assert silver.missing == ((7, 15),)  # it may be one still: it is no `O`
    keep = partial(merge, capacity=9, policy=reservoir)
    first = keep(Memory([], {}), [known])
    second = keep(first, [exemplar("two", round="2")], corrected=["ORG"])
    exact = {x.text: x.exact for x in second.exemplars}
    assert exact == {text: ("PERSON",), "two": ("A", "B")}


def test_memory_of_other_rounds_is_not_overwritten(base, corpus, workdir, monkeypatch):
    monkeypatch.setattr(silver, "annotate_batch", None)  # it shows before all work
    save_memory(Memory([exemplar("one")], {"1": "digest"}), workdir / "memory.jsonl")
    before = (workdir / "memory.jsonl").read_bytes()
    config = quick_config(base, corpus, "x.cfg", **with_memory(path=None))
    with pytest.raises(ValueError, match="holds 1 rounds that path does not hold"):
        train(config, "out")
    assert (workdir / "memory.jsonl").read_bytes() == before


def with_memory(**settings):
    block = {
        "path": "memory.jsonl",
        "save_to": "memory.jsonl",
        "capacity": 20,
        "policy": {"@misc": "spacy-rehearse.Rare.v1"},
        **settings,
    }
    return {"initialize__components__rehearsal__memory": block}


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"path": None, "save_to": None}, "both null"),
        ({"capacity": 0}, "capacity is 0: expected at least 1"),
        ({"capacity": -3}, "capacity is -3"),
        ({"capacity": None}, "capacity is None"),
        ({"path": "other.jsonl"}, "no file other.jsonl"),
        ({"policy": "rare"}, "policy is 'rare': expected a block"),
        ({"size": 3}, r"holds \['size'\]"),
    ],
)
def test_memory_settings_are_checked(base, corpus, workdir, settings, words):
    block = with_memory(**settings)
    config = quick_config(base, corpus, "x.cfg", **block)
    with pytest.raises(ValueError, match=words):
        train(config, "out")
    assert not (workdir / "memory.jsonl").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_memory_of_the_first_round_changes_the_second(base, corpus, workdir, capfd):
    how = dict(with_memory(), training__max_steps=10)
    # All weights learn, so that what is replayed can be seen in the old ones.
    how["initialize__components__rehearsal__column"] = None
    for again in range(2):  # the second time, nothing is left to add
        train(quick_config(base, corpus, "one.cfg", **how), f"one{again}")
        memory = read_memory(workdir / "memory.jsonl")
        assert len(memory.exemplars) == 20 and len(memory.rounds) == 1
    meta = srsly.read_json("one1/model-last/meta.json")
    assert meta["spacy_rehearse"]["settings"]["replayed"] == 0
    assert "memory" not in (workdir / "one1/model-last/config.cfg").read_text()

    docs = make_docs(spacy.blank("xx"), 20, ("PERSON",), seed=8)
    for doc in docs:
        doc.set_ents([Span(doc, e.start, e.end, "HUMAN") for e in doc.ents])
    later = workdir / "later"
    shutil.copytree(corpus, later)
    for part in ("train", "dev"):
        DocBin(docs=docs).to_disk(later / f"{part}.spacy")
    outcomes = []
    for settings in (how, {**how, **with_memory(path=None, save_to="other.jsonl")}):
        config = quick_config("one0/model-last", later, "two.cfg", **settings)
        train(config, "two")
        nlp = spacy.load("two/model-last")
        meta = nlp.meta["spacy_rehearse"]["settings"]
        outcomes.append((meta["replayed"], nlp.get_pipe("ner").model.to_bytes()))
    (replayed, weights), (none, others) = outcomes
    assert (replayed, none) == (20, 0) and weights != others
    # A path that is wrong looks like a first round, which this base can't be in.
    told = capfd.readouterr().err
    assert "none yet, so this" in told and "is the path right?" in told
    memory = read_memory(workdir / "memory.jsonl")
    assert len(memory.exemplars) == 20 and len(memory.rounds) == 2
    lines = (workdir / "memory.jsonl").read_text().splitlines()
    assert len(lines) == 21 and json.loads(lines[0])["spacy_rehearse_memory"] == 1
