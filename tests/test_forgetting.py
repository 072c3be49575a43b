import json
import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy
import pytest
import spacy
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import PRFScore
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from spacy_rehearse.cli import rehearse_cli
from spacy_rehearse.forgetting import (
    FEWEST_TEXTS,
    Changed,
    as_examples,
    bootstrap,
    compare_pipelines,
    learnt,
)
from spacy_rehearse.gate import judge, parse_limits
from spacy_rehearse.report.chart import chart
from spacy_rehearse.report.forgetting import (
    MOST_SHOWN,
    _draw,
    as_html,
    as_json,
    as_text,
    confusion_rows,
    kept_rows,
    label_rows,
)
from spacy_rehearse.scorer import entity_prf

from .util import make_docs

TEXTS = ["Ana met Bob at Acme", "Acme sold a Zoomer to <Bob>", "nothing here"]


def says(**entities):
    """A pipeline that sees words as entities, by a list of words for each label."""
    nlp = spacy.blank("xx")
    ruler = nlp.add_pipe("entity_ruler", name="ner")
    ruler.add_patterns(
        {"label": label, "pattern": word}
        for label, words in entities.items()
        for word in words
    )
    return nlp


BASE = says(PERSON=["Ana", "Bob"], ORG=["Acme"])
STUDENT = says(PERSON=["Ana"], ORG=["Bob"], GADGET=["Zoomer", "here"])


def gold():
    truth = {"Ana": "PERSON", "Bob": "PERSON", "Acme": "ORG", "Zoomer": "GADGET"}
    docs = []
    for text in TEXTS:
        doc = spacy.blank("xx").make_doc(text)
        doc.ents = [
            Span(doc, t.i, t.i + 1, truth[t.text]) for t in doc if t.text in truth
        ]
        docs.append(doc)
    return docs


@pytest.fixture
def report():
    return compare_pipelines(BASE, STUDENT, "ner", gold=gold(), texts=TEXTS)


def test_forgetting_counts_by_hand(report):
    assert (report.old, report.new) == (["ORG", "PERSON"], ["GADGET"])
    by_label = {scores.label: scores for scores in report.labels}
    person = by_label["PERSON"]
    assert (person.support, person.before.fscore) == (3, 1.0)
    assert person.after.fscore == pytest.approx(2 * 1 / (2 * 1 + 0 + 2))
    assert person.change == pytest.approx(-0.5)
    assert by_label["ORG"].after.fscore == 0.0  # Acme gone, Bob twice wrong
    assert by_label["GADGET"].is_new and by_label["GADGET"].after.tp == 1
    told = report.summary()
    assert told["new_f"] == pytest.approx(2 / 3)
    assert told["old_f_before"] == 1.0
    # 1 right of 3 that it says (Ana, Bob, Bob), and of 5 that there are
    assert told["old_f"] == pytest.approx(2 * 1 / (2 * 1 + 2 + 4))
    assert told["bwt"] == pytest.approx(0.25 - 1.0)
    # With gadgets, 2 right of 5 that it says, and of 6 that there are
    assert told["all_f"] == pytest.approx(2 * 2 / (2 * 2 + 3 + 4))
    assert told["retention"] == pytest.approx(0.25)
    n_words = sum(len(BASE.make_doc(text)) for text in TEXTS)
    # "here" alone: of Zoomer, the gold says that it is one
    assert told["flood"] == pytest.approx(1000 * 1 / n_words)


def test_forgetting_takes_nothing_for_lost_that_gold_calls_new():
    base = says(PERSON=["Ana", "Bob", "Zoomer"])
    student = says(PERSON=["Ana", "Bob"], GADGET=["Zoomer"])
    told = compare_pipelines(base, student, "ner", gold=gold(), texts=TEXTS)
    assert told.summary()["retention"] == 1.0 and told.summary()["flood"] == 0.0
    elsewhere = ["A Zoomer is here"]
    told = compare_pipelines(base, student, "ner", gold=gold(), texts=elsewhere)
    assert told.summary()["retention"] == 0.0 and told.summary()["flood"] > 0


