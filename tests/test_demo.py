import os
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest
import spacy
import srsly
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_rehearse.demo.__main__ import app
from spacy_rehearse.demo.corpus import (
    NEW_LABEL,
    OLD_LABELS,
    PLANS,
    compose_texts,
    make_doc,
    make_files,
    make_texts,
    write_files,
)
from spacy_rehearse.demo.grammar import Text, fill_sentence
from spacy_rehearse.demo.lists import SPLITS, Lists, read_lists, read_sentences

# Words that split train from test as parts of names, not as whole names: the number
# in "12 May" may be that in "12 weeks".
NUMBERS = ("day", "count", "number", "figure")


@pytest.fixture(scope="module")
def texts():
    return make_texts(0)


@pytest.fixture(scope="module")
def out_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "corpus"
    result = CliRunner().invoke(app, [str(path)])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def docs(out_dir):
    vocab = spacy.blank("xx").vocab
    return {
        path.name: list(DocBin().from_disk(path).get_docs(vocab))
        for path in out_dir.glob("*.spacy")
    }


def get_names(texts, file_names, labels):
    return {
        text.text[start:end].lower()
        for name in file_names
        for text in texts[name]
        for start, end, label in text.spans
        if label in labels
    }


def space_words(text):
    return f" {' '.join(re.findall('[^ .,;:!?()]+', text.lower()))} "


@pytest.mark.parametrize("label", OLD_LABELS + (NEW_LABEL,))
def test_demo_test_names_are_in_no_other_file(texts, label):
    others = [name for name in PLANS if name != "test.spacy"]
    test_names = get_names(texts, ["test.spacy"], {label})
    assert len(test_names) > 40
    assert not test_names & get_names(texts, others, OLD_LABELS + (NEW_LABEL,))


@pytest.mark.parametrize("label", ["PERSON", "ORG", "GPE", NEW_LABEL])
def test_demo_test_names_are_in_no_other_text(texts, label):
    # Not as a mere part of another name, either, and not without annotation.
    others = [name for name in PLANS if name != "test.spacy"]
    spaced = " ".join(space_words(text.text) for name in others for text in texts[name])
    test_names = get_names(texts, ["test.spacy"], {label})
    assert [name for name in test_names if space_words(name) in spaced] == []


def test_demo_name_parts_of_test_are_no_parts_of_train_or_dev():
    parts = {split: set() for split in SPLITS}
    for (part, split), words in read_lists().parts.items():
        if split and part not in NUMBERS:
            parts[split].update(words)
    assert min(len(words) for words in parts.values()) > 100
    assert not parts["test"] & (parts["train"] | parts["dev"])


def test_demo_sentences_are_many_and_in_one_split_each():
    sentences = [line for split in SPLITS for line in read_sentences(split)]
    assert len(sentences) > 600
    assert len(set(sentences)) == len(sentences)


def test_demo_sentences_have_slots_that_can_be_filled():
    lists = read_lists()
    for split in SPLITS:
        for line in read_sentences(split):
            text = fill_sentence(lists, line, split, Random(0)).text
            assert not re.search(r"[][{}|]", text), line


def test_demo_unknown_slot_is_an_error():
    with pytest.raises(ValueError, match="There is no slot PLANET in '{PLANET} rose.'"):
        fill_sentence(read_lists(), "{PLANET} rose.", "train", Random(0))


@pytest.mark.parametrize("split", SPLITS)
def test_demo_some_sentences_have_no_entity(split):
    sentences = read_sentences(split)
    without = [line for line in sentences if "{" not in line]
    assert 0.1 < len(without) / len(sentences) < 0.2


def test_demo_no_text_occurs_twice(texts):
    counts = Counter(text.text for name in texts for text in texts[name])
    assert max(counts.values()) == 1


def test_demo_texts_have_a_usual_length(docs):
    lengths = [len(doc) for name in docs for doc in docs[name]]
    assert all(6 <= length <= 70 for length in lengths)
    assert sum(15 <= length <= 50 for length in lengths) > 0.9 * len(lengths)


@pytest.mark.parametrize("name", ["train.spacy", "dev.spacy"])
def test_demo_gold_is_annotated_for_gadgets_alone(docs, texts, name):
    labels = {ent.label_ for doc in docs[name] for ent in doc.ents}
    assert labels == {NEW_LABEL}
    others = get_names(texts, [name], OLD_LABELS)
    assert len(others) > 50


@pytest.mark.parametrize("name,n", [("base_train.spacy", 60), ("base_dev.spacy", 2)])
def test_demo_base_is_annotated_for_the_old_labels_alone(docs, texts, name, n):
    assert {ent.label_ for doc in docs[name] for ent in doc.ents} == set(OLD_LABELS)
    n_gadgets = sum(
        any(label == NEW_LABEL for _, _, label in text.spans) for text in texts[name]
    )
    assert n_gadgets == n


def test_demo_annotation_is_that_of_the_texts(docs, texts):
    for name in docs:
        for doc, text in zip(docs[name], texts[name], strict=True):
            spans = [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents]
            labels = PLANS[name].labels
            assert doc.text == text.text
            assert spans == [span for span in text.spans if span[2] in labels]


