import json
from collections import Counter
from itertools import count

import pytest
import spacy
import srsly
from spacy.tokens import DocBin, Span
from spacy.training import Corpus, Example
from spacy.util import load_config, registry
from thinc.api import Config
from typer.testing import CliRunner

from spacy_rehearse.cli import rehearse_cli
from spacy_rehearse.diagnose import (
    FEWEST_TEXTS,
    advise,
    advise_on_rate,
    advise_on_weights,
    check_pool,
    diagnose,
)
from spacy_rehearse.recipe import memory_settings
from spacy_rehearse.teacher import load_teacher

from .util import make_docs, make_texts, quick_config


def named(*spans, text="the firm Acme Corp near the device Zoomer X ."):
    doc = spacy.blank("xx").make_doc(text)
    doc.ents = [doc.char_span(start, end, label) for start, end, label in spans]
    return doc


@pytest.fixture
def teacher(base):
    return load_teacher(str(base), "ner", [])


def test_diagnosis_shows_what_the_teacher_calls_the_new_concept(teacher):
    gold = [named((9, 18, "FIRM")), named((35, 43, "FIRM"))]
    found = diagnose(teacher, gold=gold, dev=[], pool=[])
    assert found.new == ["FIRM"] and found.gold_labels == {"FIRM": 2}
    assert found.called["FIRM", "ORG"] >= 1
    assert ("Acme Corp", "FIRM", "ORG") in found.confusing
    assert found.n_seen == 2
    assert "FIRM is marked 2 times: annotate more" in advise(found)


def test_diagnosis_counts_an_entity_once_for_each_label_that_it_meets(teacher):
    text, spans = make_texts(1, (), 4, kinds=("PERSON",))[0]
    doc = spacy.blank("xx").make_doc(f"{text} {text}")
    doc.set_ents([doc[:].char_span(0, len(doc.text), label="DEAL")], default="outside")
    found = diagnose(teacher, gold=[doc], dev=[], pool=[])
    assert found.called["DEAL", "PERSON"] == 1


def test_diagnosis_tells_of_texts_that_contradict_each_other(teacher):
    gold = [named((35, 43, "GADGET")), named(), named(text="nothing"), named()]
    found = diagnose(teacher, gold=gold, dev=[], pool=[])
    assert found.contradicted == [[1, 2]]
    assert "1 gold texts occur more than once" in " ".join(advise(found))
    found = diagnose(teacher, gold=[gold[0], gold[0]], dev=[], pool=[])
    assert not found.contradicted


def test_diagnosis_counts_old_labels_in_the_pool_and_leaks(teacher):
    pool = [text for text, _ in make_texts(120, (), 4, kinds=("PERSON",))]
    dev = [spacy.blank("xx").make_doc(text) for text in pool[:3]]
    found = diagnose(teacher, gold=[named((35, 43, "GADGET"))], dev=dev, pool=pool)
    assert found.coverage["PERSON"] > 20 > found.coverage["ORG"]
    few = advise(found._replace(n_texts=60))
    assert any("The pool has 60 texts: a few thousand" in line for line in few)
    assert not any("less than" in line for line in few)
    assert found.n_leaked == 3
    advice = " ".join(advise(found))
    assert "In the 120 pool texts less than 20 times: ORG" in advice
    assert "3 pool texts are nearly the same as texts of dev" in advice
    sample = found._replace(coverage=Counter(ORG=2), n_texts=3000)
    assert not any("Hardly" in line for line in advise(sample))  # 100 of all
    advice = " ".join(advise(found, learns_from_pool=False))
    assert "nearly the same" not in advice and "hardly rehearsed" not in advice


def test_diagnosis_tells_of_gold_with_few_mentions(teacher):
    gold = [named((35, 43, "GADGET"))]
    nlp = spacy.blank("xx")
    for n, is_sparse in ((3, False), (30, True)):
        silent = [nlp.make_doc("Nothing is said here")] * n
        found = diagnose(teacher, gold=gold + silent, dev=gold, pool=[])
        told = [x for x in advise(found) if "hold a new entity" in x]
        assert bool(told) == is_sparse
    assert told[0].startswith("Only 1 of 31 gold texts") and "all but 3" in told[0]


