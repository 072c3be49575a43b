import pytest
import spacy
from spacy.tokens import DocBin
from spacy.util import registry

from spacy_rehearse.corpus import create_raw_text_v1


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "pool.txt"
    path.write_text("".join(f"Text number {i}\n" for i in range(30)), encoding="utf8")
    return path


def test_corpus_reader_is_registered_and_can_be_read_again(lines, nlp):
    make = registry.readers.get("spacy-rehearse.RawText.v1")
    reader = make(path=lines)
    assert (
        list(reader(nlp))
        == list(reader(nlp))
        == [f"Text number {i}" for i in range(30)]
    )


def test_corpus_factory_does_no_work(tmp_path):
    read = create_raw_text_v1(tmp_path / "not there yet")
    assert callable(read) and not list(tmp_path.iterdir())


def test_corpus_streams(lines, nlp):
    lines.write_bytes(lines.read_bytes() + b"\xff\n")
    reader = create_raw_text_v1(lines)(nlp)
    assert next(reader) == "Text number 0"  # before the bad line at the end is seen


def test_corpus_limit_takes_the_first_or_a_seeded_sample(lines, nlp):
    assert list(create_raw_text_v1(lines, limit=2)(nlp)) == [
        "Text number 0",
        "Text number 1",
    ]
    one, again, other = (
        list(create_raw_text_v1(lines, limit=10, seed=seed)(nlp)) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert len(one) == 10


def test_corpus_skip_invalid_skips_and_reports(lines, nlp, caplog):
    lines.write_bytes(b"\xff\n" + lines.read_bytes() + b"\xfe\n")
    with pytest.raises(ValueError, match="line 1.*skip_invalid = true"):
        list(create_raw_text_v1(lines)(nlp))
    assert len(list(create_raw_text_v1(lines, skip_invalid=True)(nlp))) == 30
    assert "skipped 2 invalid lines" in caplog.text


def test_corpus_spacy_file_leaves_no_word_in_the_vocab(tmp_path, nlp):
    other = spacy.blank("xx")
    DocBin(docs=[other("xylophonist Quux plays")]).to_disk(tmp_path / "p.spacy")
    assert list(create_raw_text_v1(tmp_path / "p.spacy")(nlp)) == [
        "xylophonist Quux plays"
    ]
    assert "xylophonist" not in nlp.vocab.strings


def test_corpus_list_of_paths(lines, tmp_path, nlp):
    (tmp_path / "more.jsonl").write_text('{"text": "More"}', encoding="utf8")
    texts = list(create_raw_text_v1([lines, tmp_path / "more.jsonl"])(nlp))
    assert len(texts) == 31 and texts[-1] == "More"


@pytest.mark.parametrize(
    "settings,words",
    [
        ({"limit": -1}, "can't be negative"),
        ({"min_length": 50, "max_length": 10}, "no text could pass"),
    ],
)
def test_corpus_contradicting_settings(settings, words):
    with pytest.raises(ValueError, match=words):
        create_raw_text_v1("pool.txt", **settings)


def test_corpus_warns_if_most_texts_are_too_short(tmp_path, nlp):
    path = tmp_path / "pool.txt"
    path.write_text("\u4eca\u5929\n\u660e\u5929\nA whole sentence of words.\n")
    read = create_raw_text_v1(path, min_length=10)
    with pytest.warns(UserWarning, match="2 texts of fewer than 10 .* 1 are read"):
        list(read(nlp))
    list(read(nlp))  # and says no more where the same is read again