def test_forgetting_shows_what_was_kept_of_labels_that_nothing_marks():
    docs = gold()
    for doc in docs:
        doc.ents = [e for e in doc.ents if e.label_ == "GADGET"]
    told = compare_pipelines(BASE, STUDENT, "ner", gold=docs, texts=TEXTS)
    # Of 3 persons one is left; of 2 organisations none, and Bob is called one twice.
    assert kept_rows(told)[1:] == [
        ["ORG", "2", "2", "0", "0.0"],
        ["PERSON", "3", "1", "1", "50.0"],
    ]
    assert as_json(told)["kept"]["PERSON"] == {
        "before": 3,
        "after": 1,
        "both": 1,
        "agreement": 0.5,
    }
    assert "PERSON" in as_text(told)
    assert "Agreement, label by label" in as_html(
        told, about={"after": "", "before": ""}, show_texts=False
    )
    unread = compare_pipelines(BASE, STUDENT, "ner", gold=docs, texts=[])
    assert kept_rows(unread) == [] and as_json(unread)["kept"] == {}


def test_forgetting_counts_what_is_found_of_a_label_that_is_marked_in_full():
    student = says(GADGET=["Zoomer"], CITY=["Ana", "Bob"])
    told = [
        compare_pipelines(
            BASE, student, "ner", gold=gold(), texts=TEXTS, in_full=in_full
        ).summary()
        for in_full in ((), ("GADGET", "CITY"))
    ]
    n_wrong = 3  # Ana, Bob, Bob
    assert told[0]["new_f"] == 1.0
    assert told[1]["new_f"] == pytest.approx(2 / (2 + n_wrong))
    assert told[1]["all_f"] < told[0]["all_f"]


def test_forgetting_tells_what_became_of_entities(report):
    assert report.confusion["PERSON", "ORG"] == 4  # gold and raw text are the same
    assert report.confusion["ORG", "O"] == 4
    assert report.confusion["PERSON", "PERSON"] == 2
    assert report.confusion["O", "GADGET"] == 4
    assert ["PERSON", "ORG", "4"] in confusion_rows(report)
    assert not any(row[0] == row[1] for row in confusion_rows(report))
    lost = [changed.n_lost for changed in report.changed]
    assert lost == sorted(lost, reverse=True) == [2, 2, 2, 2, 0, 0]


def test_forgetting_runs_what_a_pipeline_disables_and_leaves_it_so():
    base, student = says(ORG=["Acme"]), says(ORG=["Bob"])
    for nlp in (base, student):
        nlp.disable_pipe("ner")
    report = compare_pipelines(base, student, "ner", gold=[], texts=TEXTS, new=[])
    assert report.kept.tp == 0 and report.kept.fn == 2 and report.kept.fp == 2
    assert base.disabled == student.disabled == ["ner"]
    compare_pipelines(BASE, STUDENT, "ner", gold=[], texts=TEXTS)
    assert not BASE.disabled and not STUDENT.disabled


@pytest.mark.parametrize("factory", ["entity_ruler", "span_ruler"])
def test_forgetting_is_of_the_recogniser_alone(factory):
    base, student = says(PERSON=["Ana"]), says(PERSON=["Bob"])
    config = {"annotate_ents": True} if factory == "span_ruler" else {}
    for nlp in (base, student):
        ruler = nlp.add_pipe(factory, name="before", before="ner", config=config)
        ruler.add_patterns([{"label": "PERSON", "pattern": "Ana"}])
    report = compare_pipelines(base, student, "ner", gold=gold(), texts=[])
    assert report.after.tp == 2 and report.after.fn == 1  # both Bobs, and not Ana


def test_forgetting_does_not_take_what_earlier_pipes_set_for_learnt():
    docs = [*gold(), spacy.blank("xx").make_doc("X1 is a code")]
    docs[-1].ents = [Span(docs[-1], 0, 1, "CODE")]
    base, student = says(PERSON=["Ana"]), says(PERSON=["Ana"], GADGET=["Zoomer"])
    student.get_pipe("ner").add_patterns([{"label": "CODE", "pattern": "taken over"}])
    for nlp in (base, student):
        ruler = nlp.add_pipe("entity_ruler", name="before", before="ner")
        ruler.add_patterns([{"label": "CODE", "pattern": "X1"}])
    report = compare_pipelines(base, student, "ner", gold=docs, texts=[])
    assert report.new == learnt(base, student, "ner") == ["GADGET"]
    assert "CODE" not in {scores.label for scores in report.labels}
    assert report.summary()["new_f"] == 1.0
    # Both Bobs and Acme, twice, are missed, but the code is another pipe's.
    assert (report.all.tp, report.all.fn, report.all.fp) == (2, 4, 0)
    student.meta["spacy_rehearse"] = {"labels": ["CODE"]}  # unless it was learnt, too
    assert learnt(base, student, "ner") == ["CODE", "GADGET"]