def test_diagnosis_tells_of_a_dev_set_that_chooses_by_chance(teacher):
    gold = [named((35, 43, "GADGET"))]
    for n, is_small in ((10, True), (30, False)):
        advice = advise(diagnose(teacher, gold=gold, dev=gold * n, pool=[]))
        told = [x for x in advice if x.startswith("dev marks GADGET 10 times")]
        assert bool(told) == is_small
        assert not told or "some 10 points" in told[0]


def test_diagnosis_tells_of_odd_labels_of_dev(teacher):
    gold, dev = [named((35, 43, "GADGET"))], [named((35, 43, "Person"))]
    advice = advise(diagnose(teacher, gold=gold, dev=dev, pool=[]))
    assert any(x.startswith("dev never marks GADGET: what is") for x in advice)
    assert any(x.startswith("dev marks Person, which neither") for x in advice)
    assert "Person is another label than the teacher's PERSON" in advice
    gold = [named((35, 43, "GADGET")), named((35, 43, "Gadget"))]
    advice = advise(diagnose(teacher, gold=gold, dev=gold, pool=[]))
    assert "Gadget is another label than GADGET" in advice


def test_diagnosis_finds_a_weak_teacher(teacher):
    nlp = spacy.blank("xx")
    good = make_docs(nlp, 60, ("PERSON",), seed=5)
    found = diagnose(teacher, gold=[], dev=good, pool=[])
    f, support = found.teacher_f["PERSON"]
    assert f > 0.9 and support > 10
    wrong = [named((28, 34, "PERSON"))] * 12
    found = diagnose(teacher, gold=[], dev=wrong, pool=[])
    assert found.teacher_f["PERSON"] == (0.0, 12)
    assert any("The teacher's F for PERSON on dev is 0" in x for x in advise(found))


def test_diagnosis_finds_pools_that_would_stop_the_training(teacher):
    gold = [named((35, 43, "GADGET"))]
    pool = [text for text, _ in make_texts(20, (), 4, kinds=("PERSON",))]
    check_pool(diagnose(teacher, gold=gold, dev=[], pool=pool))
    found = diagnose(teacher, gold=gold, dev=[], pool=[doc.text for doc in gold] * 3)
    assert found.n_copied == 3
    with pytest.raises(ValueError, match="it has 3 texts, and 3 of them are left out"):
        check_pool(found)
    check_pool(found._replace(n_texts=1000))  # who knows
    found = diagnose(teacher, gold=gold, dev=[], pool=["the red river", "a cold town"])
    with pytest.raises(ValueError, match=r"\['ORG', 'PERSON'\], in the 2 texts"):
        check_pool(found)


def test_diagnosis_tells_of_conflicts(teacher):
    nlp = spacy.blank("xx")
    gold = make_docs(nlp, 20, ("ORG",), seed=5)
    n_firms = 0
    for doc in gold:
        firms = [Span(doc, e.start, e.end, "FIRM") for e in doc.ents]
        doc.set_ents(firms, default="outside")
        n_firms += len(firms)
    advice = advise(diagnose(teacher, gold=gold, dev=gold, pool=[]))
    (told,) = [x for x in advice if "the two compete" in x]
    assert f"of {n_firms} FIRM ORG" in told
    assert not any("step back" in x for x in advice)
    for doc in gold:  # "the firm Acme Corp": now "Corp" alone is one
        firms = [Span(doc, e.end - 1, e.end, "FIRM") for e in doc.ents]
        doc.set_ents(firms, default="outside")
    found = diagnose(teacher, gold=gold, dev=gold, pool=[])
    for column in (True, False):  # without one, all weights learn anyway
        told = [x for x in advise(found, column=column) if "to step back" in x]
        assert bool(told) == column


@pytest.mark.slow
@pytest.mark.parametrize(
    "args, words",
    [
        (["--training.annotating_components", "[]"], "which is frozen and gives it"),
        (["--nlp.pipeline", '["rehearsal","ner"]'], "not in [nlp] pipeline"),
    ],
)
def test_check_stops_at_what_would_stop_the_training(
    shared_base, corpus, workdir, args, words
):
    config = quick_config(shared_base, corpus, workdir / "config.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", str(config), *args])
    assert done.exit_code == 1 and words in " ".join(done.output.split())


