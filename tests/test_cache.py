import json
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
import spacy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spacy_rehearse import cache, silver
from spacy_rehearse.cache import SilverCache, clear
from spacy_rehearse.files import write_whole, write_whole_folder
from spacy_rehearse.labelling import made_by
from spacy_rehearse.parallel import fill_cache
from spacy_rehearse.silver import annotate, read_shard
from spacy_rehearse.teacher import load_teacher

from .util import make_texts

TEXTS = [text for text, _ in make_texts(50, (), seed=7)]


@pytest.fixture(scope="module")
def teacher(base):
    return load_teacher(str(base), "ner")


@pytest.fixture
def annotated(monkeypatch):
    """The texts that the teacher has really labelled."""
    seen = []
    real = silver.annotate_batch
    monkeypatch.setattr(
        silver,
        "annotate_batch",
        lambda texts, *more: seen.extend(texts) or real(texts, *more),
    )
    return seen


def run(teacher, folder, texts=TEXTS, size=10, stop_after=None):
    cache = SilverCache(folder, made_by(teacher))
    shards = []
    for shard in annotate(texts, teacher, cache, shard_size=size):
        shards.append(shard)
        if len(shards) == stop_after:
            break
    return [item for s in shards for item in read_shard(s, teacher, cache)]


def test_cache_second_run_annotates_nothing(teacher, tmp_path, annotated):
    cold = run(teacher, tmp_path)
    assert annotated == TEXTS
    annotated.clear()
    assert run(teacher, tmp_path) == cold
    assert annotated == []


def test_cache_silver_is_what_the_teacher_says(teacher, tmp_path):
    for item in run(teacher, tmp_path):
        doc = teacher.nlp(item.text)
        expected = tuple((e.start_char, e.end_char, e.label_) for e in doc.ents)
        assert (item.entities, item.n_words) == (expected, len(doc))


def test_cache_resumes_after_a_kill_at_the_first_missing_shard(
    teacher, tmp_path, annotated
):
    run(teacher, tmp_path, stop_after=3)
    assert annotated == TEXTS[:30]
    annotated.clear()
    run(teacher, tmp_path)
    assert annotated == TEXTS[30:]


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(damage=st.sets(st.integers(0, 4)), cut=st.integers(0, 200), gone=st.booleans())
def test_cache_redoes_exactly_the_damaged_shards(
    teacher, tmp_path_factory, annotated, damage, cut, gone
):
    folder = tmp_path_factory.mktemp("cache")
    whole = run(teacher, folder)
    cache = SilverCache(folder, made_by(teacher))
    shards = list(annotate(TEXTS, teacher, cache, shard_size=10))
    for i in damage:
        (file,) = cache.folder.glob(f"{shards[i].key}-*")
        file.unlink() if gone else file.write_bytes(file.read_bytes()[:cut])
    annotated.clear()
    assert run(teacher, folder) == whole
    assert annotated == [t for i in sorted(damage) for t in TEXTS[10 * i : 10 * i + 10]]
    assert len(list(cache.folder.glob("*.spacy"))) == 5


def test_cache_changed_text_redoes_its_shard_only(teacher, tmp_path, annotated):
    run(teacher, tmp_path)
    annotated.clear()
    run(teacher, tmp_path, [*TEXTS[:12], "new here .", *TEXTS[13:]])
    assert annotated == [*TEXTS[10:12], "new here .", *TEXTS[13:20]]


def test_cache_changed_teacher_is_noticed(teacher, tmp_path, annotated, base):
    run(teacher, tmp_path)
    nlp = spacy.load(base)
    nlp.get_pipe("ner").model.get_ref("upper").get_param("b")[0] += 0.001
    nlp.to_disk(tmp_path / "other")
    annotated.clear()
    run(load_teacher(str(tmp_path / "other"), "ner"), tmp_path)
    assert annotated == TEXTS


def test_cache_in_memory_leaves_no_file(teacher, workdir, annotated):
    cache = SilverCache(None, made_by(teacher))
    shards = list(annotate(TEXTS, teacher, cache, shard_size=10))
    assert [
        item.text for s in shards for item in read_shard(s, teacher, cache)
    ] == TEXTS
    assert list(workdir.iterdir()) == []


def test_cache_is_readable_private_and_can_be_cleared(teacher, tmp_path):
    folder = tmp_path / "cache"
    run(teacher, folder)
    assert (folder / ".gitignore").read_text() == "*\n"
    assert "YOUR TEXT" in (folder / "README.txt").read_text()
    (manifest,) = folder.glob("*/manifest.json")
    about = json.loads(manifest.read_text())
    assert about["teacher"] == "xx_tiny" and about["teacher_version"] == "1.2.3"
    assert clear(folder) == 5
    assert not list(folder.glob("*/*"))


def test_cache_clear_leaves_what_it_did_not_make(teacher, tmp_path):
    (tmp_path / ".gitignore").write_text("*\n!.gitignore\n")
    run(teacher, tmp_path)
    assert clear(tmp_path) == 5
    assert [x.name for x in tmp_path.iterdir()] == [".gitignore"]


