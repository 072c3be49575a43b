"""Each mistake has its own error: early, naming the value and what to change."""

import json
import re
import shutil
from collections import Counter

import pytest
import spacy
from spacy.tokens import Doc
from spacy.training import Corpus, Example
from spacy.util import load_config

from spacy_rehearse import silver
from spacy_rehearse.cache import SilverCache
from spacy_rehearse.checks import check_entities, check_output
from spacy_rehearse.column import add_column
from spacy_rehearse.corpus import create_raw_text_v1
from spacy_rehearse.gold import CORPUS, check_dev_exists, resolve_labels
from spacy_rehearse.labelling import count_texts, label_pool, made_by
from spacy_rehearse.silver import SHARD_SIZE, read_shard
from spacy_rehearse.teacher import load_teacher

from .util import (
    NER,
    SHARED,
    initialize,
    make_docs,
    make_texts,
    quick_config,
    train_base,
    with_embedding,
)


@pytest.fixture
def attempt(base, corpus, monkeypatch):
    """Initialize with one thing wrong; nothing must be annotated by then."""

    def attempt(nlp=None, *, annotates=False, examples=None, **wrong):
        if not annotates:
            monkeypatch.setattr(silver, "annotate_batch", None)
        nlp = nlp or spacy.load(base)
        if "rehearsal" not in nlp.pipe_names:
            config = {key: wrong.pop(key) for key in ("ratio", "soft") if key in wrong}
            nlp.add_pipe("rehearsal", first=True, config=config)
        settings = {
            "teacher": str(base),
            "pool": create_raw_text_v1(corpus / "pool.jsonl"),
            "cache": None,
            **wrong,
        }
        read = Corpus(corpus / "train.spacy")
        get_examples = examples or (lambda: list(read(nlp)))
        nlp.get_pipe("rehearsal").initialize(get_examples, nlp=nlp, **settings)

    return attempt


@pytest.mark.parametrize(
    "wrong,words",
    [
        ({"teacher": "no_such_model"}, "can't find the teacher 'no_such_model'"),
        ({"labels": ["GADGIT"]}, r"\['GADGIT'\] never occur in the gold"),
        ({"ratio": -0.5}, r"ratio is -0.5"),
        ({"soft": -1.0}, r"soft is -1.0"),
        ({"heldout": 1.5}, r"heldout is 1.5"),
        ({"cache": __file__}, r"cache is '.*', where nothing can be written"),
        (
            {"pool": create_raw_text_v1("nowhere.jsonl")},
            "'nowhere.jsonl' does not exist",
        ),
        ({"pool": lambda nlp: iter(())}, "the pool is empty"),
        ({"pool": ["A text."]}, "pool is a list, not a reader"),
        ({"pool": create_raw_text_v1("")}, "the path of the pool is empty"),
        ({"pool": lambda nlp: [None]}, "gives NoneType, not str"),
    ],
)
def test_bad_settings(attempt, wrong, words):
    with pytest.raises(ValueError, match=words):
        attempt(**wrong)


def test_bad_dev_set_shows_before_anything_is_annotated(attempt, base):
    nlp = spacy.load(base)
    config = nlp.config
    config["corpora"]["dev"]["path"] = "nowhere.spacy"
    nlp.config = config
    with pytest.raises(ValueError, match="'nowhere.spacy' does not exist: set --paths"):
        attempt(nlp)


def test_bad_path_of_dev_is_no_mistake_where_another_reader_reads_it():
    block = {"@readers": "mine.Glob.v1", "path": "corpus/dev*.spacy"}
    config = {"corpora": {"dev": block}, "training": {"dev_corpus": "corpora.dev"}}
    check_dev_exists(config)
    with pytest.raises(ValueError, match="does not exist"):
        check_dev_exists({**config, "corpora": {"dev": {**block, "@readers": CORPUS}}})