def test_forgetting_counts_errors_that_do_not_fall_on_golds_tokens():
    words = ["Acme", "sells", "Zoomer-X"]
    doc = Doc(spacy.blank("xx").vocab, words, ents=["B-ORG", "O", "O"])
    nlp = says(ORG=["Acme", "Zoomer"])
    (eg,) = as_examples(nlp, [doc], [[(0, 4, "ORG"), (11, 17, "ORG")]])
    prf = entity_prf([eg], ["ORG"])
    assert (prf.tp, prf.fp, prf.fn) == (1, 1, 0)


def test_forgetting_shows_what_became_of_a_corrected_label():
    report = compare_pipelines(
        BASE, STUDENT, "ner", gold=gold(), texts=TEXTS, new=["ORG", "GADGET"]
    )
    assert report.corrected == ["ORG"] and report.old == ["PERSON"]
    new = compare_pipelines(BASE, STUDENT, "ner", gold=gold(), texts=TEXTS)
    assert report.flood == new.flood  # a label that the base knows floods nothing
    rows = {row[0]: row[1:] for row in kept_rows(report)[1:]}
    assert rows["ORG (corrected)"] == ["2", "2", "0", "0.0"]
    assert {row[0] for row in label_rows(report)[1:]} == {
        "PERSON", "ORG (corrected)", "GADGET (new)",
    }  # fmt: skip


def test_evaluate_knows_what_was_corrected():
    base, student = says(ORG=["Acme"]), says(ORG=["Bob"], GADGET=["Zoomer"])
    assert learnt(base, student, "ner") == ["GADGET"]
    student.meta["spacy_rehearse"] = {"corrected": ["ORG"]}
    assert learnt(base, student, "ner") == ["GADGET", "ORG"]
    base.meta["spacy_rehearse"] = {"corrected": ["ORG"]}  # in a round before
    assert learnt(base, student, "ner") == ["GADGET"]


def test_evaluate_knows_what_was_corrected_again():
    base, student = says(ORG=["Acme"]), says(ORG=["Bob"], GADGET=["Zoomer"])
    first = {"teacher": {"fingerprint": "a"}, "labels": ["ORG"], "corrected": ["ORG"]}
    second = {**first, "teacher": {"fingerprint": "b"}, "labels": ["GADGET", "ORG"]}
    base.meta["spacy_rehearse"] = first
    student.meta["spacy_rehearse"] = second
    assert learnt(base, student, "ner") == ["GADGET", "ORG"]
    student.meta["spacy_rehearse"] = {**second, "labels": ["GADGET"]}
    assert learnt(base, student, "ner") == ["GADGET"]
    assert learnt(base, base, "ner") == []
    third = {"teacher": {"fingerprint": "c"}, "labels": ["GADGET"]}
    student.meta["spacy_rehearse"] = {**third, "corrected": ["ORG", "ORG"]}
    assert learnt(base, student, "ner") == ["GADGET", "ORG"]
    student.meta["spacy_rehearse"] = {**first, "scores": {}}  # of the same round
    assert learnt(base, student, "ner") == ["GADGET"]


def test_forgetting_of_nothing():
    report = compare_pipelines(BASE, BASE, "ner", gold=gold(), texts=TEXTS)
    told = report.summary()
    assert (told["bwt"], told["retention"], told["flood"]) == (0.0, 1.0, 0.0)
    assert told["new_f"] is None and not report.changed
    assert all(x.interval == (0.0, 0.0) for x in report.labels)
    with pytest.raises(ValueError, match="no text"):
        compare_pipelines(BASE, BASE, "ner", gold=[], texts=[])


