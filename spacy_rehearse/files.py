"""Files that appear whole or not at all."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable
from uuid import uuid4


def can_be_written(path: Path) -> bool:
    """RETURNS (bool): Whether a file or folder can be made or replaced, and all folders
    above it that are missing.
    """
    # Not x.exists(), which raises where it may not look.
    place = next(x for x in path.absolute().parents if os.path.exists(x))
    return place.is_dir() and os.access(place, os.W_OK)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all, whatever interrupts.

    path (Path): The file. Its folder is made when needed.
    data (bytes): Its content.
    RAISES (OSError): If it can't be written, or is there and no ordinary file.
    """
    path = path.resolve()  # behind a link, the file is what others read
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "no ordinary file", str(path))
    # Containers that share a folder may share process numbers, too.
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file_:
            file_.write(data)
            file_.flush()
            os.fsync(file_.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError as e:
        raise OSError(e.errno, f"can't be written ({e.strerror})", str(path)) from e
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_whole_folder(path: Path, write: Callable[[Path], object]) -> None:
    """Write a folder so that it appears whole or not at all, in place of an old one.

    path (Path): The folder. Folders above it are made when needed.
    write (Callable[[Path], object]): Writes to the path that it is given.
    """
    path = path.resolve()  # behind a link, the folder is what others read
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as temporary:
        half = Path(temporary) / path.name
        write(half)
        old = half.with_name(f"{path.name}.old")  # goes with the temporary folder
        try:
            if path.is_dir():
                path.rename(old)
            half.rename(path)
        finally:
            if old.exists() and not path.exists():
                old.rename(path)
