import json

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_rehearse import convert as module

NLP = spacy.blank("xx")


def convert(tmp_path, *records):
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf8")
    return module.convert(path, NLP)


def span(start, end, label="DRUG"):
    return {"start": start, "end": end, "label": label}


words = st.lists(st.sampled_from(["a", "Bob", "é,", "x-y", "don't"]), min_size=1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=words, data=st.data())
def test_convert_keeps_character_offsets(tmp_path, words, data):
    doc = NLP.make_doc(" ".join(words))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(doc)), max_size=6)))
    tokens = [doc[s:e] for s, e in zip(cuts[::2], cuts[1::2], strict=False)]
    spans = [span(t.start_char, t.end_char) for t in tokens]
    made = convert(tmp_path, {"text": doc.text, "spans": spans})
    ents = made.docs[0].ents
    assert [(e.start_char, e.end_char) for e in ents] == [
        (t.start_char, t.end_char) for t in tokens
    ]
    assert made.problems == []


def test_convert_misaligned_and_overlapping_spans_are_listed(tmp_path):
    record = {"text": "Xanax helped", "spans": [span(0, 3), span(6, 12), span(8, 12)]}
    made = convert(tmp_path, {"text": "fine"}, record)
    assert [p.split(": ")[1] for p in made.problems] == [
        "DRUG at 0-3 does not fall on tokens",
        "DRUG at 8-12 overlaps another",
    ]
    assert all("in.jsonl, line 2" in p for p in made.problems)
    doc = made.docs[1]
    assert [e.text for e in doc.ents] == ["helped"]
    assert [t.ent_iob for t in doc] == [0, 3]


@pytest.mark.parametrize("key", ["entities", "label", "labels"])
def test_convert_takes_lists_of_start_end_and_label(tmp_path, key):
    listed = {"text": "Xanax helped", key: [[0, 5, "DRUG"]], "id": 3}
    made = convert(tmp_path, {"text": "Xanax", "spans": [span(0, 5)]}, listed)
    assert [e.text for doc in made.docs for e in doc.ents] == ["Xanax", "Xanax"]


def test_convert_takes_no_other_list_for_one_without_entities(tmp_path):
    listed = {"text": "Xanax helped", "entities": [[0, 5, "DRUG"]]}
    for other in ([0, 5, "DRUG", {}], {"start": 0}, [0.0, 5.0, "DRUG"]):
        with pytest.raises(ValueError, match="line 2: 'entities' must be a list of"):
            convert(tmp_path, listed, {**listed, "entities": [other]})


def test_convert_reads_doccanos_records_of_entities_and_relations(tmp_path):
    entity = {"id": 3, "start_offset": 0, "end_offset": 5, "label": "DRUG"}
    record = {"id": 1, "text": "Xanax helped", "entities": [entity], "relations": []}
    made = convert(tmp_path, record)
    assert [(e.text, e.label_) for e in made.docs[0].ents] == [("Xanax", "DRUG")]


def test_convert_takes_what_is_the_same_when_trimmed_once(tmp_path):
    spans = [span(1, 8), span(2, 7)]
    made = convert(tmp_path, {"text": "a Xanax b", "spans": spans})
    assert not made.problems and [e.text for e in made.docs[0].ents] == ["Xanax"]


def test_convert_trims_white_space_from_spans_and_labels(tmp_path):
    spans = [span(2, 9, label="DRUG "), span(9, 9)]
    made = convert(tmp_path, {"text": "a  Xanax  b", "spans": spans})
    assert [(e.text, e.label_) for e in made.docs[0].ents] == [("Xanax", "DRUG")]
    assert [x.split(": ")[1] for x in made.problems] == ["DRUG at 9-9 is empty"]


def test_convert_leaves_what_it_can_not_place_as_missing(tmp_path):
    text = "He took Zoomer X Pro with aspirin"
    spans = [span(8, 16), span(8, 20), span(26, 400), span(50, 60), span(-3, 2)]
    made = convert(tmp_path, {"text": text, "spans": spans})
    assert len(made.problems) == 4
    assert [t.ent_iob for t in made.docs[0]] == [0, 2, 3, 1, 0, 2, 0]


def test_convert_leaves_what_ends_before_it_starts_as_missing(tmp_path):
    made = convert(tmp_path, {"text": "He took Zoomer X", "spans": [span(14, 8)]})
    assert len(made.problems) == 1
    assert [t.ent_iob for t in made.docs[0]] == [2, 2, 0, 2]