def test_bad_teacher_that_is_the_folder_of_a_training(attempt, base, tmp_path):
    shutil.copytree(base, tmp_path / "out" / "model-best")
    with pytest.raises(ValueError, match="is the output of a training: set .*best"):
        attempt(teacher=str(tmp_path / "out"))


def test_bad_gold_without_an_entity_is_not_said_to_hold_old_labels():
    with pytest.raises(ValueError, match="no entity is marked in the gold"):
        resolve_labels(None, Counter(), ("ORG",))


def test_bad_pool_empty_after_filtering(attempt, corpus):
    pool = create_raw_text_v1(corpus / "pool.jsonl", min_length=1999)
    with pytest.raises(
        ValueError, match=r"no text in .*pool\.jsonl of min_length \(1999\)"
    ):
        attempt(pool=pool)


def test_bad_pool_invalid_line_shows_before_anything_is_annotated(attempt, tmp_path):
    pool = tmp_path / "pool.jsonl"
    pool.write_text('{"text": "the doctor Ana Ruiz"}\n' * 999 + "{oops\n")
    with pytest.raises(ValueError, match="line 1000: invalid JSON"):
        attempt(pool=create_raw_text_v1(pool))


def test_bad_teacher_without_the_component(attempt, tmp_path):
    spacy.blank("xx").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="has no entity recogniser: its"):
        attempt(teacher=str(tmp_path / "blank"))
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner", name="entities")
    nlp.to_disk(tmp_path / "other")
    with pytest.raises(ValueError, match="has no component 'ner', only"):
        attempt(teacher=str(tmp_path / "other"))
    with pytest.raises(ValueError, match="holds no pipeline: it has no meta.json"):
        attempt(teacher=str(tmp_path))