def test_cache_clear_touches_no_other_folder(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not a silver cache"):
        clear(tmp_path)
    assert (tmp_path / "precious.txt").exists()


def test_cache_knows_its_readme_from_another(teacher, tmp_path):
    mine = [tmp_path / "README.txt", tmp_path / ("a" * 16) / "notes.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("How to build this")
    (tmp_path / ".gitignore").write_text("*\n")
    with pytest.raises(ValueError, match="is not a silver cache"):
        clear(tmp_path)
    with pytest.raises(ValueError, match="holds other files"):
        SilverCache(tmp_path, made_by(teacher))
    (tmp_path / "README.txt").unlink()
    run(teacher, tmp_path)
    (tmp_path / ".gitignore").unlink()  # lost on the way to another machine
    assert clear(tmp_path) == 5 and mine[1].exists()


def test_cache_clear_leaves_no_text_where_a_manifest_is_gone(teacher, tmp_path):
    run(teacher, tmp_path)
    (manifest,) = tmp_path.glob("*/manifest.json")
    shard = next(manifest.parent.glob("*.spacy"))
    half = manifest.with_name(f".{shard.name}.{'0' * 32}.tmp")  # after a kill -9
    notes = manifest.with_name("notes.txt")
    for path in (half, notes):
        path.touch()
    manifest.unlink()
    assert clear(tmp_path) == 5
    assert [x for x in tmp_path.rglob("*") if x.is_file()] == [notes]


def test_cache_file_behind_a_link_is_written_with_its_rights(tmp_path):
    shared = tmp_path / "shared"
    write_whole(shared, b"old")
    shared.chmod(0o600)
    (tmp_path / "link").symlink_to(shared)
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and shared.read_bytes() == b"new"
    assert shared.stat().st_mode & 0o777 == 0o600


def test_cache_says_how_to_go_on_where_a_process_was_killed(tmp_path, monkeypatch):
    def submit(*args):
        raise BrokenProcessPool

    monkeypatch.setattr(ProcessPoolExecutor, "submit", submit)
    cache = SilverCache(tmp_path, {})
    with pytest.raises(ValueError, match="less than 2 .*goes on from there"):
        fill_cache(TEXTS, cache, source="x", component="ner", n_process=2)


def test_cache_progress_is_told_text_by_text_but_for_what_is_there(teacher, tmp_path):
    cache = SilverCache(tmp_path / "cache", made_by(teacher))
    for wanted in ([1] * 20, [10, 10]):
        done = []
        list(
            annotate(TEXTS[:20], teacher, cache, shard_size=10, on_progress=done.append)
        )
        assert done == wanted


def test_cache_lists_its_folder_once(tmp_path, monkeypatch):
    made_by = {"teacher": "1"}
    for number in range(5):
        SilverCache(tmp_path / "cache", made_by).put(f"key{number}", b"%d" % number)
    cache, listed, glob = SilverCache(tmp_path / "cache", made_by), [], Path.glob
    monkeypatch.setattr(Path, "glob", lambda *x: listed.append(x) or glob(*x))
    for _ in range(2):
        for number in range(5):
            assert cache.get(f"key{number}") == b"%d" % number
    assert len(listed) == 1
    assert cache.get("other") is None
    SilverCache(tmp_path / "cache", made_by).put("other", b"of another process")
    assert cache.get("other") == b"of another process"


def test_cache_damaged_manifest_costs_nothing(teacher, tmp_path, annotated):
    run(teacher, tmp_path)
    (manifest,) = tmp_path.glob("*/manifest.json")
    manifest.write_text("{")
    annotated.clear()
    run(teacher, tmp_path)
    assert annotated == []


def test_cache_shard_lost_during_training_is_a_clear_error(teacher, tmp_path):
    cache = SilverCache(tmp_path, made_by(teacher))
    shard = next(annotate(TEXTS, teacher, cache, shard_size=10))
    clear(tmp_path)
    with pytest.raises(ValueError, match="has gone from the silver cache"):
        read_shard(shard, teacher, cache)


def test_cache_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    write_whole(tmp_path / "a", b"old")
    monkeypatch.setattr("os.fsync", lambda fd: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "a", b"new and longer")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_cache_folder_stays_if_it_cannot_be_replaced(tmp_path, monkeypatch):
    def write(text):
        return lambda path: (path.mkdir(), (path / "text").write_text(text))

    write_whole_folder(tmp_path / "it", write("old"))
    real = Path.rename

    def interrupted(path, target):
        if (path / "text").read_text() == "new":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole_folder(tmp_path / "it", write("new"))
    monkeypatch.undo()
    assert (tmp_path / "it" / "text").read_text() == "old"
    write_whole_folder(tmp_path / "it", write("new"))
    assert (tmp_path / "it" / "text").read_text() == "new"
    assert [x.name for x in tmp_path.iterdir()] == ["it"]


def test_cache_file_may_be_written_by_others_meanwhile(tmp_path, monkeypatch):
    def sync(number):  # another container's process may have the same number
        monkeypatch.undo()
        write_whole(tmp_path / "a", b"theirs")

    monkeypatch.setattr("os.fsync", sync)
    write_whole(tmp_path / "a", b"ours")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"ours")]


def test_cache_keeps_what_another_process_has_put_meanwhile(tmp_path, monkeypatch):
    """It may have labelled in other batches, with other sums in the last digit."""
    ours, theirs = (SilverCache(tmp_path, {"teacher": "it"}) for _ in range(2))
    key = "0" * 24
    real = cache.write_whole

    def write(path, data):
        real(path, data)
        if data == b"ours":
            theirs.put(key, b"theirs")

    monkeypatch.setattr(cache, "write_whole", write)
    ours.put(key, b"ours")
    assert {ours.get(key), theirs.get(key)} <= {b"ours", b"theirs"}


def test_cache_never_puts_a_file_in_the_place_of_something_else(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OSError, match="no ordinary file"):
            write_whole(path, b"data")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="can't be written.*file/a'$"):
        write_whole(tmp_path / "file" / "a", b"data")


def test_cache_holds_no_word_of_the_pool_in_any_vocab(teacher, tmp_path):
    before = set(teacher.nlp.vocab.strings)
    run(teacher, tmp_path, ["Zyxwv qwertyuiop plonk ."])
    assert set(teacher.nlp.vocab.strings) == before