@pytest.mark.parametrize(
    "record,words",
    [
        ({"spans": []}, 'no "text"'),
        ({"text": "a", "spans": [{"start": 0}]}, '"spans" must be a list'),
        ({"text": "a", "spans": 3}, '"spans" must be a list'),
        ({"text": "a", "spans": [span(0, 1, label=None)]}, "the label is None"),
        ({"text": "a", "spans": [span(0, 1, label="")]}, "the label is ''"),
        ({"text": "a \ud83d"}, "half of a character"),
        ({"text": "a", "spans": [], "_is_binary": True}, "yes or no to one span"),
        ([1], 'no "text"'),
    ],
)
def test_convert_bad_records_name_the_line(tmp_path, record, words):
    with pytest.raises(ValueError, match=f"line 1.*{words}"):
        convert(tmp_path, record)


def written(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content, encoding="utf8")
    return module.convert(path, NLP)


names = st.lists(
    st.sampled_from(["Ana", "met", "Bob", "Acme", "in", "Rome"]), min_size=1
)


@settings(
    max_examples=30,  # each is four files
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(names, min_size=1, max_size=4), data=st.data())
def test_convert_every_format_gives_the_same(tmp_path, texts, data):
    rows = [
        [(word, data.draw(st.sampled_from(["O", "B-PER", "B-ORG"]))) for word in words]
        for words in texts
    ]
    columns = "\n\n".join("\n".join(f"{w} x {t}" for w, t in row) for row in rows)
    iob = "\n".join(" ".join(f"{w}|x|{t}" for w, t in row) for row in rows)
    simple = []
    for row in rows:
        at, spans = 0, []
        for word, tag in row:
            if tag != "O":
                spans.append([at, at + len(word), tag[2:]])
            at += len(word) + 1
        simple.append([" ".join(w for w, _ in row), {"entities": spans}])
    told = [
        [[(e.text, e.label_) for e in doc.ents] for doc in converted.docs]
        for converted in (
            written(tmp_path, "x.json", json.dumps(simple)),
            written(tmp_path, "x.conll", columns + "\n"),
            written(tmp_path, "x.iob", iob + "\n"),
        )
    ]
    named = [{"text": text, **annotation} for text, annotation in simple]
    docs = written(tmp_path, "x.json", json.dumps(named)).docs
    told.append([[(e.text, e.label_) for e in doc.ents] for doc in docs])
    assert told[0] == told[1] == told[2] == told[3]
    assert told[0] == [[(w, t[2:]) for w, t in row if t != "O"] for row in rows]


def test_convert_reads_iob_of_a_token_a_line_as_spacy_does(tmp_path):
    content = "Ana B-PERSON\nsmiled O\n\nnothing O\nelse O\n"
    one, other = (
        written(tmp_path, name, content).docs for name in ("a.iob", "a.conll")
    )
    assert [doc.text for doc in one] == [doc.text for doc in other]
    assert [ent.label_ for doc in one for ent in doc.ents] == ["PERSON"]


@pytest.mark.parametrize("name", ["x.conll", "x.iob"])
@pytest.mark.parametrize("first", ["", "| O\n", "x|y O\n", "|| O\n"])
def test_convert_reads_a_bar_as_a_token(tmp_path, name, first):
    content = f"{first}Ana B-PER\n| O\na|b O\nAcme|Co B-ORG\nInc I-ORG\n"
    (doc,) = written(tmp_path, name, content).docs
    words = [line.split()[0] for line in content.splitlines()]
    assert doc.text.split() == words
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Ana", "PER"),
        ("Acme|Co Inc", "ORG"),
    ]


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("x.csv", "a,b", "suffix is none of .jsonl, .json, .conll, .iob"),
        ("x.json", "{", "not JSON"),
        ("x.json", "{}", "expected a list"),
        ("x.json", '[["a", {}]]', "record 1: expected"),
        ("x.json", '[[1, {"entities": []}]]', "record 1: the text is no string"),
        ("x.json", '[["a", {"entities": [[0, 1]]}]]', "record 1: expected"),
        ("x.iob", "Ana|x|y|z|B-PER", "can't read its columns"),
        ("x.conll", "Ana\tPER\nran\tO\n", "line 1: 'PER' is no IOB tag"),
        ("x.iob", "Ana ran home\n", "line 1: 'home' is no IOB tag"),
        ("x.iob", "Ana|B-PER ran|O\nBob|PER ran|O\n", "line 2: 'PER' is no IOB tag"),
        ("x.iob", "Ana|B-PER ran|O\nBob|O ran\n", "line 2: 'ran' is no IOB tag"),
        ("x.iob", "| O\na|b PER\n", "line 2: 'PER' is no IOB tag"),
        ("x.conll", "Ana|B-PER ran|O\n", "line 1: 'ran|O' is no IOB tag"),
        ("x.conll", "Ana B-PER\nran -\n", "line 2: '-' is no IOB tag"),
        ("x.iob", "Ana|B-PER a|b|O\n", "line 1: some words have more parts"),
        ("x.conll", "Ana B-PER\n|\n", "line 2 lacks a token or its tag"),
        ("x.conll", "EU NNP B-NP B-ORG\nat O\n", "line 2: 2 columns, and 4 in most"),
        ("x.conll", "e O\nk e O\n\nl O\n", "line 2: 3 columns, and 2 in most"),
        ("x.conll", "1 Ana B-PER\n2 ran O\n", "first column holds numbers only"),
        ("x.json", '[{"text": "a", "_is_binary": true}]', "a yes or no to one span"),
        ("x.json", '[{"data": {"text": "a"}}]', r'or {"text": ..., "entities"'),
        ("x.jsonl", '{"text": "a", "spans": [{"start": 0, "end": 1}]}', "'label' is m"),
        (
            "x.jsonl",
            '{"text": "Ana ran", "annotations": [{"result": []}]}',
            r"""no record has "spans", but \['annotations'\]: expected""",
        ),
        (
            "x.conll",
            "Ana B-PER\nran O\n\n\tO\nhome O\n",
            "line 4 lacks a token or its tag",
        ),
    ],
)
def test_convert_names_what_is_wrong(tmp_path, name, content, words):
    with pytest.raises(ValueError, match=words):
        written(tmp_path, name, content)


