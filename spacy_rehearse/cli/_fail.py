"""How commands fail: one clear message, exit code 1, nothing half-written."""

from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Optional, Type

from wasabi import msg


@contextmanager
def fail_on(*errors: Type[Exception]) -> Iterator[None]:
    """Turn expected errors into a message and exit code 1.

    *errors (Type[Exception]): The errors that are the user's to mend.
    """
    try:
        yield
    except errors as e:
        msg.fail(_told(e), exits=1)


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def require(path: Path) -> None:
    """Fail unless a path exists."""
    if not path.exists():
        msg.fail(f"Can't find {path}", exits=1)


def require_different(*paths: Optional[Path]) -> None:
    """Fail if two files are the same, that one would overwrite the other."""
    given = [path.resolve() for path in paths if path is not None]
    for path in given:
        if given.count(path) > 1:
            msg.fail(f"{path} is given twice: one would overwrite the other", exits=1)


def require_free(path: Path, force: bool) -> None:
    """Fail if a file is there already and may not be overwritten."""
    if path.exists() and not force:
        msg.fail(f"{path} already exists. To overwrite it, use --force", exits=1)
