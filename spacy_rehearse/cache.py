"""The silver cache: shards on disk, found again by what they were made from."""

import json
import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Set

from .files import write_whole

MARKER = "README.txt"
IGNORE = "*\n"
MANIFEST = "manifest.json"
FOLDER = "[0-9a-f]{16}"  # the name of one, of a teacher and options
# Of texts, or of what an estimate (fisher.py) was made on.
SHARD = r"(\w+-)?[0-9a-f]{24}-[0-9a-f]{16}\.spacy"
# What may be in one: also what is left of a file if the process is killed.
OURS = rf"({SHARD}|{re.escape(MANIFEST)})|\.({SHARD}|{re.escape(MANIFEST)})\..*\.tmp"
TITLE = "Silver cache of spacy-rehearse"
README = f"""{TITLE}
==============================

Text of your pool and of your gold, labelled by the teacher pipeline, so that a second
training run annotates nothing again. One folder per teacher and options (its
manifest.json says which), one DocBin per shard of texts.

It holds YOUR TEXT in readable form. Keep it out of version control (the .gitignore
beside this file does) and empty it with:

    python -m spacy rehearse annotate --clear PATH-OF-THIS-FOLDER
"""


class SilverCache:
    """Shards of silver, found again by the digest of their texts.

    A shard's file is named after its texts and its own content, so each file proves
    by itself that it is whole and up to date; the manifest is there for people.
    Other teachers and options have other folders.

    path (Optional[Path]): The cache folder, made when needed. If None, shards are
        kept in memory.
    made_by (Dict[str, Any]): Teacher, fingerprint and options: all that the silver
        depends on beside the texts. JSON-serialisable.
    RAISES (ValueError): If the folder holds other files.
    """

    def __init__(self, path: Optional[Path], made_by: Dict[str, Any]) -> None:
        if path is not None:
            require_own(Path(path))
        self.made_by = made_by
        self.folder = Path(path) / _folder_name(made_by) if path is not None else None
        self._memory: Dict[str, bytes] = {}
        self._listed: Dict[str, List[Path]] = {}  # files of the folder, as last seen

    def get(self, key: str) -> Optional[bytes]:
        """Find a shard.

        key (str): Digest of its texts.
        RETURNS (Optional[bytes]): Its content. None if it is missing or damaged.
        """
        if self.folder is None:
            return self._memory.get(key)
        for file in self._files(key):
            if (data := _read_whole(file)) is not None:
                return data
        return None

    def _files(self, key: str) -> Iterator[Path]:
        """Files that may hold a shard. The folder, which may hold thousands, is listed
        only if the shard is not found where it was.
        """
        yield from self._listed.get(key, ())
        self._listed = {}
        for file in self.folder.glob("*.spacy") if self.folder else ():
            self._listed.setdefault(_key_of(file), []).append(file)
        yield from self._listed.get(key, ())

    def keys(self) -> Set[str]:
        """RETURNS (Set[str]): The digests of all shards that are kept."""
        if self.folder is None:
            return set(self._memory)
        return {_key_of(file) for file in self.folder.glob("*.spacy")}

    def put(self, key: str, data: bytes) -> None:
        """Keep a shard. Its file appears whole or not at all. One that another process
        has just put, which may label in other batches, stays.

        key (str): Digest of its texts.
        data (bytes): Its content.
        """
        if self.folder is None:
            self._memory[key] = data
            return
        _prepare(self.folder, self.made_by)
        whole = self.folder / _file_name(key, data)
        write_whole(whole, data)
        self._listed[key] = [whole]
        for file in self.folder.glob(f"{key}-*.spacy"):
            if file != whole and _read_whole(file) is None:
                file.unlink(missing_ok=True)


def _prepare(folder: Path, made_by: Dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cache = folder.parent
    files = {
        cache / ".gitignore": IGNORE,
        cache / MARKER: README,
        folder / MANIFEST: json.dumps(made_by, indent=2),
    }
    for path, text in files.items():
        if not path.exists():
            write_whole(path, text.encode("utf8"))


def is_cache(path: Path) -> bool:
    """RETURNS (bool): Whether a folder is a silver cache: it has our README, and not
    some README.
    """
    try:
        return (path / MARKER).read_bytes().startswith(TITLE.encode("utf8"))
    except OSError:
        return False


def require_own(cache: Path) -> None:
    """Raise a ValueError rather than move in where other files are, which git would
    ignore, too.
    """
    if not cache.is_dir():
        return
    names = [x.name for x in cache.iterdir() if not x.name.startswith(".")]
    # Another process may be making it just now: so ask after that.
    if not is_cache(cache) and not all(re.fullmatch(FOLDER, x) for x in names):
        raise ValueError(
            f"{str(cache)!r} holds other files: the silver cache needs its own folder"
        )


def clear(path: Path) -> int:
    """Empty a silver cache.

    path (Path): The cache folder. What the cache made is removed, and no other file.
    RETURNS (int): How many shards were removed.
    RAISES (ValueError): If the folder is not a silver cache.
    """
    if not path.is_dir():
        raise ValueError(f"{str(path)!r} is no folder: there is nothing to clear")
    if not is_cache(path):
        raise ValueError(
            f"{str(path)!r} is not a silver cache (no {MARKER} of one in it): nothing "
            "removed"
        )
    files = [
        file
        for folder in path.iterdir()
        if re.fullmatch(FOLDER, folder.name) and folder.is_dir()
        for file in folder.iterdir()
        if re.fullmatch(OURS, file.name)
    ]
    for file in files:
        file.unlink()
    for folder in {file.parent for file in files}:
        with suppress(OSError):  # something else is in it
            folder.rmdir()
    (path / MARKER).unlink()
    ignore = path / ".gitignore"
    if ignore.is_file() and ignore.read_bytes() == IGNORE.encode("utf8"):
        ignore.unlink()
    with suppress(OSError):  # something else is in it
        path.rmdir()
    return sum(bool(re.fullmatch(SHARD, file.name)) for file in files)


def _file_name(key: str, data: bytes) -> str:
    return f"{key}-{sha256(data).hexdigest()[:16]}.spacy"


def _read_whole(file: Path) -> Optional[bytes]:
    """RETURNS (Optional[bytes]): What a shard's file holds. None if it is damaged, or
    gone.
    """
    try:
        data = file.read_bytes()
    except FileNotFoundError:  # another process found it damaged, and put it anew
        return None
    return data if file.name == _file_name(_key_of(file), data) else None


def _key_of(file: Path) -> str:
    return file.name.rpartition("-")[0]


def _folder_name(made_by: Dict[str, Any]) -> str:
    return sha256(json.dumps(made_by, sort_keys=True).encode("utf8")).hexdigest()[:16]
