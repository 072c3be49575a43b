"""What is saved needs no plugin, and tells nothing of the pool."""

import subprocess
import sys

import pytest
import spacy
import srsly
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.training import Example
from spacy.util import load_config

from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.export import plain_config, plain_performance

from .test_component import initialized
from .util import quick_config, tag

# As if spacy-rehearse were not installed: no import, and none of its entry points.
WITHOUT_PLUGIN = """
import sys
from importlib import metadata
sys.modules["spacy_rehearse"] = None
find_all = metadata.distributions
metadata.distributions = lambda **by: (
    d for d in find_all(**by) if "rehearse" not in d.metadata["Name"]
)
import spacy
assert "rehearsal" not in spacy.registry._entry_point_factories.get_all()
"""


def run_without_plugin(code, cwd):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PLUGIN + code],
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(base, corpus, tmp_path_factory):
    """A trained pipeline: the folder of model-best, and the run's output folder."""
    folder = tmp_path_factory.mktemp("export")
    words = [f"qzx{a}{b}vw" for a in "abcdefghij" for b in "klmnopqrst"]
    lines = [f"{w} met mister Bob Lind {w}ed {w[::-1]} {w}ing\n" for w in words]
    (folder / "more.txt").write_text("".join(lines), encoding="utf8")
    config = quick_config(
        base,
        corpus,
        folder / "c.cfg",
        paths__pool=[str(corpus / "pool.jsonl"), str(folder / "more.txt")],
        initialize__components__rehearsal__cache=str(folder / "cache"),
    )
    train(config, folder / "out")
    return folder / "out" / "model-best"


@pytest.mark.slow
def test_export_loads_and_predicts_without_the_plugin(exported, tmp_path):
    code = f"""
nlp = spacy.load({str(exported)!r})
print(nlp.pipe_names, [e.label_ for e in nlp("the firm Acme Corp rain .").ents])
assert "spacy_rehearse" not in [m for m in sys.modules if sys.modules[m]]
"""
    assert run_without_plugin(code, tmp_path).strip() == "['ner'] ['ORG']"


@pytest.mark.slow
def test_export_trains_further_on_its_own_config_without_the_plugin(exported, tmp_path):
    code = f"""
from spacy.cli.train import train
train({str(exported / "config.cfg")!r}, "out", overrides={{"training.max_steps": 10,
    "training.eval_frequency": 5}})
spacy.load("out/model-last")
"""
    run_without_plugin(code, tmp_path)
    assert (tmp_path / "out" / "model-last" / "meta.json").exists()


@pytest.mark.slow
def test_export_packages_without_the_plugin(exported, tmp_path):
    code = f"""
from pathlib import Path
from spacy.cli.package import package
package(Path({str(exported)!r}), Path("."), create_sdist=False, silent=True)
"""
    run_without_plugin(code, tmp_path)
    folder = tmp_path / "xx_tiny-1.2.3"
    meta = srsly.read_json(folder / "meta.json")
    assert not [name for name in meta["requirements"] if "rehearse" in name]
    assert "rehearse" not in (folder / "setup.py").read_text()


def test_export_config_names_neither_plugin_nor_pool_nor_teacher(exported, base):
    text = (exported / "config.cfg").read_text()
    for word in ("rehears", "more.txt", "pool", str(base)):
        assert word not in text
    config = spacy.load(exported).config
    assert config["training"]["score_weights"]["ents_f"] == 1.0
    assert config["training"]["before_to_disk"] is None


def test_export_meta_is_the_bases_with_an_account_of_the_training(exported):
    meta = srsly.read_json(exported / "meta.json")
    assert (meta["name"], meta["version"], meta["license"]) == ("tiny", "1.2.3", "CC0")
    assert meta["labels"]["ner"] == ["GADGET", "ORG", "PERSON"]
    about = meta["spacy_rehearse"]
    assert about["teacher"]["name"] == "xx_tiny"
    assert about["teacher"]["version"] == "1.2.3"
    assert len(about["teacher"]["fingerprint"]) == 64
    assert about["pool"]["texts"] == 250 and len(about["pool"]["sha256"]) == 64
    assert about["settings"]["ratio"] == 1.0
    assert about["settings"]["soft"] == 0.0  # beside a column, old scores stay
    assert about["labels"] == ["GADGET"]
    assert about["gold"]["filled"] > 0 and about["gold"]["misaligned"] == 0
    assert about["scores"]["rehearsal_score"] > 0.5
    # ents_f on a dev set that marks GADGET alone would mislead.
    assert not [key for key in meta["performance"] if key.startswith("ents_")]
    assert "rehearsal_new_f" in meta["performance"]
    assert [x for x in meta["performance"] if x.endswith("_loss")] == ["ner_loss"]


def test_export_words_of_the_pool_are_not_shipped(exported):
    strings = srsly.read_json(exported / "vocab" / "strings.json")
    assert "Bob" in strings
    assert not [s for s in strings if "qzx" in s or "xzq" in s]
    for file in exported.rglob("*"):
        if file.is_file():
            assert b"qzx" not in file.read_bytes()