def test_bad_teacher_of_which_a_file_is_lost(attempt, base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    (tmp_path / "base" / "ner" / "model").unlink()
    with pytest.raises(ValueError, match="can't be loaded: .*ner.model"):
        attempt(teacher=str(tmp_path / "base"))


def test_bad_source_with_other_weights_than_the_teachers(attempt, base):
    nlp = spacy.load(base)
    nlp.get_pipe("ner").model.get_ref("lower").get_param("b")[...] += 1
    with pytest.raises(ValueError, match="'ner' of the pipeline has other weights"):
        attempt(nlp)


def test_bad_layer_of_the_optimizer(attempt, base):
    nlp = spacy.load(base)
    nlp.config["training"]["optimizer"] = {
        "@optimizers": "spacy-rehearse.Discriminative.v1",
        "optimizer": {"@optimizers": "Adam.v1"},
        "multipliers": {"tok2vecc": 0.1},
    }
    with pytest.raises(ValueError, match="no layer is called 'tok2vecc'"):
        attempt(nlp)


@pytest.mark.parametrize("option", ["--output={}", "-o {}", "--output {} --code x.py"])
@pytest.mark.parametrize("name", ["model-best", "model-last"])
def test_bad_output_where_the_base_is(
    attempt, base, tmp_path, monkeypatch, option, name
):
    shutil.copytree(base, tmp_path / "out" / name)
    args = f"spacy train c.cfg {option.format(tmp_path / 'out')}".split()
    monkeypatch.setattr("sys.argv", args)
    with pytest.raises(ValueError, match="the training would delete it first"):
        attempt(teacher=str(tmp_path / "out" / name))
    check_output(str(tmp_path / "out"), args)
    check_output(str(tmp_path / "out" / name), [*args[:3], "-o", str(tmp_path)])
    check_output(str(tmp_path / "out" / name), ["pytest", "--output", str(tmp_path)])


def test_bad_teacher_whose_component_is_no_recogniser(attempt, tmp_path):
    nlp = spacy.blank("xx")
    nlp.add_pipe("entity_ruler", name="ner")
    nlp.to_disk(tmp_path / "ruler")
    with pytest.raises(ValueError, match="is a 'entity_ruler', not a trainable"):
        attempt(teacher=str(tmp_path / "ruler"))


def test_bad_gold_without_entities(attempt, base, corpus):
    docs = make_docs(spacy.load(base), 5, (), seed=1)
    examples = [Example(doc.copy(), doc) for doc in docs]
    with pytest.raises(ValueError, match="no entity in 5 texts"):
        attempt(examples=lambda: examples)


def test_bad_gold_without_a_new_label(attempt, base):
    docs = make_docs(spacy.load(base), 5, ("PERSON",), seed=1)
    examples = [Example(doc.copy(), doc) for doc in docs]
    with pytest.raises(ValueError, match="holds no new label"):
        attempt(examples=lambda: examples)


def test_bad_place_in_the_pipeline(attempt, base):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", last=True)
    with pytest.raises(
        ValueError, match="must stand first in .nlp. pipeline, before 'ner'"
    ):
        attempt(nlp)


def test_bad_two_of_them(attempt, base):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    nlp.add_pipe("rehearsal", name="again", last=True)
    with pytest.raises(
        ValueError, match=r"more than one rehearsal component: \['rehearsal', 'again'\]"
    ):
        attempt(nlp)


def test_bad_frozen_target(attempt, base):
    nlp = spacy.load(base)
    nlp.config["training"]["frozen_components"] = ["ner"]
    with pytest.raises(
        ValueError,
        match="'ner' learns the new labels, but stands in.*frozen_components",
    ):
        attempt(nlp)


def test_bad_recogniser_that_is_made_anew(attempt):
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner")
    with pytest.raises(
        ValueError, match=r"'ner' has no weights yet.*source = \$\{paths.base\}"
    ):
        attempt(nlp)


def without_vectors(base):
    nlp = spacy.blank("xx")
    nlp.vocab.strings.add("GADGET")
    with pytest.warns(UserWarning, match="W113"):
        nlp.add_pipe("ner", source=spacy.load(base))
    return nlp


def test_bad_vectors_of_the_base_are_not_set(attempt, vectors_base):
    with pytest.raises(
        ValueError, match=r"has 8 word vectors.*none \(0\).*vectors = \$\{paths.base\}"
    ):
        attempt(without_vectors(vectors_base), teacher=str(vectors_base))


class PairTokenizer:
    """Makes one token of two words."""

    def __init__(self, vocab):
        self.vocab = vocab

    def __call__(self, text):
        words = text.split(" ")
        pairs = [" ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
        spaces = [True] * (len(pairs) - 1) + [False]
        return Doc(self.vocab, words=pairs, spaces=spaces)


def test_bad_tokenizer_splits_the_teachers_texts_differently(attempt, base):
    nlp = spacy.load(base)
    nlp.tokenizer = PairTokenizer(nlp.vocab)
    words = r"splits the teacher's texts differently: \d+ of \d+ entities"
    with pytest.raises(ValueError, match=words):
        attempt(nlp, annotates=True)


def test_bad_teacher_that_finds_nothing(attempt, tmp_path):
    pool = tmp_path / "pool.txt"
    words = ["river", "snow", "table", "bread", "window", "music", "letter"]
    lines = [f"{a} {b} {c}\n" for a in words for b in words for c in words]
    pool.write_text("".join(lines))
    with pytest.raises(ValueError, match="the teacher finds no entity"):
        attempt(pool=create_raw_text_v1(pool), annotates=True)


def test_bad_pool_that_is_used_up_when_it_is_read_again(attempt):
    texts = iter([text for text, _ in make_texts(60, (), seed=9)])
    with pytest.raises(ValueError, match="gave 60 texts, and 0 when it was read again"):
        attempt(pool=lambda nlp: texts, annotates=True)


def test_bad_cache_of_a_teacher_whose_code_has_changed(base, corpus):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    session = initialize(nlp, base, corpus, examples).session
    session.heldout = [item._replace(entities=()) for item in session.heldout]
    with pytest.raises(ValueError, match="code that it needs.*has changed.*--clear"):
        nlp.update(examples[:8], sgd=False)


def test_bad_pool_without_what_is_to_be_kept():
    silver = [[(0, 4, "ORG")], []]
    check_entities(silver, {"ORG", "PERSON"})
    check_entities(silver, set())  # all is learnt anew
    with pytest.raises(ValueError, match=r"\['PERSON'\], in 2 held-out pool texts"):
        check_entities(silver, {"PERSON"})


def test_bad_tokenizer_shows_only_where_there_are_entities(base, tmp_path):
    made = make_texts(8, ("PERSON", "ORG"), seed=3)
    texts = ["the old red river"] * SHARD_SIZE + [text for text, _ in made]
    nlp, teacher = spacy.load(base), load_teacher(base, "ner")
    nlp.tokenizer = PairTokenizer(nlp.vocab)
    store = SilverCache(None, made_by(teacher))
    with pytest.raises(ValueError, match="splits the teacher's texts differently"):
        label_pool(texts, len(texts), nlp, teacher, store)


def test_bad_texts_without_a_token_are_left_out(base):
    """A recogniser that listens to a shared tok2vec can't read them."""
    nlp, teacher = spacy.load(base), load_teacher(base, "ner")
    texts, store = ["", "Ana met Bob .", ""], SilverCache(None, made_by(teacher))
    (shard,) = label_pool(texts, count_texts(texts), nlp, teacher, store)
    assert [x.text for x in read_shard(shard, teacher, store)] == ["Ana met Bob ."]
    with pytest.raises(ValueError, match="the pool is empty"):
        count_texts([""])


def test_bad_frozen_last_listener_would_stop_the_shared_tok2vec(attempt, tmp_path):
    config = SHARED.replace('["tok2vec","tagger","ner"]', '["tok2vec","ner","tagger"]')
    base = train_base(config, tmp_path / "base", n_updates=2)
    nlp = spacy.load(base)
    nlp.config["training"]["frozen_components"] = ["tagger"]
    with pytest.raises(ValueError, match="'tagger', the last component.*is frozen"):
        attempt(nlp, teacher=str(base))


@pytest.mark.slow
def test_bad_last_listener_without_gold_would_stop_the_shared_tok2vec(
    attempt, tmp_path
):
    config = SHARED.replace('["tok2vec","tagger","ner"]', '["tok2vec","ner","parser"]')
    config = config.replace("components.tagger", "components.parser")
    config = config.replace('factory = "tagger"', 'factory = "parser"')
    config = config.replace(
        '"spacy.Tagger.v2"',
        '"spacy.TransitionBasedParser.v2"\nstate_type = "parser"\n'
        "extra_state_tokens = false\nhidden_width = 32\nmaxout_pieces = 2\n"
        "use_upper = true",
    )
    nlp = spacy.util.load_model_from_config(
        spacy.util.Config().from_str(config), auto_fill=True
    )
    docs = make_docs(nlp, 30, ("PERSON", "ORG"), seed=1)
    for doc in docs:
        for token in doc:
            token.dep_ = "ROOT" if token.i == 0 else "dep"
            token.head = doc[0]
    nlp.initialize(lambda: [Example(nlp.make_doc(doc.text), doc) for doc in docs])
    nlp.to_disk(tmp_path / "base")
    with pytest.raises(
        ValueError,
        match="'parser', the last component.*finds no annotation in the gold",
    ):
        attempt(spacy.load(tmp_path / "base"), teacher=str(tmp_path / "base"))


def test_bad_frozen_tok2vec_that_does_not_annotate(attempt, shared_base):
    nlp = spacy.load(shared_base)
    nlp.config["training"]["frozen_components"] = ["tok2vec"]
    with pytest.raises(ValueError, match="add it to.*annotating_components"):
        attempt(nlp, teacher=str(shared_base))


def test_bad_listener_without_its_tok2vec(attempt, shared_base):
    nlp = spacy.blank("xx")
    nlp.add_pipe("ner", source=spacy.load(shared_base))
    match = r"listens to a shared tok2vec.*\[.rehearsal., .ner.\].*" + (
        r'replace_listeners = \["model.tok2vec"\] in \[components.ner\]'
    )
    with pytest.raises(ValueError, match=match):
        attempt(nlp, teacher=str(shared_base))


def test_bad_length_is_the_students_to_say(base):
    assert load_teacher(str(base), "ner").nlp.max_length == 1_000_000
    longer = load_teacher(str(base), "ner", max_length=2_000_000)
    assert longer.nlp.max_length == 2_000_000


def test_bad_replace_listeners_that_would_take_a_column_out_of_the_config(
    attempt, shared_base, tmp_path
):
    nlp = spacy.load(shared_base)
    nlp.get_pipe("ner").add_label("THING")
    add_column(nlp, "ner", ("THING",), width=8, depth=1, hidden=4)
    nlp.to_disk(tmp_path / "grown")
    right = "model.tok2vec.*.inputs.*.base"
    nlp = spacy.load(tmp_path / "grown")
    nlp.replace_listeners("tok2vec", "ner", [right])
    attempt(nlp, teacher=str(tmp_path / "grown"), annotates=True, expert=None)
    nlp = spacy.load(tmp_path / "grown")
    nlp.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    match = "two pipelines, name one. If not, replace_listeners.*" + re.escape(
        f"replace_listeners = {json.dumps([right])}"
    )
    with pytest.raises(ValueError, match=match):
        attempt(nlp, teacher=str(tmp_path / "grown"))


def test_bad_recogniser_that_is_disabled(base, corpus, tmp_path):
    nlp = spacy.load(base)
    nlp.add_pipe("sentencizer")
    for name in ("ner", "sentencizer"):
        nlp.disable_pipe(name)
    nlp.to_disk(tmp_path / "base")
    path = quick_config(tmp_path / "base", corpus, tmp_path / "config.cfg")
    assert load_config(path)["nlp"]["disabled"] == ["sentencizer"]
    with pytest.raises(ValueError, match=r"\['ner'\] can't learn.*\[nlp\] disabled"):
        first_update(nlp, base, corpus)


def first_update(nlp, base, corpus):
    nlp.add_pipe("rehearsal", first=True)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    initialize(nlp, base, corpus, examples)
    nlp.update(examples[:2], sgd=False)


@pytest.mark.slow
def test_bad_lookups_are_named_as_the_cause(corpus, tmp_path):
    base = train_base(with_embedding(["NORM"], None), tmp_path / "base", n_updates=20)
    teacher = spacy.load(base)
    words = "mister doctor firm company Ruiz Lind Marx Oz Berg Wong".split()
    teacher.vocab.lookups.add_table("lexeme_norm", {word: "river" for word in words})
    teacher.to_disk(tmp_path / "teacher")
    match = "lookups tables of the vocab.*vocab = "
    with pytest.raises(ValueError, match=match):
        first_update(spacy.load(base), tmp_path / "teacher", corpus)


@pytest.mark.slow
def test_bad_source_is_named_as_the_cause(corpus, tmp_path, base):
    other = train_base(NER, tmp_path / "other", n_updates=3)
    with pytest.raises(ValueError, match="other weights .*another pipeline"):
        first_update(spacy.load(other), base, corpus)


@pytest.mark.slow
def test_bad_tokenizer_that_changes_features_is_named_as_the_cause(corpus, base):
    nlp = spacy.load(base)
    for name in "Ana Bob Cleo Dina Emil Fay Acme Blue Core Delta Echo Fjord".split():
        pieces = [{"ORTH": name[:1]}, {"ORTH": name[1:]}]
        nlp.tokenizer.add_special_case(name, pieces)
    with pytest.raises(ValueError, match="The tokenizer differs"):
        first_update(nlp, base, corpus)
