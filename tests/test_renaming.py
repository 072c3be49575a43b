import random

import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, Span
from spacy.training import Corpus, Example
from spacy.vectors import Vectors

from spacy_rehearse import fitting, recipe
from spacy_rehearse.column import DEFAULT_COLUMN
from spacy_rehearse.recipe import (
    MADE_UP,
    NARROW,
    SHALLOW,
    SWAPPED,
    WIDE,
    shares_renamed,
)
from spacy_rehearse.renaming import Renamer, labels_of_names, share_of_new_names

from .test_component import initialized
from .util import initialize, make_docs, train_base, with_embedding

COLUMN = {"width": 16, "depth": 1, "hidden": 8}
COPY = {"copy": True}
LABELS = ("GADGET",)
NLP, OTHER = spacy.blank("xx"), spacy.blank("xx")  # of two vocabs


def gold(*names, vocab=None):
    vocab = vocab or NLP.vocab
    words = [word for name in names for word in ("the", *name.split())]
    doc = Doc(vocab, words=words)
    starts = [i + 1 for i, word in enumerate(words) if word == "the"]
    ends = [i - 1 for i in starts[1:]] + [len(doc)]
    doc.set_ents(
        [
            Span(doc, start, end, "GADGET")
            for start, end in zip(starts, ends, strict=True)
        ]
    )
    return doc


def renamer(made_up=1.0, swapped=0.0, docs=None, seed=0):
    docs = docs or make_docs(NLP, 20, LABELS, seed=1)
    shares = {"made_up": made_up, "swapped": swapped}
    return Renamer(docs, LABELS, OTHER.vocab, random.Random(seed), **shares)


@pytest.mark.parametrize(
    "names, share",
    [
        (("Alpha", "Beta One"), 1.0),
        (("Alpha", "alpha", "Beta", "Gamma"), 0.5),  # Beta and Gamma of four
        (("Alpha", "Alpha"), 0.0),
        ((), 0.0),
    ],
)
def test_renaming_new_names_are_as_likely_as_names_that_occur_once(names, share):
    docs = [gold(*names)] if names else []
    assert share_of_new_names(docs, LABELS) == share
    assert share_of_new_names(docs, ("OTHER",)) == 0


@pytest.mark.parametrize(
    "names, are_names",
    [
        (("Alpha", "beta one"), False),  # as many as not
        (("Alpha", "Beta One", "gamma"), True),
        (("neural network", "k-means"), False),
        (("K-means", "neural Network"), True),
        (("東京", "大阪"), True),  # a script without lower case
        ((), False),
    ],
)
def test_renaming_tells_names_from_terms_by_their_case(names, are_names):
    docs = [gold(*names)] if names else []
    expected = LABELS if are_names else ()
    assert labels_of_names(docs, (*LABELS, "OTHER")) == expected