def test_forgetting_is_not_measured_where_nothing_could_be_forgotten():
    naive = says(GADGET=["Zoomer"])
    fillers = compare_pipelines(BASE, naive, "ner", gold=gold(), texts=["nothing here"])
    assert fillers.summary()["retention"] is None
    (failure,) = judge(fillers, least={"retention": 0.1}).failures
    assert "can't be measured" in failure and "--pool" in failure
    told = compare_pipelines(BASE, naive, "ner", gold=gold(), texts=TEXTS).summary()
    assert told["retention"] == 0.0


def test_forgetting_of_gold_that_marks_new_labels_only_says_nothing_of_old_ones():
    docs = gold()
    for doc in docs:
        doc.ents = [e for e in doc.ents if e.label_ == "GADGET"]
    told = compare_pipelines(BASE, STUDENT, "ner", gold=docs, texts=[]).summary()
    assert told["new_f"] == pytest.approx(2 / 3)
    assert {key for key, value in told.items() if value is not None} == {"new_f"}


@given(
    counts=st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=20),
    seed=st.integers(0, 9),
)
def test_forgetting_bootstrap_holds_the_change_of_equal_texts(counts, seed):
    table = numpy.array(counts)
    assert bootstrap(table, table, n_samples=50, seed=seed) == (0.0, 0.0)
    tp, fp, fn = table[0]
    same = numpy.array([counts[0]] * 10)
    worse = same * [0, 1, 1] + [[0, tp, tp]]
    low, high = bootstrap(same, worse, n_samples=50, seed=seed)
    f = 2 * tp / max(2 * tp + fp + fn, 1)
    assert low == pytest.approx(-f) and high == pytest.approx(-f)


def test_forgetting_bootstrap_leaves_out_draws_without_the_label():
    found = numpy.array([[9, 0, 0], [0, 0, 0], [0, 0, 0]])
    lost = numpy.array([[0, 0, 9], [0, 0, 0], [0, 0, 0]])
    assert bootstrap(found, lost) == (-1.0, -1.0)
    assert bootstrap(found[1:], lost[1:]) == (0.0, 0.0)


def test_forgetting_bootstrap_draws_without_the_label_may_hold_wrong_ones():
    found = numpy.array([[9, 0, 0], [0, 3, 0], [0, 3, 0]])
    lost = numpy.array([[0, 0, 9], [0, 3, 0], [0, 3, 0]])
    low, high = bootstrap(found, lost)
    assert high < -0.5  # and not 0, of draws in which nothing is marked


def test_forgetting_bootstrap_holds_95_percent():
    before = numpy.array([[1, 0, 0]] * 100)
    after = numpy.array([[1, 0, 0]] * 50 + [[0, 0, 1]] * 50)
    low, high = bootstrap(before, after, n_samples=10_000)
    # Recall is binomial, 0.5 of 100: 40 to 60 of them in 95 % (and F 2R / (1 + R)).
    assert low == pytest.approx(2 * 0.4 / 1.4 - 1, abs=0.005)
    assert high == pytest.approx(2 * 0.6 / 1.6 - 1, abs=0.005)


def test_gate_names_what_fell(report):
    verdict = judge(report, least={"retention": 0.9, "new_f": 0.5}, most_drop=2.0)
    assert verdict.failures == [
        "retention is 0.2500, at least 0.9 is asked for",
        "no old label can be judged: none has 10 entities in the annotated texts",
    ]
    assert verdict.unjudged == ["ORG (2)", "PERSON (3)"]
    many = report._replace(
        labels=[x._replace(support=40) for x in report.labels if x.label == "PERSON"]
    )
    (failure,) = judge(many, least={}, most_drop=2.0).failures
    assert failure.startswith("PERSON fell by 50.0 points, 2 are allowed: F 100.0")
    assert not judge(many, least={}, most_drop=60.0).failures


def test_gate_tells_of_old_labels_that_gold_never_marks(report):
    known = report._replace(labels=[x for x in report.labels if x.label != "ORG"])
    verdict = judge(known, least={}, most_drop=2.0)
    assert verdict.unjudged == ["PERSON (3)", "ORG (0)"]


