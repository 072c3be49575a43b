import json
import shutil

import numpy
import pytest
import spacy
from spacy.scorer import PRFScore
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus
from spacy.training.initialize import init_nlp
from spacy.vocab import Vocab
from thinc.api import Adam

from benchmarks import experts, interval
from benchmarks.job import two_pipes
from benchmarks.methods import METHODS, TWO_PIPES, write_config
from benchmarks.suites import Step, Suite, read_conll
from benchmarks.table import read_runs, summarise, table
from spacy_rehearse.expert import Expert
from spacy_rehearse.findings import Findings
from spacy_rehearse.recipe import training_length
from spacy_rehearse.teacher import load_pipeline, parameter_digests

from .util import NER, entities_f, train_base


def write_run(folder, method, seed, *steps):
    import srsly

    rows = [{"labels": labels, "seconds": 10.0, **rest} for labels, rest in steps]
    record = {"method": method, "seed": seed, "steps": rows}
    srsly.write_json(folder / f"{method}-{seed}.json", record)


@pytest.fixture
def runs(tmp_path):
    """Two steps on top of a base that knows A."""
    write_run(tmp_path, "base", 0, ({"A": 0.8}, {}), ({"A": 0.8}, {}))
    for seed, last in ((0, 0.6), (1, 0.4)):
        first = {"A": 0.7, "B": 0.5}
        second = {"A": last, "B": 0.7, "C": 0.9}
        write_run(tmp_path, "naive", seed, (first, {}), (second, {"new": 0.9}))
    steps = [Step(tmp_path, ("B",)), Step(tmp_path, ("C",))]
    return read_runs(tmp_path, Suite(tmp_path, ("A",), steps))


def test_benchmarks_transfer_is_that_of_the_whole_sequence(runs):
    first, second = [run for run in runs if run["method"] == "naive"]
    # A: 0.6 - 0.8, B: 0.7 - 0.5; then A: 0.4 - 0.8
    assert first["bwt"] == pytest.approx((-0.2 + 0.2) / 2)
    assert second["bwt"] == pytest.approx((-0.4 + 0.2) / 2)
    # the best of all steps but the last, minus the last
    assert first["forgetting"] == pytest.approx((0.2 - 0.2) / 2)


def test_benchmarks_table_shows_mean_and_spread(runs):
    lines = table(summarise(runs)).splitlines()
    row = next(line for line in lines if line.startswith("| naive"))
    assert "| naive | 2 | 90.0 ± 0.0 |" in row
    assert "-5.0 ± 7.1" in row
    assert "| 20 ± 0 |" in row


def test_benchmarks_rows_are_compared_with_naive_and_joint():
    def run(method, new, micro):
        step = {"new": new, "old": 0.1, "micro": micro, "seconds": 1.0}
        return {"method": method, "steps": [step]}

    runs = [run("naive", 0.4, 0.2), run("naive", 0.6, 0.2), run("joint", 0.6, 0.6)]
    rows = summarise([*runs, run("rehearsal", 0.4, 0.6), run("rehearsal", 0.5, 0.4)])
    # Of means: the spread of one row alone would say too little.
    assert rows["rehearsal"]["new F ÷ naive"] == [pytest.approx(0.9)]
    assert rows["rehearsal"]["gap closed"] == [pytest.approx(0.75)]


def test_benchmarks_dev_of_joint_training_tells_nothing_of_the_new_label_alone():
    step = {"new": 0.5, "seconds": 1.0, "dev": {"ents_f": 0.6}}
    rows = summarise([{"method": x, "steps": [step]} for x in ("naive", "joint")])
    assert rows["naive"]["new F on dev"] == [0.6]
    assert "new F on dev" not in rows["joint"]


def test_benchmarks_measures_that_are_not_defined_are_left_out():
    step = {"new": 0.0, "old": 0.1, "micro": 0.2, "seconds": 1.0}
    methods = ("naive", "joint", "rehearsal")
    rows = summarise([{"method": x, "steps": [step]} for x in methods])
    assert {"new F ÷ naive", "gap closed"}.isdisjoint(rows["rehearsal"])


def test_benchmarks_earlier_results_stay_beside_new_runs(runs):
    known = {"joint": {"new F": [0.7]}, "naive": {"new F": [0.1]}}
    rows = summarise(runs, known)
    assert rows["joint"]["new F"] == [0.7]
    assert rows["naive"]["new F"] == [0.9, 0.9]
    assert list(rows) == ["base", "naive", "joint"]