def test_check_reads_the_config(base, corpus, workdir):
    config = quick_config(base, corpus, "config.cfg")

    def run(*more):
        args = ["check", str(config), *more]
        return CliRunner().invoke(rehearse_cli, args, terminal_width=200)

    done = run("--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["new"] == ["GADGET"] and told["pool_texts"] == 150
    assert told["pool_mentions"]["PERSON"] > 20
    assert run().exit_code == 0 and "Zoomer" not in run().output
    assert "20 of 150, drawn at random (--limit 0" in run("--limit", "20").output
    srsly.write_jsonl(
        "pool.jsonl", [{"text": "nothing happens here at all today"}] * 30
    )
    quick_config(
        base,
        corpus,
        "config.cfg",
        initialize__components__rehearsal__pool__path="pool.jsonl",
    )
    failed = run()
    assert failed.exit_code == 1 and "the pool is too small: it has 1" in failed.output


# Of what pydantic says itself: other words before spaCy 3.8.13.
HELD_OUT = "[initialize.components.rehearsal] held_out: "


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"components__rehearsal__ratio": -1}, "ratio is -1"),
        ({"components__rehearsal__ratoi": 1}, "ratoi"),
        ({"initialize__components__rehearsal__held_out": 0.1}, HELD_OUT),
        ({"paths__base": "nowhere"}, "--paths.base"),
        ({"initialize__components__rehearsal__heldout": 1.5}, "heldout is 1.5"),
        ({"initialize__components__rehearsal__labels": ["GADGIT"]}, "never occur"),
        ({"nlp__pipeline": ["ner"]}, "put 'rehearsal' first"),
        ({"nlp__pipeline": ["ner", "rehearsal"]}, "must stand first"),
        ({"paths__train": "nowhere.spacy"}, "nowhere.spacy does not exist"),
        ({"corpora__train__max_length": 1}, "the gold holds no entity in"),
        ({"training__max_steps": "abc"}, "[training] max_steps: "),
        ({"training__max_steps": None}, "[training] max_steps: "),
        ({"training__dropout": 0}, "[training] dropout is 0: write 0.0"),
        ({"training__max_stepz": 5}, "[training] ['max_stepz']: spaCy has no such"),
        ({"initialize__components__rehearsal__cache": "c.cfg/x"}, "cache is 'c.cfg/x'"),
        ({"initialize__components__rehearsal__cache": "."}, "'.' holds other files"),
        (
            {"initialize__components__rehearsal__memory": memory_settings("c.cfg")},
            "is no memory",
        ),
    ],
)
def test_check_finds_what_would_stop_the_training(
    base, corpus, workdir, changes, words
):
    quick_config(base, corpus, "c.cfg", **changes)
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert done.exit_code == 1 and words in " ".join(done.output.split())


@pytest.mark.parametrize("command", ["check", "compare"])
@pytest.mark.parametrize(
    "lost, words",
    [
        ("nlp", "there is no section [nlp]"),
        ("training", "there is no section [training]"),
        ("nlp.pipeline", "[nlp] pipeline is []: put 'rehearsal' first"),
        ("training.optimizer", "[training] optimizer: "),
        ("training.max_steps", "spacy init fill-config"),
        ("training.train_corpus", "[training] train_corpus: "),
        ("initialize.components.rehearsal.teacher", "teacher"),
        ("initialize.components.rehearsal.pool", "pool"),
    ],
)
def test_check_names_what_a_config_lacks(base, corpus, workdir, lost, words, command):
    config = load_config(quick_config(base, corpus, "c.cfg"), interpolate=False)
    *sections, key = lost.split(".")
    block = config
    for section in sections:
        block = block[section]
    del block[key]
    config.to_disk("c.cfg")
    args = ["--output", "out"] if command == "compare" else []
    done = CliRunner().invoke(rehearse_cli, [command, "c.cfg", *args])
    assert done.exit_code == 1 and words in " ".join(done.output.split()), done.output