def test_gate_allows_what_is_just_allowed(report):
    (person,) = [x for x in report.labels if x.label == "PERSON"]
    (gadget,) = [x for x in report.labels if x.label == "GADGET"]
    before, after = PRFScore(tp=45, fp=5, fn=5), PRFScore(tp=44, fp=6, fn=6)
    fallen = person._replace(support=50, before=before, after=after)
    drops = report._replace(labels=[fallen, gadget], learnt=PRFScore(tp=42, fp=8, fn=8))
    assert not judge(drops, least={"new_f": 0.84}, most_drop=2.0).failures
    assert len(judge(drops, least={"new_f": 0.841}, most_drop=1.9).failures) == 2


@pytest.mark.parametrize("support, fails", [(4, False), (5, True), (9, True)])
def test_gate_judges_a_rare_label_that_was_lost_beyond_chance(report, support, fails):
    (person,) = [x for x in report.labels if x.label == "PERSON"]
    few = {"support": support, "n_texts": support}
    lost = person._replace(**few, interval=(-1.0, -1.0))
    often = person._replace(label="ORG", support=40, after=person.before)
    verdict = judge(report._replace(labels=[lost, often]), least={}, most_drop=10.0)
    assert ("PERSON fell" in " ".join(verdict.failures)) == fails
    assert verdict.unjudged == ([] if fails else ["PERSON (4)"])
    chance = lost._replace(interval=(-1.0, 0.0))
    verdict = judge(report._replace(labels=[chance, often]), least={}, most_drop=10.0)
    assert not verdict.failures and verdict.unjudged == [f"PERSON ({support})"]
    in_one_text = lost._replace(n_texts=1)  # which is drawn, or is not
    verdict = judge(report._replace(labels=[in_one_text, often]), least={}, most_drop=1)
    assert not verdict.failures and verdict.unjudged == [f"PERSON ({support})"]
    rows = {row[0]: row for row in label_rows(report._replace(labels=[in_one_text]))}
    assert rows["PERSON"][-1] == ""


def test_gate_judges_the_flood(report):
    flooded = report._replace(flood=1.25)
    (failure,) = judge(flooded, least={}, most_flood=1.0).failures
    assert failure == "flood is 1.25 entities in 1,000 words, 1 are allowed"
    assert not judge(flooded, least={}, most_flood=1.25).failures
    (failure,) = judge(report._replace(flood=None), least={}, most_flood=1).failures
    assert "can't be measured" in failure and "--pool" in failure


def test_gate_fails_on_what_can_not_be_measured(report):
    (failure,) = judge(report._replace(kept=None), least={"retention": 0.1}).failures
    assert "can't be measured" in failure and "--pool" in failure
    with pytest.raises(ValueError, match="no figure 'f1': expected one of new_f"):
        judge(report, least={"f1": 0.1})
    assert parse_limits(["retention=0.98", "bwt = -0.02"]) == {
        "retention": 0.98,
        "bwt": -0.02,
    }
    with pytest.raises(ValueError, match="'retention' is no limit"):
        parse_limits(["retention"])


@pytest.mark.parametrize(
    "limits, words",
    [
        ({"least": {"retention": 98.0}}, "a share, from 0 to 1"),
        ({"least": {"new_f": float("nan")}}, "a share, from 0 to 1"),
        ({"least": {"bwt": -2.0}}, "from -1 to 1"),
        ({"least": {}, "most_drop": -2.0}, "expected 0 or more"),
        ({"least": {}, "most_drop": float("nan")}, "expected 0 or more"),
        ({"least": {}, "most_drop": 200.0}, "below 100"),
        ({"least": {}, "most_flood": -1.0}, "expected 0 or more"),
    ],
)
def test_gate_refuses_limits_that_make_no_sense(report, limits, words):
    with pytest.raises(ValueError, match=words):
        judge(report, **limits)


def test_gate_does_not_take_what_neither_pipeline_knows_for_an_old_label():
    docs = [spacy.blank("xx").make_doc("Rome")] * 20
    docs = [doc.copy() for doc in docs]
    for doc in docs:
        doc.ents = [Span(doc, 0, 1, "LOC")]
    report = compare_pipelines(BASE, STUDENT, "ner", gold=docs, texts=[])
    (failure,) = judge(report, least={}, most_drop=2.0).failures
    assert "no old label can be judged" in failure