def test_convert_lists_spans_that_are_not_on_tokens(tmp_path):
    text = '[["Ana-Bob met", {"entities": [[0, 2, "PER"]]}]]'
    converted = written(tmp_path, "x.json", text)
    (problem,) = converted.problems
    assert "x.json, record 1: PER at 0-2 does not" in problem and not converted.labels


def test_convert_columns_takes_a_line_of_tabs_for_a_blank_one(tmp_path):
    path = tmp_path / "in.conll"
    path.write_text("Ana\tB-PERSON\nsat\tO\n\t\nBob\tB-PERSON\n", encoding="utf8")
    converted = module.convert(path, NLP)
    assert [doc.text.strip() for doc in converted.docs] == ["Ana sat", "Bob"]


def test_convert_keeps_some_labels(tmp_path):
    path = tmp_path / "in.conll"
    path.write_text("Ana\tB-PERSON\nat\tO\nAcme\tB-ORG\n", encoding="utf8")
    assert module.convert(path, NLP, ["ORG"]).labels == {"ORG": 1}
    with pytest.raises(ValueError, match="marks no GPE: it marks ORG, PERSON"):
        module.convert(path, NLP, ["ORG", "GPE"])


def test_convert_reads_iobes_as_biluo(tmp_path):
    rows = ["New B-LOC", "York E-LOC", "E-Mail O", "Rio B-LOC", "de I-LOC"]
    rows += ["Janeiro E-LOC", "Ana S-PER", "Bob S-PER"]
    sentence = " ".join("|".join(row.split()) for row in rows)
    for name, content in (("x.conll", "\n".join(rows)), ("x.iob", sentence)):
        (doc,) = written(tmp_path, name, content).docs
        assert [(ent.text, ent.label_) for ent in doc.ents] == [
            ("New York", "LOC"), ("Rio de Janeiro", "LOC"),
            ("Ana", "PER"), ("Bob", "PER"),
        ]  # fmt: skip


def test_convert_reads_iobes_labels_as_they_are(tmp_path):
    (doc,) = written(tmp_path, "x.conll", "New B-a\\1\nYork E-a\\1\nBob S-a").docs
    assert [ent.label_ for ent in doc.ents] == ["a\\1", "a"]


def test_convert_names_a_text_that_is_too_long_for_spacy(tmp_path, monkeypatch):
    monkeypatch.setattr(NLP, "max_length", 10)
    with pytest.raises(ValueError, match="line 1: the text has 12 characters, and"):
        convert(tmp_path, {"text": "Nothing here", "spans": []})


@pytest.mark.parametrize("rest", ["-X- -X- O", "-X- O O", "O", ""])
@pytest.mark.parametrize("blank", ["\n", ""])
def test_convert_takes_the_start_of_a_document_for_no_text(tmp_path, rest, blank):
    start = f"-DOCSTART- {rest}\n{blank}"
    content = f"{start}Ana NNP B-NP B-PER\n\n{start}Bob NNP B-NP B-PER\n"
    docs = written(tmp_path, "x.conll", content).docs
    assert [doc.text.strip() for doc in docs] == ["Ana", "Bob"]


def test_convert_keeps_a_span_that_is_given_twice(tmp_path):
    made = convert(tmp_path, {"text": "a Zoomer", "spans": [span(2, 8), span(2, 8)]})
    assert not made.problems and made.n_entities == 1
