from collections import Counter

import numpy
import pytest
import spacy
from spacy.cli.debug_data import debug_data
from spacy.cli.train import train
from spacy.tokens import DocBin
from spacy.util import load_config, registry
from typer.testing import CliRunner

from spacy_rehearse import init_config, recipe
from spacy_rehearse.cli import rehearse_cli
from spacy_rehearse.cli._comments import with_comments
from spacy_rehearse.init_config import make_config, read_gold_of
from spacy_rehearse.teacher import BATCH_SIZE, load_teacher, predict_entities

from .util import make_docs, make_texts, quick_config, train_base, with_embedding


def config_for(base, corpus, **settings):
    return make_config(
        str(base),
        **{
            "train": corpus / "train.spacy",
            "dev": corpus / "dev.spacy",
            "pool": [corpus / "pool.jsonl"],
            **settings,
        },
    )


def test_init_config_thins_gold_where_dev_has_far_more(base, corpus, tmp_path):
    nlp = spacy.blank("xx")
    docs = DocBin().from_disk(corpus / "train.spacy").get_docs(nlp.vocab)
    marked = [doc for doc in docs if any(e.label_ == "GADGET" for e in doc.ents)]
    silent = [nlp.make_doc(f"nothing happens, {i}") for i in range(6 * len(marked))]
    gold, dense = tmp_path / "gold.spacy", tmp_path / "dense.spacy"
    DocBin(docs=marked + silent).to_disk(gold)
    DocBin(docs=marked).to_disk(dense)
    thinners = [
        config_for(base, corpus, train=gold, dev=dev, labels=["GADGET"])["corpora"][
            "train"
        ]["augmenter"]
        for dev in (gold, dense)
    ]
    assert thinners[0] is None
    assert thinners[1]["keep"] == 0.5  # three of the six for each


def test_init_config_holds_half_out_where_dev_stands_for_the_pool(base, corpus):
    again = f"../{corpus.name}/dev.spacy"
    for pool, share in (("pool.jsonl", 0.1), ("dev.spacy", 0.5), (again, 0.5)):
        config = config_for(base, corpus, pool=[corpus / pool])
        told = config["initialize"]["components"]["rehearsal"]
        assert told["heldout"] == share


def test_init_config_is_complete_and_reads_back(base, corpus, tmp_path):
    config = config_for(base, corpus, labels=["GADGET"])
    gold = recipe.measure_gold(read_gold_of(config))
    text = with_comments(config, config_path="c.cfg", gold=gold)
    (tmp_path / "c.cfg").write_text(text)
    read = load_config(tmp_path / "c.cfg")
    assert read == config
    assert text.count("# ") > 10 and "spacy train c.cfg" in text
    assert text.index("[paths]") < text.index("[nlp]") < text.index("[training]")
    assert read["initialize"]["components"]["rehearsal"]["labels"] == ["GADGET"]
    filled = spacy.blank("xx").config.merge(read)
    assert filled["training"]["batcher"]["size"] == recipe.GOLD_WORDS


def test_init_config_freezes_siblings_and_hides_their_scores(shared_base, corpus):
    config = config_for(shared_base, corpus)
    assert config["nlp"]["pipeline"] == ["rehearsal", "tok2vec", "tagger", "ner"]
    assert config["training"]["frozen_components"] == ["tok2vec", "tagger"]
    assert config["training"]["annotating_components"] == ["tok2vec"]
    assert config["components"]["ner"] == {"source": "${paths.base}"}
    weights = config["training"]["score_weights"]
    assert weights["tag_acc"] is None and weights["rehearsal_score"] == 1.0
    assert weights["ents_f"] == 0.0


@pytest.mark.parametrize("name", ["mine", "rehearsal"])
def test_init_config_of_a_base_that_was_saved_without_the_export(
    base, corpus, tmp_path, workdir, name
):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True, name=name)
    nlp.to_disk(tmp_path / "mine")
    args = ["init-config", "my config.cfg", "--base", str(tmp_path / "mine")]
    for part in ("train", "dev", "pool"):
        (path,) = corpus.glob(f"{part}.*")
        args += [f"--{part}", str(path)]
    done = CliRunner().invoke(rehearse_cli, args)
    assert done.exit_code == 0 and "train 'my config.cfg' --out" in done.output
    assert "train 'my config.cfg' --out" in (workdir / "my config.cfg").read_text()
    config = load_config(workdir / "my config.cfg")
    assert config["nlp"]["pipeline"] == ["rehearsal", "ner"]
    assert set(config["components"]) == {"rehearsal", "ner"}
    checked = CliRunner().invoke(rehearse_cli, ["check", "my config.cfg"])
    assert checked.exit_code == 0, checked.output
    for advice in ("will change", "checkpoint is chosen by"):
        assert advice not in checked.output