class Outline(HTMLParser):
    """What is open, what is shown, and whether anything is fetched."""

    VOID = {"meta", "br", "link", "img", "input"}

    def __init__(self, page):
        super().__init__()
        self.open, self.text, self.fetched = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.fetched += [v for k, v in attrs if k in ("src", "href", "srcset")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


ABOUT = {"before": "base 1.0", "after": "student 1.1"}


STEPS = [("50", 20.0, 100.0, 0.3), ("100", 60.0, 100.0, 0.7), ("150", 50, 100, 0.6)]


def test_report_escapes_text_and_labels():
    drawn = _draw("Ana <b> went", [(0, 3, "<img src=x>")], {"<img src=x>": "#ff0000"})
    assert "<img" not in drawn and "<b>" not in drawn and "#ff0000" in drawn


def test_report_highlights_the_best_checkpoint(report):
    page = as_html(report, about=ABOUT, show_texts=False, steps=STEPS)
    assert re.search('<g class="strong"><title>100: ', page)
    assert page.count('<g class="strong">') == 1 and ">101<" not in page
    level = [*STEPS, ("200", 50.0, 90.0, 0.7)]  # spaCy saves the last of these
    page = as_html(report, about=ABOUT, show_texts=False, steps=level)
    assert re.search('<g class="strong"><title>200: ', page)


@pytest.mark.parametrize("steps", [[], STEPS])
def test_report_is_one_well_formed_page(report, steps):
    page = as_html(report, about=ABOUT, show_texts=True, steps=steps)
    outline = Outline(page)
    assert not outline.open and not outline.fetched
    assert not re.search(r"https?://|@import|url\(", page)
    assert "<Bob>" not in page and "&lt;" in page
    shown = " ".join("".join(outline.text).split())
    for words in ("Zoomer", "PERSON", "-50.0", "retention", "student 1.1"):
        assert words in shown
    assert ("<polyline" in page) == bool(steps)
    assert page.count("<article") == 6
    assert 'lang="en"' in page and "<caption>" in page and 'scope="col"' in page


@pytest.mark.parametrize("n_texts", [FEWEST_TEXTS - 1, FEWEST_TEXTS])
def test_report_tells_no_interval_of_too_few_texts(report, n_texts):
    labels = [x._replace(n_texts=n_texts) for x in report.labels]
    told = as_json(report._replace(labels=labels))["labels"].values()
    for was, now in zip(labels, told, strict=True):
        known = list(was.interval) if n_texts == FEWEST_TEXTS else None
        assert now["change_interval_95"] == known


def test_report_filters_texts_by_whole_labels(report):
    seen = Changed("A text", [(0, 1, "LAW FIRM")], [(2, 6, "LAW")], 1)
    page = as_html(report._replace(changed=[seen]), about=ABOUT, show_texts=True)
    (told,) = re.findall(r'data-labels="([^"]*)"', page)
    assert json.loads(unescape(told)) == ["LAW", "LAW FIRM"]
    assert '<option value="LAW FIRM">' in page


def test_report_holds_no_text_unless_asked(report):
    for told in (
        as_html(report, about=ABOUT, show_texts=False),
        as_text(report),
        json.dumps(as_json(report)),
    ):
        assert "Zoomer" not in told and "nothing here" not in told
        assert "PERSON" in told
    assert as_json(report)["changed_texts"] == 6


@pytest.mark.slow
def test_report_of_very_many_texts_shows_the_first(report):
    many = report._replace(changed=report.changed * 2000)
    page = as_html(many, about=ABOUT, show_texts=True)
    assert page.count("<article") == MOST_SHOWN
    assert "12000 texts changed" in page and f"The first {MOST_SHOWN}" in page


def test_report_rows_put_old_labels_first(report):
    assert [row[0] for row in label_rows(report)] == [
        "",
        "ORG",
        "PERSON",
        "GADGET (new)",
    ]


names = st.text("abcdefgh-", min_size=1, max_size=18)
percents = st.floats(0, 100, width=16)


@given(st.dictionaries(names, st.tuples(percents, percents), min_size=1, max_size=20))
def test_chart_shows_all_points_inside(points):
    svg = str(chart(points, title="t", x_title="x", y_title="y"))
    Outline(svg)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg)
    assert len(circles) == len(points)
    labels = re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="\w+">[a-h-]', svg)
    assert all(float(y) < 400 for y in labels[-len(points) :])
    for x, y in circles:
        assert 52 <= float(x) <= 468 and 52 <= float(y) <= 348


