"""The pool: raw text read from files, one text at a time, never all at once."""

import gzip
import json
import os
import random
import re
import zlib
from collections import Counter
from hashlib import blake2b
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Union

from spacy.tokens import DocBin
from spacy.vocab import Vocab

from .cache import is_cache

PathT = Union[str, Path]
SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can hold one alone, UTF-8 can't
# What may end a sentence, in scripts with and without spaces between them. Not from the
# middle of a run of dots: that would take forever where there are thousands.
STOPS = ".!?…؟۔।॥։။።"
SENTENCE_END = re.compile(
    rf"(?<![{STOPS}])[{STOPS}]+[\"'”’)\]]*\s+|[。！？]|\n+",
)


def read_texts(path: Path, on_invalid: Callable[[str], None]) -> Iterator[str]:
    """Read the texts of one file.

    path (Path): A .txt (a text a line), .jsonl or .jsonl.gz (key "text") or
        .spacy file (the annotation is dropped).
    on_invalid (Callable[[str], None]): Called with a message naming file and line
        for each line that is not a text. It raises, or returns to skip the line.
    YIELDS (str): The texts, as they stand in the file. Blank lines are passed over.
    RAISES (ValueError): If its name ends in something else.
    """
    for suffix, read in READERS.items():
        if path.name.endswith(suffix):
            return read(path, on_invalid)
    raise ValueError(
        f"can't read pool file {path}: expected a name that ends in "
        f"{', '.join(READERS)}"
    )


def find_files(paths: Union[PathT, Iterable[PathT]]) -> List[Path]:
    """List the pool's files, in a stable order.

    paths (Union[str, Path, Iterable]): A file, a folder (searched at any depth,
        hidden files and folders and silver caches left out) or a list of these.
    RETURNS (List[Path]): The files: in the order given, folders sorted by name.
    RAISES (ValueError): If a path is empty or does not exist, or a folder holds no pool
        file.
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    if "" in paths:  # Path("") would be all that is in the working directory
        raise ValueError("the path of the pool is empty: set --paths.pool, say")
    return [file for path in paths for file in _files_at(Path(path))]


def _files_at(path: Path) -> List[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"can't find the pool: {str(path)!r} does not exist")
    every = sorted(_walk(path))
    # What a silver cache holds was read already.
    caches = {folder for folder in {x.parent for x in every} if is_cache(folder)}
    found = [
        file
        for file in every
        if file.name.endswith(tuple(READERS))
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
        if caches.isdisjoint(file.parents)
    ]
    if not found:
        raise ValueError(f"no {', '.join(READERS)} file in pool folder {str(path)!r}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    """YIELDS (Path): The files in a folder, at any depth, also behind links; once where
    a link leads back.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders.sort()
        if (real := os.path.realpath(parent)) in seen:
            folders.clear()
            continue
        seen.add(real)
        yield from (file for x in names if (file := Path(parent, x)).is_file())


def cut(text: str, max_length: int) -> Iterator[str]:
    """Cut a text into pieces of at most `max_length` characters, losing no word.

    text (str): The text.
    max_length (int): The most characters a piece may have. 0 for no limit.
    YIELDS (str): The pieces: cut after the last sentence that fits, else at the
        last space, else in the middle of the word.
    """
    start = 0
    while max_length and len(text) - start > max_length:
        window = text[start : start + max_length + 1]
        at = _cut_position(window, max_length)
        yield window[:at].strip()
        start += at
        while text[start : start + 1].isspace():
            start += 1
    if start < len(text):
        yield text[start:]


def _cut_position(window: str, max_length: int) -> int:
    """RETURNS (int): Where to cut a text of which this is the beginning, with one
    character too much.
    """
    ends = [match.end() for match in SENTENCE_END.finditer(window)]
    ends = [end for end in ends if 0 < len(window[:end].rstrip()) <= max_length]
    if ends:
        return ends[-1]
    spaces = [match.start() for match in re.finditer(r"\s", window) if match.start()]
    return spaces[-1] if spaces else max_length