def test_check_passes_a_base_with_vectors(vectors_base, corpus, workdir):
    quick_config(vectors_base, corpus, "c.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert done.exit_code == 0, done.output


def test_check_notices_that_teacher_and_source_are_two(base, corpus, workdir):
    nlp = spacy.load(base)
    nlp.get_pipe("ner").model.get_ref("lower").get_param("b")[...] += 1
    nlp.to_disk("other")
    teacher = {"initialize__components__rehearsal__teacher": "other"}
    quick_config(base, corpus, "c.cfg", **teacher)
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert done.exit_code == 1
    assert "its source is another pipeline" in " ".join(done.output.split())


def test_check_names_a_base_without_the_recogniser(base, corpus, workdir):
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.to_disk("none")
    quick_config(base, corpus, "c.cfg", paths__base="none")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    told = " ".join(done.output.split())
    assert done.exit_code == 1 and "pipeline component 'ner' from source" in told
    assert "set --paths.base" in told


@pytest.mark.parametrize("command", ["check", "compare"])
def test_check_knows_no_such_option(base, corpus, workdir, command):
    quick_config(base, corpus, "c.cfg")
    more = ["--output", "out"] if command == "compare" else []
    done = CliRunner().invoke(rehearse_cli, [command, "c.cfg", *more, "--strct"])
    assert done.exit_code == 1 and "No such option '--strct'" in done.output.replace(
        "option: --strct",
        "option '--strct'",  # by earlier versions of Click
    )


def test_check_finds_a_dev_set_that_is_no_use(base, corpus, workdir):
    quick_config(base, corpus, "c.cfg", paths__dev=str(corpus / "train.spacy"))
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert "40 of 40 dev texts are in the gold" in " ".join(done.output.split())
    nlp = spacy.blank("xx")
    DocBin(docs=[nlp("nothing at all")]).to_disk("dev.spacy")
    quick_config(base, corpus, "c.cfg", paths__dev="dev.spacy")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert done.exit_code == 1
    assert "marks none of the labels of the gold (GADGET)" in " ".join(
        done.output.split()
    )


def test_check_needs_rehearsal_and_gold(base, corpus, workdir):
    quick_config(base, corpus, "naive.cfg", naive=True)
    done = CliRunner().invoke(rehearse_cli, ["check", "naive.cfg"])
    assert done.exit_code == 1 and "no rehearsal component" in done.output
    config = Config().from_disk(quick_config(base, corpus, "no.cfg"), interpolate=False)
    del config["initialize"]["components"]["rehearsal"]
    config.to_disk("no.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", "no.cfg"])
    assert done.exit_code == 1 and "no section [initialize" in done.output
    DocBin().to_disk("empty.spacy")
    quick_config(base, corpus, "x.cfg", paths__train="empty.spacy")
    done = CliRunner().invoke(rehearse_cli, ["check", "x.cfg"])
    assert done.exit_code == 1 and "holds no doc" in done.output


def test_check_knows_that_a_column_is_the_default(base, corpus, workdir):
    texts = [f"nothing at all happens here , {i} say ." for i in range(FEWEST_TEXTS)]
    srsly.write_jsonl("silent.jsonl", [{"text": text} for text in texts])
    told = []
    for change in ({}, {"column": None}):
        path = quick_config(base, corpus, "c.cfg", paths__pool="silent.jsonl")
        config = Config().from_disk(path, interpolate=False)
        settings = config["initialize"]["components"]["rehearsal"]
        del settings["column"]
        settings.update(change)
        config.to_disk(path)
        done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg", "--json"])
        told.append(" ".join(json.loads(done.stdout)["advice"]))
    assert "hardly rehearsed" not in told[0] and "hardly rehearsed" in told[1]


def test_check_knows_where_there_can_be_no_column(shared_base, corpus, workdir):
    config = load_config(quick_config(shared_base, corpus, "c.cfg"), interpolate=False)
    config["training"].update(frozen_components=[], annotating_components=[])
    config["training"]["optimizer"]["learn_rate"] = 0.006
    config.to_disk("c.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg", "--json"])
    assert done.exit_code == 0, done.output
    assert "will change: tagger" in done.output
    advice = " ".join(json.loads(done.stdout)["advice"])
    assert "All weights learn, the old ones, too, at a rate of 0.006" in advice