@pytest.mark.filterwarnings("ignore:no checkpoint scored above 0")
def test_init_config_runs_what_the_recogniser_was_trained_to_read(
    corpus, tmp_path, workdir
):
    base = train_base(with_embedding(["NORM", "TAG"], None), tmp_path / "untagged")
    nlp = spacy.load(base)
    ruler = nlp.add_pipe("attribute_ruler", first=True)
    ruler.add([[{"IS_LOWER": True}]], {"TAG": "X"})
    nlp.config["training"]["annotating_components"] = ["attribute_ruler"]
    nlp.to_disk(base)
    texts = [text for text, _ in make_texts(60, (), seed=9)]
    real = [[e.label_ for e in doc.ents] for doc in nlp.pipe(texts)]
    teacher = load_teacher(str(base), "ner")
    said = predict_entities(teacher.nlp, teacher.pipes, texts)
    assert [[label for *_, label in entities] for entities in said] == real
    assert [list(x) for x in said] != [
        list(x) for x in predict_entities(teacher.nlp, ("ner",), texts)
    ]
    quick_config(base, corpus, workdir / "config.cfg", training__max_steps=10)
    config = load_config("config.cfg")
    assert config["training"]["annotating_components"] == ["attribute_ruler"]
    train("config.cfg", "out")  # it would stop if student and teacher differed
    with pytest.warns(UserWarning, match="Add them to .training. annotating_comp"):
        train("config.cfg", "out", overrides={"training.annotating_components": []})


def test_init_config_runs_what_annotating_components_listen_to(
    shared_base, corpus, tmp_path
):
    nlp = spacy.load(shared_base)
    nlp.config["training"]["annotating_components"] = ["tok2vec", "tagger"]
    nlp.to_disk(tmp_path / "base")
    for column in (True, False):
        config = config_for(tmp_path / "base", corpus, column=column)
        told = config["training"]["annotating_components"]
        assert told == ["tok2vec", "tagger"]
    assert config["components"]["ner"]["replace_listeners"] == ["model.tok2vec"]
    teacher = load_teacher(str(tmp_path / "base"), "ner")
    assert teacher.pipes == ("tok2vec", "tagger", "ner")


def test_init_config_naive_training_has_its_own_embeddings(shared_base, corpus):
    config = config_for(shared_base, corpus, pool=None)
    assert config["components"]["ner"]["replace_listeners"] == ["model.tok2vec"]
    assert "replace_listeners" not in config["components"]["tagger"]


def test_init_config_without_listeners_replaces_none(base, corpus):
    config = config_for(base, corpus)
    assert config["components"]["ner"] == {"source": "${paths.base}"}
    assert config["initialize"]["vectors"] is None


def test_init_config_vectors_where_the_base_has_them(corpus, tmp_path, base):
    nlp = spacy.load(base)
    nlp.vocab.set_vector("Acme", numpy.ones(2, dtype="f"))
    nlp.to_disk(tmp_path / "vectors")
    config = config_for(tmp_path / "vectors", corpus)
    assert config["initialize"]["vectors"] == "${paths.base}"


def test_init_config_gpu_and_several_pools(base, corpus, monkeypatch):
    config = config_for(base, corpus, gpu=True, pool=[corpus / "pool.jsonl", corpus])
    assert config["system"]["gpu_allocator"] is None  # PyTorch may not be there
    assert len(config["paths"]["pool"]) == 2
    monkeypatch.setattr(init_config, "has_transformer", lambda *_: True)
    config = config_for(base, corpus, gpu=True)
    assert config["system"]["gpu_allocator"] == "pytorch"


def test_init_config_dev_has_to_mark_a_new_label(base, tmp_path):
    nlp = spacy.blank("xx")
    for name, labels in (("train", ("GADGET", "PERSON")), ("dev", ("PERSON",))):
        docs = make_docs(nlp, 20, labels, seed=1)
        DocBin(docs=docs).to_disk(tmp_path / f"{name}.spacy")
    with pytest.raises(ValueError, match=r"labels of the gold \(GADGET\), only PERSON"):
        config_for(base, tmp_path)


def test_init_config_naive_has_no_trace_of_rehearsal(base, corpus):
    config = config_for(base, corpus, pool=None)
    assert "rehears" not in str(config)
    assert config["training"]["score_weights"]["ents_f"] == 1.0


def test_init_config_component_that_the_base_lacks(base, corpus):
    with pytest.raises(ValueError, match="has no component 'entities', only"):
        config_for(base, corpus, component="entities")


def test_init_config_trains_longer_where_the_base_hides_the_new_label(
    shared_base, corpus, monkeypatch
):
    monkeypatch.setattr(recipe, "SMALL_GOLD", 0)
    steps = []
    for share in (0.0, 0.2):
        monkeypatch.setattr(init_config, "share_hidden", lambda *args, x=share: x)
        steps.append(config_for(shared_base, corpus)["training"]["max_steps"])
    assert steps == [recipe.FEWEST_STEPS, recipe.MORE_STEPS]