def test_demo_files_have_the_planned_size(docs, out_dir):
    assert {name: len(docs[name]) for name in docs} == {
        "train.spacy": 150,
        "dev.spacy": 100,
        "base_train.spacy": 3000,
        "base_dev.spacy": 200,
        "test.spacy": 300,
    }
    assert len(list(srsly.read_jsonl(out_dir / "pool.jsonl"))) == 1500
    assert {path.name for path in out_dir.iterdir()} == set(PLANS)


@pytest.mark.parametrize(
    "name,labels,least",
    [
        ("base_train.spacy", OLD_LABELS, 2000),
        ("base_dev.spacy", OLD_LABELS, 150),
        ("train.spacy", (NEW_LABEL,), 120),
        ("dev.spacy", (NEW_LABEL,), 50),
        ("test.spacy", OLD_LABELS, 200),
        ("test.spacy", (NEW_LABEL,), 100),
    ],
)
def test_demo_every_label_is_frequent(docs, name, labels, least):
    counts = Counter(ent.label_ for doc in docs[name] for ent in doc.ents)
    assert min(counts[label] for label in labels) > least


def test_demo_pool_has_gadgets_in_some_texts(texts):
    n_gadgets = sum(
        any(label == NEW_LABEL for _, _, label in text.spans)
        for text in texts["pool.jsonl"]
    )
    assert n_gadgets == 225


def test_demo_same_texts_give_the_same_bytes(texts, out_dir):
    small = {name: texts[name] for name in ("train.spacy", "dev.spacy", "pool.jsonl")}
    for name, content in make_files(small)[0].items():
        assert content == (out_dir / name).read_bytes()


def test_demo_texts_do_not_depend_on_the_hash_seed():
    script = (
        "from random import Random\n"
        "from spacy_rehearse.demo.grammar import fill_sentence\n"
        "from spacy_rehearse.demo.lists import read_lists, read_sentences\n"
        "lists, rng = read_lists(), Random('0')\n"
        "for line in read_sentences('test'):\n"
        "    print(ascii(fill_sentence(lists, line, 'test', rng)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    lists, rng = read_lists(), Random("0")
    filled = [fill_sentence(lists, x, "test", rng) for x in read_sentences("test")]
    assert result.stdout.splitlines() == [ascii(text) for text in filled]


def test_demo_another_seed_gives_other_texts(texts):
    plan, lists, sentences = PLANS["test.spacy"], read_lists(), read_sentences("test")
    args = (plan, lists, sentences)
    assert compose_texts(*args, Random("0 test.spacy"), set()) == texts["test.spacy"]
    assert compose_texts(*args, Random("1 test.spacy"), set()) != texts["test.spacy"]


def test_demo_entity_across_tokens_is_an_error():
    text = Text("Lumora X2s sold out.", [(0, 9, NEW_LABEL)])
    with pytest.raises(ValueError, match="'Lumora X2' .* 'Lumora X2s sold out.'"):
        make_doc(spacy.blank("xx"), text, (NEW_LABEL,))


def test_demo_short_form_repeats_the_name(texts):
    lists = Lists(
        {"PERSON": ["{first} {last}"], "PERSON:last": ["{last}", "{first}"]},
        {("first", "train"): ["Ada", "Bo"], ("last", "train"): ["Lund", "Moss"]},
    )
    for seed in range(20):
        text = fill_sentence(lists, "{PERSON}: {PERSON:last}", "train", Random(seed))
        full, short = text.text.split(": ")
        assert short in full.split()


@pytest.mark.parametrize("name", ["Vex Inc.", "Aero"])
def test_demo_words_fit_the_name(name):
    lists = Lists({"ORG:x": ["{org}"]}, {("org", ""): [name]})
    text = fill_sentence(lists, "Sold to a {ORG:x}.", "train", Random(0)).text
    expected = {"Vex Inc.": "Sold to a Vex Inc.", "Aero": "Sold to an Aero."}
    assert text == expected[name]


def test_demo_nothing_is_written_when_a_file_cannot_be(tmp_path):
    (tmp_path / "b").mkdir()
    with pytest.raises(ValueError, match="is a folder"):
        write_files({"a": b"1", "b": b"2"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_demo_replaces_no_other_files_unless_told_to(tmp_path):
    (tmp_path / "pool.jsonl").write_bytes(b"mine")
    contents = {"a": b"1", "pool.jsonl": b"2"}
    with pytest.raises(ValueError, match="pool.jsonl holds something else"):
        write_files(contents, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["pool.jsonl"]
    write_files(contents, tmp_path, force=True)
    write_files(contents, tmp_path)  # they hold the same
    assert (tmp_path / "pool.jsonl").read_bytes() == b"2"


def test_demo_pool_is_raw_text(texts, out_dir):
    lines = list(srsly.read_jsonl(out_dir / "pool.jsonl"))
    assert lines == [{"text": text.text} for text in texts["pool.jsonl"]]


def test_demo_cli_reports_why_nothing_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr("spacy_rehearse.demo.__main__.make_texts", lambda seed: {})
    (tmp_path / "file").write_text("in the way")
    result = CliRunner().invoke(app, [str(tmp_path / "file")])
    assert result.exit_code == 1
    assert "Could not make the demonstration corpus" in result.output