def test_benchmarks_conll_keeps_the_labels_asked_for(tmp_path):
    path = tmp_path / "a.conll"
    path.write_text("Ana\tB-PER\nRuiz\tI-PER\nof\tO\n\nAcme B-ORG\nday Day\n")
    first, second = read_conll(path, ("PER",))
    assert [(ent.text, ent.label_) for ent in first.ents] == [("Ana Ruiz", "PER")]
    assert [token.text for token in second] == ["Acme", "day"] and not second.ents


@pytest.fixture(scope="module")
def step(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("step")
    for part, joint in (("train", "joint"), ("dev", "joint_dev")):
        for name in (part, joint):
            shutil.copy(corpus / f"{part}.spacy", folder / f"{name}.spacy")
    return Step(folder, ("GADGET",))


@pytest.mark.slow
def test_benchmarks_each_method_is_another_config(base, step, tmp_path):
    texts = set()
    for method in METHODS:
        write_config(method, base, step, tmp_path / "method.cfg", seed=3)
        config = spacy.util.load_config(tmp_path / "method.cfg", interpolate=True)
        assert config["training"]["seed"] == 3
        texts.add((tmp_path / "method.cfg").read_text())
    assert len(texts) == len(METHODS)


def test_benchmarks_joint_training_learns_from_all_texts_where_gold_is_thinned(
    base, step, tmp_path
):
    docs = list(DocBin().from_disk(step.folder / "train.spacy").get_docs(Vocab()))
    without = [Doc(Vocab(), words=["Nothing", "here", str(i)]) for i in range(2000)]
    for name, gold in (("train", docs), ("joint", docs), ("dev", docs)):
        sparse = [*gold, *without] if name != "dev" else gold
        DocBin(docs=sparse).to_disk(tmp_path / f"{name}.spacy")
    shutil.copy(tmp_path / "dev.spacy", tmp_path / "joint_dev.spacy")
    config = {}
    for method in ("naive", "joint"):
        path = tmp_path / "method.cfg"
        write_config(method, base, Step(tmp_path, ("GADGET",)), path, seed=3)
        config[method] = spacy.util.load_config(path, interpolate=True)
    assert config["naive"]["corpora"]["train"]["augmenter"]
    assert config["joint"]["corpora"]["train"]["augmenter"] is None
    length = training_length(sum(len(doc) for doc in [*docs, *without]))
    training = config["joint"]["training"]
    assert training["max_steps"] == length["max_steps"]
    assert training["optimizer"]["learn_rate"]["total_steps"] == length["max_steps"]


@pytest.mark.parametrize("method", ["extendner", "nlp-rehearse", "new-rows"])
def test_benchmarks_method_is_a_config_that_spacy_loads(base, step, tmp_path, method):
    from benchmarks import rivals  # noqa: F401

    write_config(method, base, step, tmp_path / "method.cfg", seed=3)
    config = spacy.util.load_config(tmp_path / "method.cfg", interpolate=True)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    assert nlp.pipe_names == ["rehearsal", "ner"]


@pytest.fixture(scope="module")
def gadget_expert(tmp_path_factory):
    return train_base(NER, tmp_path_factory.mktemp("gadget") / "e", labels=("GADGET",))


def initialized(method, base, corpus, step, folder):
    from benchmarks import rivals  # noqa: F401

    write_config(method, base, step, folder / "method.cfg", seed=3)
    config = spacy.util.load_config(folder / "method.cfg", interpolate=False)
    pool = config["initialize"]["components"]["rehearsal"]["pool"]
    pool["path"] = str(corpus / "pool.jsonl")
    return init_nlp(config)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["base", "shared_base"])