@pytest.mark.slow
def test_evaluate_compares_saved_pipelines(base, corpus, workdir):
    student = spacy.load(base)
    student.get_pipe("ner").add_label("GADGET")
    student.to_disk("student")
    docs = make_docs(spacy.blank("xx"), 30, ("PERSON", "ORG", "GADGET"), seed=5)
    DocBin(docs=docs).to_disk("gold.spacy")
    pool = str(corpus / "pool.jsonl")
    args = ["evaluate", str(base), "student", "gold.spacy", "--pool", pool]

    def run(*more):
        return CliRunner().invoke(rehearse_cli, [*args, *more], terminal_width=200)

    done = run("--json", "--html", "out.html", "--md", "out.md", "--fail-drop", "2")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["figures"]["bwt"] == 0.0 and told["figures"]["retention"] == 1.0
    assert set(told["labels"]) == {"PERSON", "ORG", "GADGET"}
    assert told["warnings"] == []
    swapped = ["evaluate", "student", str(base), "gold.spacy", "--json"]
    told = json.loads(CliRunner().invoke(rehearse_cli, swapped).stdout)
    assert any("are they swapped?" in warning for warning in told["warnings"])
    DocBin(docs=make_docs(spacy.blank("xx"), 9, ("ORG",), seed=5)).to_disk("o.spacy")
    without_new = ["evaluate", str(base), "student", "o.spacy", "--json"]
    told = json.loads(CliRunner().invoke(rehearse_cli, without_new).stdout)
    assert told["warnings"] == [
        "The annotated texts mark no GADGET: what is found of it there is not counted"
    ]
    assert "river" not in (workdir / "out.html").read_text()
    assert "| ORG |" in (workdir / "out.md").read_text()
    assert run("--html", "out.html").exit_code == 1  # it is there already
    steps = [
        {"step": i, "score": 0.1, "scores": {"new_f": 10 * i, "retention": 90}}
        for i in (1, 2)
    ]
    srsly.write_jsonl("log.jsonl", steps)
    drawn = run("--html", "out.html", "--force", "--log", "log.jsonl")
    assert drawn.exit_code == 0 and "<polyline" in (workdir / "out.html").read_text()
    assert run("--html", "x.html", "--log", pool).exit_code == 1
    srsly.write_jsonl("naive.jsonl", [{"step": 1, "score": 0.1, "scores": {}}])
    wrong = run("--html", "x.html", "--log", "naive.jsonl")
    assert wrong.exit_code == 1 and "with new_f and retention" in wrong.output
    shutil.copy(pool, "pool.jsonl")
    for output in ("pool.jsonl", "student/meta.json", "log.jsonl"):
        before = Path(output).read_bytes()
        more = ("--force", "--log", "log.jsonl", "--pool", "pool.jsonl")
        wrong = run("--html", output, *more)
        assert wrong.exit_code == 1 and "what is read" in wrong.output
        assert Path(output).read_bytes() == before
    passed = run("--fail-under", "retention=1.0")
    assert passed.exit_code == 0 and "The gate passes" in passed.output
    assert "gate" not in run().output
    failed = run("--fail-under", "new_f=0.5")
    assert failed.exit_code == 1 and "new_f is 0.0000" in failed.output
    for wrong in (
        ["--fail-under", "x=1"],
        ["--component", "tagger"],
        ["--labels", "GADGIT"],
        ["--show-texts"],
        ["--html", "same", "--md", "same"],
    ):
        failed = run(*wrong)
        assert failed.exit_code == 1 and len(failed.output.splitlines()) < 8
    (workdir / "empty.txt").touch()
    failed = CliRunner().invoke(rehearse_cli, [*args[:-1], "empty.txt"])
    assert failed.exit_code == 1 and "no text in empty.txt" in failed.output