def test_export_config_is_whole_whatever_variables_it_is_made_of(
    base, corpus, tmp_path
):
    own = spacy.load(base).config
    own["vars"] = {"a": 1}
    made = load_config(quick_config(base, corpus, tmp_path / "v.cfg"))
    made["paths"].update(
        {"my-root": str(corpus), "train": "${paths.my-root}/train.spacy"}
    )
    own["initialize"]["components"] = {
        "ner": {"labels": ["X"]},
        "tagger": {"a": "${vars.a}"},
    }
    plain = plain_config(made, own, "ner")
    assert plain["initialize"]["components"] == {"tagger": {"a": 1}}
    assert set(plain["paths"]) == {"my-root", "train", "dev", "base"}
    told = plain.interpolate()
    assert told["corpora"]["train"]["path"] == f"{corpus}/train.spacy"


def test_export_says_nothing_of_pipes_that_are_not_saved(shared_base, corpus, tmp_path):
    nlp = spacy.load(shared_base)
    nlp.config["training"]["frozen_components"] = ["tagger", "tok2vec"]
    nlp.config["training"]["annotating_components"] = ["tok2vec"]
    nlp.config["training"]["score_weights"] = {"tag_acc": 0.5, "ents_f": 0.5, "me": 0.1}
    nlp.to_disk(tmp_path / "base")
    nlp, _ = initialized(tmp_path / "base", corpus, column=None)
    nlp.remove_pipe("tagger")
    told = create_export_v1()(nlp).config["training"]
    assert told["frozen_components"] == ["tok2vec"]
    weights = told["score_weights"]
    assert weights["ents_f"] and weights["me"] and "tag_acc" not in weights


def test_export_keeps_the_live_pipeline_in_training(base, corpus):
    from spacy_rehearse.callbacks import create_export_v1

    from .test_component import initialized

    nlp, examples = initialized(base, corpus)
    plain = create_export_v1(version="2.0.0")(nlp)
    assert plain.pipe_names == ["ner"] and nlp.pipe_names == ["rehearsal", "ner"]
    assert plain.meta["version"] == "2.0.0" and nlp.meta["version"] == "1.2.3"
    nlp.update(examples[:4], sgd=False)
    assert "rehearsal" in nlp.config["components"]


def test_export_hands_the_plain_pipeline_to_a_callback_of_the_users(base, corpus):
    def also(nlp):
        seen.append(nlp.pipe_names)
        nlp.meta["author"] = "me"
        return nlp

    seen = []
    nlp, _ = initialized(base, corpus)
    assert create_export_v1(also=also)(nlp).meta["author"] == "me"
    assert seen == [["ner"]] and nlp.meta["author"] != "me"


def test_export_keeps_what_else_the_base_requires(base, corpus, tmp_path):
    nlp = spacy.load(base)
    nlp.meta["requirements"] = [
        "spacy>=3.8,<3.9",
        "spacy-foo>=1",
        "spacy_rehearse>=0.1.0",
        "jieba",
    ]
    nlp.to_disk(tmp_path / "base")
    nlp, _ = initialized(tmp_path / "base", corpus)
    assert create_export_v1()(nlp).meta["requirements"] == ["spacy-foo>=1", "jieba"]


def test_export_tells_what_a_loop_of_ones_own_measured_and_not_the_base(
    base, corpus, tmp_path
):
    nlp = spacy.load(base)
    nlp.meta["performance"] = {"rehearsal_new_f": 1.0, "ents_f": 0.9, "ner_loss": 5.0}
    nlp.to_disk(tmp_path / "base")
    nlp, examples = initialized(tmp_path / "base", corpus)
    assert create_export_v1()(nlp).meta["performance"] == {}
    nlp.evaluate(examples)
    scores = nlp.get_pipe("rehearsal").scores
    told = create_export_v1()(nlp).meta["performance"]
    assert told == {key: x for key, x in scores.items() if x is not None}
    assert told["rehearsal_new_f"] == 0.0 and told["rehearsal_retention"] == 1.0


def test_export_tells_of_all_entities_where_dev_marks_all(base, corpus):
    told = {"ents_f": 0.5, "rehearsal_new_f": 0.5}
    nlp, _ = initialized(base, corpus)
    session = nlp.get_pipe("rehearsal").session
    assert "ents_f" not in plain_performance(told, nlp, session, told)
    session.labels += session.old_labels  # all of the base's are corrected
    assert "ents_f" in plain_performance(told, nlp, session, told)


def test_export_without_the_component_says_so(base):
    from spacy_rehearse.callbacks import create_export_v1

    with pytest.raises(ValueError, match="found no initialized rehearsal component"):
        create_export_v1()(spacy.load(base))


@pytest.mark.slow
def test_export_drops_scores_that_spacy_fills_in(shared_base, corpus, workdir):
    nlp = spacy.load(shared_base)
    cats = nlp.add_pipe("textcat")
    for label in ("X", "Y"):
        cats.add_label(label)
    doc = nlp.make_doc("a")
    cats.initialize(lambda: [Example(doc, doc)])
    nlp.meta["performance"] = {"tag_acc": 0.9, "ents_f": 0.8}  # dev gives others
    nlp.to_disk("base")
    dev = DocBin().from_disk(corpus / "dev.spacy").get_docs(nlp.vocab)
    DocBin(docs=map(tag, dev)).to_disk("dev.spacy")  # all tags, or one, as of sentences
    given = {"paths__dev": "dev.spacy", "training__max_steps": 20}
    train(quick_config("base", corpus, "c.cfg", **given), "out")
    performance = srsly.read_json("out/model-last/meta.json")["performance"]
    assert performance["tag_acc"] == 0.9  # the tagger is the base's
    assert "ents_f" not in performance and "cats_f_per_type" not in performance
    assert "rehearsal_retention" in performance