def test_check_tells_that_the_rate_ends_elsewhere():
    def advice(max_steps, learn_rate):
        optimizer = {"learn_rate": learn_rate}
        return advise_on_rate({"max_steps": max_steps, "optimizer": optimizer})

    assert not advice(200, {"total_steps": 200}) and not advice(200, 0.001)
    assert not advice(0, {"total_steps": 200})  # until patience ends it
    (told,) = advice(100, {"total_steps": 200})
    assert "100 updates" in told and "reaches 0 after 200" in told


def test_check_tells_of_a_rate_too_low_for_new_weights():
    def advice(learn_rate, column=True):
        training = {"max_steps": 200, "optimizer": {"learn_rate": learn_rate}}
        return advise_on_rate(training, column=column)

    assert not advice(0.003) and not advice(0.001, column=False)
    for rate in (0.001, {"initial_rate": 0.001}):
        (told,) = advice(rate)
        assert "learn little at a rate of 0.001: init-config writes 0.006" in told


def test_check_tells_of_a_rate_too_high_for_old_weights():
    def advice(learn_rate, column=False):
        training = {"max_steps": 200, "optimizer": {"learn_rate": learn_rate}}
        return advise_on_rate(training, column=column)

    assert not advice(0.003) and not advice(0.006, column=True)
    (told,) = advice({"initial_rate": 0.006})  # a column's, and then column = null
    assert "at a rate of 0.006" in told and "set the rate to 0.003" in told


@pytest.mark.parametrize(
    "weights, frozen, chosen_by",
    [
        ({"rehearsal_score": 1.0, "ents_f": 0.0}, [], None),
        ({"rehearsal_scor": 1.0, "rehearsal_score": None}, [], "rehearsal_scor (1.00)"),
        ({"rehearsal_score": 0.5, "tag_acc": 0.5}, [], None),  # the tagger learns
        ({"rehearsal_score": 0.5, "tag_acc": 0.5}, ["tagger"], "tag_acc (0.50)"),
        ({"rehearsal_score": 0.5, "ents_f": 0.5}, [], "ents_f (0.50)"),
    ],
)
def test_check_tells_what_chooses_the_checkpoint(
    shared_base, weights, frozen, chosen_by
):
    training = {"score_weights": weights, "frozen_components": frozen}
    pipeline = ["rehearsal", "tok2vec", "tagger", "ner"]
    config = Config({"training": training, "nlp": {"pipeline": pipeline}})
    told = advise_on_weights(config, load_teacher(str(shared_base), "ner"))
    assert bool(told) == bool(chosen_by)
    assert not told or chosen_by in told[0].partition(":")[0]


@registry.readers("endless_test.v1")
def endless(path):
    corpus = Corpus(path)
    return lambda nlp: (eg for _ in count() for eg in corpus(nlp))


@registry.readers("records_test.v1")
def records(path):
    def read(nlp):
        for record in srsly.read_jsonl(path):
            doc = nlp.make_doc(record["text"])
            doc.ents = [doc.char_span(*span) for span in record["spans"]]
            yield Example(nlp.make_doc(doc.text), doc)

    return read


def test_check_reads_gold_by_the_readers_of_the_config(base, corpus, workdir):
    config = load_config(quick_config(base, corpus, "c.cfg"), interpolate=False)
    for name, n in (("train", 40), ("dev", 20)):
        docs = make_docs(spacy.blank("en"), n, ("GADGET",), seed=n)
        told = [
            {
                "text": doc.text,
                "spans": [(e.start_char, e.end_char, e.label_) for e in doc.ents],
            }
            for doc in docs
        ]
        srsly.write_jsonl(f"{name}.jsonl", told)
        reader = {"@readers": "records_test.v1", "path": f"{name}.jsonl"}
        config["corpora"][name] = reader
    config.to_disk("c.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["gold_texts"] == 40


def test_check_reads_a_streamed_corpus_until_it_repeats_itself(base, corpus, workdir):
    reader = {"@readers": "endless_test.v1", "path": str(corpus / "train.spacy")}
    config = load_config(quick_config(base, corpus, "c.cfg"), interpolate=False)
    config["corpora"]["train"] = reader
    config["training"].update(max_epochs=-1)
    config.to_disk("c.cfg")
    done = CliRunner().invoke(rehearse_cli, ["check", "c.cfg"])
    assert done.exit_code == 0, done.output
    assert "40 texts" in done.output