def test_benchmarks_extendner_holds_the_student_where_the_teacher_is(
    request, corpus, step, tmp_path, workdir, kind
):
    base = request.getfixturevalue(kind)
    nlp = initialized("extendner", base, corpus, step, tmp_path)
    rehearsal = nlp.get_pipe("rehearsal")
    examples = list(Corpus(step.folder / "train.spacy")(nlp))
    rehearsal._rehearse(rehearsal.session, examples, 0.0)
    nodes = list(nlp.get_pipe("ner").model.walk())
    assert all(
        abs(node.get_grad(name)).max() < 1e-4
        for node in nodes
        for name in node.grad_names
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", ["nlp-rehearse", "extendner"])
def test_benchmarks_rivals_learn(base, corpus, step, tmp_path, workdir, method):
    nlp = initialized(method, base, corpus, step, tmp_path)
    before, losses = parameter_digests(nlp.get_pipe("ner")), {}
    optimizer = Adam(0.01)
    examples = list(Corpus(step.folder / "train.spacy")(nlp))
    nlp.update(examples, losses=losses, sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    assert losses["ner"] > 0 and losses["rehearsal"] > 0
    assert parameter_digests(nlp.get_pipe("ner")) != before


@pytest.mark.parametrize("method", TWO_PIPES)
def test_benchmarks_two_pipes_the_first_wins(base, gadget_expert, method):
    nlp = two_pipes(base, gadget_expert, method)
    assert nlp.pipe_names == (
        ["ner", "expert_1"] if "base-first" in method else ["expert_1", "ner"]
    )
    alone = entities_f(load_pipeline(str(base), "base", "base"), ("PERSON", "ORG"))
    if "base-first" in method:
        assert entities_f(nlp, ("PERSON", "ORG")) == alone
    assert entities_f(nlp, ("GADGET",)) > 0.5


def test_benchmarks_each_step_adds_a_pipe(base, gadget_expert, tmp_path):
    two_pipes(base, gadget_expert, TWO_PIPES[0]).to_disk(tmp_path)
    nlp = two_pipes(tmp_path, gadget_expert, TWO_PIPES[0])
    assert nlp.pipe_names == ["ner", "expert_1", "expert_2"]


def test_benchmarks_experts_are_compared_with_the_truth(monkeypatch):
    nlp = spacy.blank("xx")
    doc = nlp("Zoomer and Pixo and Vibe")
    doc.ents = [Span(doc, i, i + 1, "GADGET") for i in (0, 2, 4)]
    zoomer, pixo, wrong = [
        (doc[i].idx, doc[i].idx + len(doc[i]), "GADGET") for i in (0, 2, 1)
    ]
    one = Expert(nlp, ["ner"], PRFScore(tp=3, fp=1), 1)
    other = Expert(nlp, ["ner"], PRFScore(tp=1, fp=1), 1)
    said = {0.75: [zoomer, pixo], 0.5: [zoomer, wrong]}
    monkeypatch.setattr(
        experts, "find_alone", lambda x, texts, labels: [said[x.score.precision]]
    )
    monkeypatch.setattr(
        experts, "find", lambda *args: [Findings([zoomer], [pixo, wrong])]
    )
    told = experts._compare([one, other], [doc], ["GADGET"])
    assert told == pytest.approx([(0.75 + 0.5) / 2, (1 + 0.5) / 2, 1.0, 1 / 3, 2 / 3])


def test_benchmarks_interval_says_what_seeds_that_share_a_test_part_cannot(
    base, gadget_expert, step, tmp_path, monkeypatch, capsys
):
    """Here, one method finds no gadget, the other does."""
    plan = Suite(base, (), [step])
    monkeypatch.setitem(interval.SUITES, "gadgets", lambda shared, work: plan)
    shutil.copy(step.folder / "dev.spacy", step.folder / "test.spacy")
    for method, student in (("none", base), ("naive", gadget_expert)):
        for seed in (0, 1):
            run = tmp_path / "gadgets" / "runs" / f"{method}-{seed}" / "0"
            shutil.copytree(student, run)
    told = tmp_path / "intervals.json"
    folders = {"shared": tmp_path, "work": tmp_path, "output": told}
    interval.main("gadgets", **folders, method="naive", rivals="none,naive,absent")
    rows = json.loads(told.read_text())["gadgets"]
    assert list(rows) == ["none → naive", "naive → naive"]
    assert rows["naive → naive"] == [0.0, 0.0, 0.0]
    change, low, high = rows["none → naive"]
    assert 0 < low <= change <= high <= 100
    assert "2 and 2 seeds" in capsys.readouterr().out


def test_benchmarks_interval_draws_seeds_too():
    right, wrong = [(1, 0, 0)] * 20, [(0, 1, 1)] * 20
    alike = numpy.array([right[:10] + wrong[:10]] * 2)
    unlike = numpy.array([right, wrong])
    assert interval.interval(alike, alike) == (0.0, 0.0)
    low, high = interval.interval(alike, unlike)
    assert low < -0.3 and high > 0.3  # both, or none, of the good seed