def clean(
    texts: Iterable[str], *, min_length: int, max_length: int, counts: Counter
) -> Iterator[str]:
    """Cut long texts, leave out short ones and exact duplicates.

    texts (Iterable[str]): The texts as read.
    min_length (int): The fewest characters a text must have.
    max_length (int): The most characters; longer texts are cut. 0 for no limit.
    counts (Counter): Filled with how many texts were "cut", "short", "duplicate".
    YIELDS (str): The texts that are left, without white space at their ends.
    """
    seen = set()
    for text in texts:
        text = text.strip()
        pieces = list(cut(text, max_length))
        counts["cut"] += len(pieces) > 1
        for piece in pieces:
            # 100 bytes a text, whatever its length: the pool itself is never held.
            digest = blake2b(piece.encode("utf8"), digest_size=16).digest()
            if len(piece) < min_length:
                counts["short"] += 1
            elif digest in seen:
                counts["duplicate"] += 1
            else:
                seen.add(digest)
                yield piece


def sample(texts: Iterable[str], size: int, seed: int) -> List[str]:
    """Draw a uniform random sample from a stream (reservoir sampling, Vitter 1985).

    texts (Iterable[str]): The texts.
    size (int): How many to draw.
    seed (int): The same seed and texts give the same sample.
    RETURNS (List[str]): The sample, in the order of the stream.
    """
    rng = random.Random(seed)
    reservoir: Dict[int, tuple] = {}
    for i, text in enumerate(texts):
        slot = i if i < size else rng.randrange(i + 1)
        if slot < size:
            reservoir[slot] = (i, text)
    return [text for _, text in sorted(reservoir.values())]


def _read_txt(path: Path, on_invalid: Callable[[str], None]) -> Iterator[str]:
    with path.open("rb") as file_:
        yield from (line for _, line in _decode_lines(path, file_, on_invalid))


def _read_jsonl(path: Path, on_invalid: Callable[[str], None]) -> Iterator[str]:
    opened = gzip.open(path) if path.name.endswith(".gz") else path.open("rb")
    with opened as file_:
        try:
            yield from _parse_lines(path, file_, on_invalid)
        except (gzip.BadGzipFile, EOFError, zlib.error) as e:
            raise ValueError(f"can't unpack pool file {path}: {e}") from e


def _parse_lines(path, file_, on_invalid) -> Iterator[str]:
    for number, line in _decode_lines(path, file_, on_invalid):
        try:
            record = json.loads(line)
        except ValueError as e:
            on_invalid(f"{path}, line {number}: invalid JSON ({e})")
            continue
        text = record.get("text") if isinstance(record, dict) else None
        if not isinstance(text, str):
            on_invalid(f'{path}, line {number}: no "text" with a string in the record')
        elif SURROGATE.search(text):
            on_invalid(f"{path}, line {number}: half of a surrogate pair in the text")
        else:
            yield text


def _decode_lines(path, file_, on_invalid) -> Iterator[tuple]:
    for number, raw in enumerate(file_, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf8")
        except UnicodeDecodeError as e:
            on_invalid(f"{path}, line {number}: not UTF-8 ({e.reason})")
            continue
        if line.strip():
            yield number, line


def _read_spacy(path: Path, on_invalid: Callable[[str], None]) -> Iterator[str]:
    try:
        doc_bin = DocBin().from_disk(path)
    except Exception as e:  # zlib, msgpack and key errors alike: it is no DocBin
        raise ValueError(f"can't read pool file {path} as a DocBin: {e!r}") from e
    # A vocab of its own: the words of the pool must not reach the user's.
    yield from (doc.text for doc in doc_bin.get_docs(Vocab()))


READERS = {
    ".txt": _read_txt,
    ".jsonl": _read_jsonl,
    ".jsonl.gz": _read_jsonl,
    ".spacy": _read_spacy,
}