RENAMER = renamer()
shapes = st.text(st.characters(codec="utf8", exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=200)
@given(word=shapes, seed=st.integers(0, 99))
def test_renaming_makes_up_words_of_the_same_shape(word, seed):
    RENAMER.rng.seed(seed)
    made_up = RENAMER.make_up(word)
    assert len(made_up) == len(word)
    for old, new in zip(word, made_up, strict=True):
        same_kind = (old.isupper(), old.isdigit()) == (new.isupper(), new.isdigit())
        assert new == old or (old.isalnum() and same_kind)
    if len(word) > 5:
        assert made_up[-3:] == word[-3:]


def test_renaming_takes_its_letters_from_the_golds_names():
    doc = gold("Альфа", "Бета")
    made_up = renamer(docs=[doc]).make_up("Гамма")
    assert set(made_up) <= set("АльфаБета" + "мма")


def test_renaming_changes_names_of_new_labels_and_nothing_else():
    nlp = spacy.blank("xx")
    docs = make_docs(nlp, 20, ("PERSON", "GADGET"), seed=1)
    rename = renamer(docs=docs)
    n_renamed = 0
    for doc in docs:
        doc.set_ents(list(doc.ents), missing=[doc[:1]], default="unmodified")
        example = Example(nlp.make_doc(doc.text), doc)
        words = [token.text for token in doc]
        renamed = rename(example)
        assert [token.text for token in example.reference] == words
        named = {t.i for ent in doc.ents if ent.label_ in LABELS for t in ent}
        assert bool(renamed) == bool(named)
        if renamed is None:
            continue
        n_renamed += 1
        for new in renamed:
            assert [t.text for t in new if t.i not in named] == [
                word for i, word in enumerate(words) if i not in named
            ]
        told = [(t.ent_iob, t.ent_type_, t.whitespace_) for t in doc]
        predicted, reference = renamed
        given = [(t.ent_iob, t.ent_type_, t.whitespace_) for t in reference]
        assert given == told and not predicted.ents
        assert predicted.text == reference.text != doc.text
        assert "PERSON" in nlp.vocab.strings
    assert n_renamed


def test_renaming_leaves_the_features_of_other_words_as_they_are():
    nlp = spacy.blank("en")
    doc = nlp.make_doc("We won't sell a Gizmo, they're nice")
    doc.ents = [doc.char_span(16, 21, "GADGET")]
    renamed = renamer(docs=[doc])(Example(nlp.make_doc(doc.text), doc))
    norms = [token.norm_ for token in doc]
    assert {"will", "not", "are"} <= set(norms)
    for new in renamed:
        assert new[5].norm_ == new[5].lower_ != "gizmo"
        assert [t.norm_ for t in new if t.i != 5] == norms[:5] + norms[6:]


@settings(max_examples=60)
@given(seed=st.integers(0, 999), share=st.floats(0.1, 1.0))
def test_renaming_puts_names_of_the_gold_in_the_place_of_others(seed, share):
    """Names of one word and of three for each other: all else stays as it is."""
    names = ["Zed", "Zoomer X Two", "Pixo Pad"]
    docs = []
    for name in names:
        words = ["Ana", "saw", *name.split(), "then", "."]
        spaces = [True] * (len(words) - 2) + [False, False]
        doc = Doc(NLP.vocab, words=words, spaces=spaces)
        end = 2 + len(name.split())
        doc.set_ents(
            [Span(doc, 0, 1, "PERSON"), Span(doc, 2, end, "GADGET")],
            missing=[doc[end : end + 1]],
            default="outside",
        )
        for token in doc:
            token.is_sent_start = token.i in (0, 2)
        docs.append(doc)
    rng = random.Random(seed)
    rename = Renamer(docs, LABELS, OTHER.vocab, rng, swapped=share)
    for doc, name in zip(docs, names, strict=True):
        renamed = rename(Example(Doc(NLP.vocab, [t.text for t in doc]), doc))
        if renamed is None:
            continue
        predicted, reference = renamed
        person, gadget = reference.ents
        assert gadget.text in names and gadget.label_ == "GADGET"
        assert reference.text == doc.text.replace(name, gadget.text)
        assert [t.text for t in predicted] == [t.text for t in reference]
        assert person.text == "Ana" and person.label_ == "PERSON"
        assert [t.ent_iob for t in reference[gadget.end :]] == [0, 2]
        assert [t.i for t in reference if t.is_sent_start] == [0, 2]
        assert not predicted.ents


def test_renaming_draws_a_share_of_the_entities():
    nlp = spacy.blank("xx")
    docs = make_docs(nlp, 300, LABELS, seed=1)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    for share in (0.0, 0.3, 1.0):
        for shares in ({"made_up": share}, {"made_up": 0.0, "swapped": share}):
            rename = renamer(**shares, docs=docs)
            drawn = sum(rename(eg) is not None for eg in examples)
            named = sum(bool(doc.ents) for doc in docs)
            assert drawn == pytest.approx(share * named, abs=0.1 * named)


def test_renaming_swaps_a_share_of_those_that_keep_their_words():
    docs = make_docs(NLP, 400, LABELS, seed=1)
    names = {ent.text for doc in docs for ent in doc.ents}
    rename = renamer(0.4, 0.5, docs)
    made_up = kept = swapped = 0
    for doc in docs:
        renamed = rename(Example(NLP.make_doc(doc.text), doc))
        for old, new in zip(doc.ents, (renamed or [doc])[-1].ents, strict=True):
            made_up += new.text not in names
            kept += new.text == old.text  # by another of its own, too
            swapped += new.text in names - {old.text}
    n = made_up + kept + swapped
    assert made_up / n == pytest.approx(0.4, abs=0.08)
    assert swapped / n == pytest.approx(0.3 * (1 - 1 / len(names)), abs=0.08)


def test_renaming_leaves_docs_alone_that_are_split_differently():
    nlp = spacy.blank("xx")
    doc = gold("Zoom-er X")
    predicted = Doc(nlp.vocab, words=["the", "Zoom", "-", "er", "X"])
    assert renamer()(Example(predicted, doc)) is None


def prepared(base, corpus, rename, column=COLUMN, names=(), others=(), ratio=1.0):
    nlp = spacy.load(base)
    nlp.add_pipe("rehearsal", first=True, config={"rename": rename, "ratio": ratio})
    for name in others:
        nlp.add_pipe(name).add_label("X")
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    if names:
        docs = [
            gold(*pair, vocab=nlp.vocab) for pair in zip(names, names[1:], strict=False)
        ][::2]
        examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    initialize(nlp, base, corpus, examples, column=column)
    return nlp, examples


@pytest.mark.parametrize(
    "few, rename, size",
    [(0, 1.0, WIDE), (0, 0.0, NARROW), (500, 1.0, SHALLOW)],
    ids=["names made up", "names learnt by heart", "scarce gold"],
)
def test_renaming_lets_a_column_be_wide_unless_gold_is_scarce(
    base, corpus, monkeypatch, few, rename, size
):
    monkeypatch.setattr(fitting, "FEW_ENTITIES", few)
    monkeypatch.setattr(recipe, "COPIED_GOLD", 0)
    monkeypatch.setattr(recipe, "COPIED_ENTITIES", 0)
    nlp, _ = prepared(base, corpus, rename, column=DEFAULT_COLUMN)
    told = nlp.get_pipe("rehearsal").session.about["settings"]["column"]
    assert told == {**size, "copy": False, "step_back": False}
    assert nlp.get_pipe_config("ner")["model"]["hidden_width"] == 32 + size["hidden"]


def test_renaming_takes_the_users_word_for_the_size_of_the_column(base, corpus):
    nlp, _ = prepared(
        base, corpus, 1.0, column={"width": 8, "depth": 1, "hidden": None}
    )
    told = nlp.get_pipe("rehearsal").session.about["settings"]["column"]
    hidden = NARROW["hidden"]
    assert told == {**DEFAULT_COLUMN, "copy": False, "step_back": False} | {
        "width": 8,
        "depth": 1,
        "hidden": hidden,
    }


def test_renaming_is_seen_by_the_recogniser_only_while_it_learns(base, corpus):
    nlp, examples = prepared(base, corpus, 1.0)
    batch = examples[:8]
    texts = [eg.reference.text for eg in batch]
    spy = Spy(nlp.get_pipe("ner"))
    nlp._components[nlp.component_names.index("ner")] = ("ner", spy)
    nlp.get_pipe("rehearsal").session.interleaver.ratio = 0.0
    for _ in range(2):  # the second time from the gold's own names again
        nlp.update(batch, sgd=False)
    first, second = spy.seen
    assert all(x == y for x, y in first)
    assert [y for _, y in first] != texts != [y for _, y in second] != first
    nlp.get_pipe("rehearsal").settle()
    assert [eg.reference.text for eg in batch] == texts
    assert [eg.predicted.text for eg in batch] == texts


class Spy:
    """A pipe that remembers what it is given to learn."""

    def __init__(self, learner):
        self.learner = learner
        self.seen = []

    def __getattr__(self, name):
        return getattr(self.learner, name)

    def update(self, examples, **settings):
        self.seen.append([(eg.predicted.text, eg.reference.text) for eg in examples])
        return self.learner.update(examples, **settings)


def test_renaming_leaves_no_made_up_word_in_the_vocab(base, corpus):
    nlp, examples = prepared(base, corpus, 1.0)
    nlp.update(examples, sgd=False)
    before = set(nlp.vocab.strings)
    for _ in range(3):
        nlp.update(examples, sgd=False)
        shown = {t.text for eg in examples for t in eg.reference}
        assert shown - before  # some were made up
    assert set(nlp.vocab.strings) == before


@pytest.mark.parametrize("n_times, renames", [(1, True), (3, False)])
def test_renaming_is_there_by_itself_only_where_most_names_occur_once(
    base, corpus, n_times, renames
):
    names = [f"Zor{a}{b}" for a in "abcdefg" for b in "klmnopq"] * n_times
    nlp, _ = prepared(base, corpus, None, names=names)
    session = nlp.get_pipe("rehearsal").session
    assert (session.renamer is not None) == renames
    told = session.about["settings"]
    shares = (recipe.MADE_UP_ALONE if renames else 0.0, 0.0)
    assert (told["rename"], told["swapped"]) == shares
    assert any("made-up" in line for line in session.summary) == renames


@pytest.mark.parametrize(
    "few, rename, renames", [(49, None, False), (48, None, True), (49, 0.5, True)]
)
def test_renaming_by_a_copy_of_the_base_needs_more_than_a_few_names(
    base, corpus, monkeypatch, few, rename, renames
):
    """Pretrained weights know the words of names, and new ones don't."""
    monkeypatch.setattr(recipe, "FEW_NAMES", few)
    names = [f"Zor{a}{b}" for a in "abcdefg" for b in "klmnopq"]  # 48 in pairs
    for column, copied in ((COLUMN, False), (DEFAULT_COLUMN, True)):
        nlp, _ = prepared(base, corpus, rename, names=names, column=column)
        session = nlp.get_pipe("rehearsal").session
        told = session.about["settings"]
        assert told["column"]["copy"] == copied
        shares = shares_renamed(48, copy=copied, silver=True, scarce=True)
        if rename is not None:  # the user's word
            shares = {"made_up": rename, "swapped": 0.0}
        assert bool(shares["made_up"]) == (renames or not copied)
        assert (told["rename"], told["swapped"]) == tuple(shares.values())
        assert shares == {x: getattr(session.renamer, x) for x in shares}
        lines = {
            "made_up": "made-up names",
            "swapped": "name of another of their label",
        }
        for key, line in lines.items():
            assert any(line in x for x in session.summary) == bool(shares[key])


def test_renaming_swaps_names_too_where_new_weights_have_enough_to_learn_from(
    base, corpus, monkeypatch
):
    monkeypatch.setattr(fitting, "FEW_ENTITIES", 0)
    monkeypatch.setattr(recipe, "FEW_NAMES", 0)
    names = [f"Zor{a}{b}" for a in "abcdefg" for b in "klmnopq"]
    for column, ratio, both in (
        (COLUMN, 1.0, True),
        (COLUMN, 0.0, False),
        (COPY, 1.0, False),
    ):
        nlp, _ = prepared(base, corpus, None, names=names, column=column, ratio=ratio)
        session = nlp.get_pipe("rehearsal").session
        told = session.about["settings"]
        shares = (MADE_UP, SWAPPED) if both else (recipe.MADE_UP_ALONE, 0.0)
        assert (told["rename"], told["swapped"]) == shares
        assert any("of the rest get the name" in x for x in session.summary) == both


@pytest.mark.parametrize("column", [COLUMN, COPY], ids=["small", "copy"])
@pytest.mark.parametrize("rename", [None, 0.5])
def test_renaming_of_terms_is_there_only_on_request(base, corpus, rename, column):
    terms = [f"zor{a}{b}" for a in "abcdefg" for b in "klmnopq"]
    nlp, _ = prepared(base, corpus, rename, names=terms, column=column)
    session = nlp.get_pipe("rehearsal").session
    assert (session.renamer is not None) == bool(rename)


@pytest.mark.parametrize(
    "ratio, column, labels",
    [
        (1.0, COLUMN, {"GADGET"}),
        (0.0, COLUMN, {"GADGET", "PERSON", "ORG"}),
        (0.0, {**COLUMN, "step_back": True}, {"GADGET"}),
        (0.0, None, {"GADGET"}),
    ],
)
def test_renaming_is_for_old_names_too_where_there_is_no_silver(
    base, corpus, ratio, column, labels
):
    nlp, _ = prepared(base, corpus, 1.0, ratio=ratio, column=column)
    assert set(nlp.get_pipe("rehearsal").session.renamer.labels) == labels


def test_renaming_is_not_there_by_itself_without_a_column(base, corpus):
    nlp, _ = prepared(base, corpus, None, column=None)
    assert nlp.get_pipe("rehearsal").session.renamer is None


@pytest.mark.parametrize("share", [0.5, None])
def test_renaming_is_left_out_where_another_pipe_would_learn_it(base, corpus, share):
    nlp, _ = prepared(base, corpus, share, others=["tagger"])
    session = nlp.get_pipe("rehearsal").session
    assert session.renamer is None
    assert any("No names are made up: tagger" in line for line in session.summary)


@pytest.mark.parametrize("rename", [-0.1, 1.5])
def test_renaming_out_of_range_is_refused(base, corpus, rename):
    with pytest.raises(ValueError, match=rf"rename is {rename}: it is a share"):
        prepared(base, corpus, rename)


def test_renaming_settings_of_earlier_configs_go_on(base, corpus):
    nlp, _ = initialized(base, corpus)
    assert nlp.get_pipe("rehearsal").rename is None


@pytest.fixture(scope="module")
def floret_base(tmp_path_factory):
    """A base that finds the vectors of a word by its characters."""
    folder = tmp_path_factory.mktemp("floret")
    nlp = spacy.blank("xx")
    data = numpy.random.default_rng(0).normal(size=(50, 8)).astype("f")
    given = {"mode": "floret", "hash_count": 2, "minn": 2, "maxn": 3}
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=data, **given)
    nlp.to_disk(folder / "vectors")
    config = with_embedding(["NORM", "SHAPE"], str(folder / "vectors"))
    return train_base(config, folder / "base")


def test_renaming_beside_vectors_that_are_found_by_string(floret_base, corpus):
    nlp = spacy.load(floret_base)
    nlp.add_pipe("rehearsal", first=True, config={"rename": 0.5})
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    rehearsal = initialize(nlp, floret_base, corpus, examples)
    texts = [eg.text for eg in examples]
    rehearsal.update(examples)
    assert nlp.get_pipe("ner").update(examples)["ner"] > 0
    assert len({eg.predicted.vocab for eg in examples}) == 1
    told = [eg.text for eg in examples]
    assert any(x != y for x, y in zip(texts, told, strict=True))
    assert any(x == y for x, y in zip(texts, told, strict=True))
    rehearsal.settle()
    assert [eg.text for eg in examples] == texts


def test_renaming_leaves_texts_alone_in_which_something_is_no_entity():
    doc = gold("Alpha")
    example = Example(NLP.make_doc(doc.text), doc)
    rename = renamer(docs=[doc])
    rename.refuted = "no"
    assert rename(example)
    doc.spans["no"] = [doc[:1]]
    assert rename(example) is None
