import gzip
import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rehearse import pool
from spacy_rehearse.cache import SilverCache

ZIPPED = gzip.compress(b'{"text": "one text"}\n' * 999, mtime=0)
DAMAGED = ZIPPED[:14] + bytes(255 - x for x in ZIPPED[14:20]) + ZIPPED[20:]


@given(
    text=st.text(alphabet="ab .!?\n。é", max_size=200), max_length=st.integers(1, 40)
)
def test_pool_cut_loses_nothing_and_keeps_to_the_length(text, max_length):
    pieces = list(pool.cut(text.strip(), max_length))
    assert all(0 < len(piece) <= max_length for piece in pieces if piece)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_pool_cut_prefers_the_end_of_a_sentence_then_a_space():
    text = "One two. Three four five six"
    assert list(pool.cut(text, 12)) == ["One two.", "Three four", "five six"]
    assert list(pool.cut("A b. C d. E f.", 11)) == ["A b. C d.", "E f."]  # the last
    assert list(pool.cut("abcdefghij", 4)) == ["abcd", "efgh", "ij"]
    assert list(pool.cut(text, 0)) == [text]


@pytest.mark.parametrize("end", ["۔", "؟", "।", "॥", "։", "።", "။", "...", "!?", '."'])
def test_pool_cut_knows_the_end_of_a_sentence_in_many_scripts(end):
    assert list(pool.cut(f"a b{end} c d e", 9)) == [f"a b{end}", "c d e"]


def test_pool_cut_looks_for_no_end_from_the_middle_of_a_run_of_dots():
    """Or thousands of them would be gone through once for each."""
    assert pool.SENTENCE_END.search("a... b", 1)
    assert not pool.SENTENCE_END.search("a... b", 2)


def test_pool_clean_counts_what_it_leaves_out():
    counts = Counter()
    texts = pool.clean(
        ["long enough", "no", "long enough ", "one. two three"],
        min_length=4,
        max_length=11,
        counts=counts,
    )
    assert list(texts) == ["long enough", "one.", "two three"]
    assert counts == {"cut": 1, "short": 1, "duplicate": 1}


@given(n=st.integers(0, 60), size=st.integers(1, 20), seed=st.integers(0, 5))
def test_pool_sample_is_a_subset_in_order(n, size, seed):
    texts = [str(i) for i in range(n)]
    sample = pool.sample(iter(texts), size, seed)
    assert len(sample) == min(n, size)
    assert sample == [text for text in texts if text in set(sample)]
    assert sample == pool.sample(iter(texts), size, seed)


def test_pool_sample_is_uniform():
    hits = Counter(
        x for seed in range(400) for x in pool.sample(map(str, range(10)), 5, seed)
    )
    assert min(hits.values()) > 150 and max(hits.values()) < 250


def fail(message):
    raise ValueError(message)


def test_pool_folder_is_read_in_order_without_hidden_files(tmp_path):
    (tmp_path / "b.txt").write_text("second\n", encoding="utf8")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.jsonl").write_text('{"text": "first"}\n', encoding="utf8")
    (tmp_path / ".hidden.txt").write_text("never\n", encoding="utf8")
    (tmp_path / "notes.md").write_text("never\n", encoding="utf8")
    SilverCache(tmp_path / "silver", {"teacher": "base"}).put("key", b"never")
    assert len(list((tmp_path / "silver").rglob("*.*"))) > 2
    files = pool.find_files(tmp_path)
    texts = [text.strip() for file in files for text in pool.read_texts(file, fail)]
    assert texts == ["first", "second"]


def test_pool_folder_is_followed_behind_links_and_read_once(tmp_path):
    folder, elsewhere = tmp_path / "pool", tmp_path / "elsewhere"
    for path in (folder, elsewhere):
        path.mkdir()
        (path / "x.txt").touch()
    (folder / "link").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    found = pool.find_files(folder)
    assert found == [folder / "link" / "x.txt", folder / "x.txt"]


def test_pool_gzip_and_byte_order_mark(tmp_path):
    path = tmp_path / "pool.jsonl.gz"
    path.write_bytes(
        gzip.compress("\ufeff".encode() + json.dumps({"text": "é"}).encode())
    )
    assert list(pool.read_texts(path, fail)) == ["é"]


@pytest.mark.parametrize(
    "name,data,words",
    [
        ("p.jsonl", b'{"text": "a"}\n{"text": 3}\n', 'line 2.*no "text"'),
        ("p.jsonl", b'{"text": "a"}\n\nnot json\n', "line 3.*invalid JSON"),
        (
            "p.jsonl",
            b'{"text": "a"}\n{"text": "b \\ud83d"}\n',
            "line 2: half of",
        ),
        ("p.jsonl.gz", DAMAGED, "can't unpack"),
        ("p.jsonl", b"[1]\n", 'line 1.*no "text"'),
        ("p.txt", b"fine\n\xff\xfe\n", "line 2.*not UTF-8"),
        ("p.jsonl.gz", b"no gzip", "can't unpack.*p.jsonl.gz"),
        (
            "p.jsonl.gz",
            gzip.compress(b'{"text": "a"}\n' * 999, mtime=0)[:-20],
            "can't unpack",
        ),
        ("p.spacy", b"no docbin", "can't read pool file.*p.spacy"),
        ("p.csv", b"a,b", "can't read pool file.*p.csv: expected"),
    ],
    ids="number oops surrogate damaged list bytes gzip cut docbin csv".split(),
)
def test_pool_bad_files_name_file_and_line(tmp_path, name, data, words):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=words):
        list(pool.read_texts(tmp_path / name, fail))


def test_pool_missing_path_and_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        pool.find_files(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no .txt.* file in pool folder"):
        pool.find_files(tmp_path)