def test_init_config_takes_over_what_the_bases_nlp_block_calls(base, corpus, tmp_path):
    nlp = spacy.load(base)
    config = nlp.config
    for key in ("before_creation", "after_creation", "after_pipeline_creation"):
        config["nlp"][key] = {"@callbacks": "test.nothing.v1", "name": key}
    nlp.config = config
    registry.callbacks.register("test.nothing.v1", func=lambda name: lambda nlp: nlp)
    nlp.to_disk(tmp_path / "own")
    made = config_for(tmp_path / "own", corpus)["nlp"]
    assert made["after_creation"]["name"] == "after_creation"
    assert made["before_creation"] and made["after_pipeline_creation"]


def test_init_config_lets_a_column_predict_in_batches_that_are_cleared_sooner(
    base, corpus, tmp_path
):
    """As spaCy's own trained pipelines do. A size that someone chose stays."""
    assert spacy.load(base).batch_size == 1000
    assert config_for(base, corpus)["nlp"]["batch_size"] == BATCH_SIZE
    in_place = config_for(base, corpus, column=False)
    assert in_place["nlp"]["batch_size"] == 1000
    chosen = spacy.load(base, config={"nlp": {"batch_size": 7}})
    chosen.to_disk(tmp_path / "own")
    assert config_for(tmp_path / "own", corpus)["nlp"]["batch_size"] == 7


def test_init_config_trains_longer_where_a_label_is_corrected(
    base, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(recipe, "SMALL_GOLD", 0)
    docs = make_docs(spacy.blank("xx"), 30, ("ORG",), seed=3)
    DocBin(docs=docs).to_disk(tmp_path / "org.spacy")
    path = tmp_path / "org.spacy"
    made = make_config(str(base), train=path, dev=path, pool=[path], labels=["ORG"])
    assert made["training"]["max_steps"] == recipe.MORE_STEPS


@pytest.mark.parametrize("n_words", [100, 5_000, 60_000, 10**8])
def test_init_config_training_length_grows_with_the_gold(n_words):
    length = recipe.training_length(n_words)
    assert recipe.FEWEST_STEPS <= length["max_steps"] <= recipe.MOST_STEPS + 2000
    assert length["max_steps"] % length["eval_frequency"] == 0
    assert length["patience"] == length["max_steps"]  # the rate has to reach 0
    is_small = n_words < recipe.SMALL_GOLD
    n_evaluations = length["max_steps"] / length["eval_frequency"]
    assert 8 <= n_evaluations <= (40 if is_small else 14)
    assert (length["max_steps"] >= recipe.MORE_STEPS) == (is_small or n_words > 60_000)


def test_init_config_halves_the_rate_where_a_column_is_a_copy(
    base, shared_base, corpus, monkeypatch
):
    def rate(path):
        config = config_for(path, corpus)
        return config["training"]["optimizer"]["learn_rate"]["initial_rate"]

    assert rate(base) == recipe.COPY_LEARN_RATE
    assert rate(shared_base) == recipe.COLUMN_LEARN_RATE
    monkeypatch.setattr(recipe, "COPIED_GOLD", 0)
    assert rate(base) == recipe.COPY_LEARN_RATE  # it has few entities
    monkeypatch.setattr(recipe, "COPIED_ENTITIES", 0)
    assert rate(base) == recipe.COLUMN_LEARN_RATE


def test_init_config_trains_longer_on_small_gold_but_scores_as_often():
    longer = recipe.training_length(recipe.SMALL_GOLD - 1)
    shorter = recipe.training_length(recipe.SMALL_GOLD)
    assert longer["max_steps"] == recipe.MORE_STEPS > shorter["max_steps"]
    assert longer["eval_frequency"] == shorter["eval_frequency"]
    assert recipe.training_length(100, transformer=True) == shorter
    assert recipe.training_length(recipe.SMALL_GOLD, copy=True) == longer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # spaCy's own command warns of small data
def test_init_config_passes_spacys_own_checks(shared_base, corpus, workdir, capsys):
    config_for(shared_base, corpus).to_disk(workdir / "c.cfg")
    debug_data(workdir / "c.cfg", silent=True)
    assert (workdir / ".rehearsal_cache" / ".gitignore").exists()


@pytest.mark.parametrize(
    "n_words, n_entities, passes, dropout, pulled",
    [
        (1_000, 60, 12, 0.2, True),
        (47_000, 348, 3, 0.2, True),  # rare in much text
        (19_999, 499, 6, 0.2, True),
        (50_000, 876, 2, 0.1, False),
    ],
)
def test_init_config_little_gold_is_held_back(
    n_words, n_entities, passes, dropout, pulled
):
    labels = Counter({"ORG": 10_000, "GADGET": n_entities})
    gold = recipe.GoldSize(100, n_words, labels).only(["GADGET"])
    assert recipe.expert_settings(gold)["max_passes"] == passes
    assert recipe.dropout(gold) == dropout
    assert ("l2sp" in recipe.regularizers(gold)) == pulled