def test_gate_finds_wrong_limits_before_the_work(base, corpus, monkeypatch):
    monkeypatch.setattr("spacy_rehearse.cli.evaluate.compare_pipelines", None)
    args = ["evaluate", str(base), str(base), str(corpus / "dev.spacy")]
    for limit, words in (
        (("--fail-under", "retension=0.9"), "no figure 'retension'"),
        (("--fail-drop", "-1"), "expected 0 or more"),
        (("--fail-flood", "-1"), "expected 0 or more"),
    ):
        done = CliRunner().invoke(rehearse_cli, [*args, *limit])
        assert done.exit_code == 1 and words in " ".join(done.output.split())


def test_evaluate_draws_raw_texts_from_all_pools(base, workdir):
    """What is forgotten must show, whatever comes first."""
    student = spacy.load(base)
    student.remove_pipe("ner")
    student.add_pipe("ner").add_label("GADGET")
    student.initialize()
    student.to_disk("student")
    docs = make_docs(spacy.blank("xx"), 60, ("PERSON", "ORG"), seed=5)
    silent = [{"text": f"nothing happens here at all, {i} say"} for i in range(60)]
    srsly.write_jsonl("a.jsonl", silent)
    srsly.write_jsonl("b.jsonl", [{"text": doc.text} for doc in docs])
    DocBin(docs=docs[:10]).to_disk("gold.spacy")
    args = ["evaluate", str(base), "student", "gold.spacy", "--limit", "60"]
    args += ["--pool", "a.jsonl", "--pool", "b.jsonl", "--labels", "GADGET"]
    done = CliRunner().invoke(rehearse_cli, [*args, "--fail-under", "retention=0.98"])
    assert "60 of 120, drawn at random" in done.output
    assert done.exit_code == 1 and "retention is 0." in done.output


def test_evaluate_does_not_leave_out_what_only_the_student_knows(base, workdir):
    student = spacy.load(base)
    for label in ("GADGET", "WIDGET"):
        student.get_pipe("ner").add_label(label)
    student.to_disk("student")
    docs = make_docs(spacy.blank("xx"), 10, ("PERSON", "ORG", "GADGET"), seed=5)
    DocBin(docs=docs).to_disk("gold.spacy")
    args = ["evaluate", str(base), "student", "gold.spacy", "--labels", "GADGET"]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 1 and "leaves out WIDGET" in " ".join(done.output.split())


def test_evaluate_can_skip_what_can_not_be_read(base, workdir):
    docs = make_docs(spacy.blank("xx"), 10, ("PERSON", "ORG"), seed=5)
    DocBin(docs=docs).to_disk("gold.spacy")
    Path("pool.jsonl").write_text('{"text": "Nothing here."}\n{"text"\n')
    args = ["evaluate", str(base), str(base), "gold.spacy", "--pool", "pool.jsonl"]
    assert CliRunner().invoke(rehearse_cli, args).exit_code == 1
    assert CliRunner().invoke(rehearse_cli, [*args, "--skip-invalid"]).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"no DocBin", None])
def test_evaluate_refuses_what_is_no_gold(base, workdir, content):
    if content is None:
        (workdir / "gold.spacy").mkdir()
    else:
        (workdir / "gold.spacy").write_bytes(content)
    args = ["evaluate", str(base), str(base), "gold.spacy"]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 1 and "gold.spacy" in done.output


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [500, 1400])
def test_report_fits_a_window(report, tmp_path, width):
    page = tmp_path / "report.html"
    measure = "<script>document.title = document.documentElement.scrollWidth</script>"
    html = as_html(report, about=ABOUT, show_texts=True, steps=STEPS)
    page.write_text(html.replace("</body>", f"{measure}</body>"), encoding="utf8")
    seen = tmp_path / "report.png"
    browse = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"]
    browse += [f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},900"]
    dom = subprocess.run(
        [*browse, "--dump-dom", page.as_uri()], capture_output=True, text=True
    )
    (shown,) = re.findall(r"<title>(\d+)</title>", dom.stdout)
    assert int(shown) <= width
    subprocess.run([*browse, f"--screenshot={seen}", page.as_uri()], check=True)
    assert seen.read_bytes().startswith(b"\x89PNG") and seen.stat().st_size > 10_000
