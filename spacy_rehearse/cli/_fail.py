"""How commands fail: one clear message, exit code 1, nothing half-written."""

import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Type

from thinc.api import ConfigValidationError
from wasabi import msg

from ..files import can_be_written
from ..teacher import NO_FACTORY


@contextmanager
def fail_on(*errors: Type[Exception]) -> Iterator[None]:
    """Turn expected errors into a message and exit code 1.

    *errors (Type[Exception]): The errors that are the user's to mend.
    """
    try:
        yield
    except errors as e:
        *others, last = _told(e)
        for line in others:
            msg.fail(line)
        msg.fail(last, exits=1)


def _told(error: Exception) -> List[str]:
    if isinstance(error, ConfigValidationError):  # it dumps all that was given, too
        where = error.title or "Wrong settings"
        return [f"{where}: {x}" for x in wrong_settings(error)]
    if isinstance(error, OSError) and error.filename and error.strerror:
        return [f"{error.filename}: {error.strerror}"]
    if NO_FACTORY in str(error) and "--code" not in str(error):
        return [str(error), "If it is code of your own, give its file with --code"]
    return [str(error)]


def wrong_settings(error: ConfigValidationError) -> List[str]:
    """RETURNS (List[str]): Each wrong setting, and what is wrong with it. If a config
    can't be read at all, why.
    """
    if not error.errors:
        return [error.desc or str(error).strip()]
    return [f"{' -> '.join(map(str, x['loc']))}: {x['msg']}" for x in error.errors]


def require(path: Path, name: str) -> None:
    """Fail unless a path exists.

    path (Path): The path.
    name (str): The argument that it was given by.
    """
    if not os.path.exists(path):  # a Path raises where it may not look
        msg.fail(f"Can't find {path} ({name})", exits=1)


def require_different(**given: Optional[Path]) -> None:
    """Fail if two files are the same: they hold different things.

    **given (Optional[Path]): The paths, by what they are.
    """
    paths = {what: path.resolve() for what, path in given.items() if path is not None}
    for path in paths.values():
        same = [what for what, other in paths.items() if other == path]
        if len(same) > 1:
            msg.fail(f"{path} is given twice: as {' and as '.join(same)}", exits=1)


def require_free(path: Path, force: bool, *, folder: bool = False) -> None:
    """Fail if an output can't be written, before any work is done for it.

    path (Path): The file or folder.
    force (bool): Whether it may be overwritten.
    folder (bool): Whether it is a folder.
    """
    if os.path.exists(path) and not force:
        msg.fail(f"{path} already exists. To overwrite it, use --force", exits=1)
    if os.path.exists(path) and os.path.isdir(path) != folder:
        kind = ("a folder", "no folder")[folder]
        msg.fail(f"{path} is {kind}: it can't be overwritten", exits=1)
    if not can_be_written(path):
        msg.fail(f"{path} can't be written: is its folder one, and yours?", exits=1)


def require_kept(
    outputs: Iterable[Optional[Path]],
    *,
    pipelines: Iterable[str],
    files: Iterable[Optional[Path]],
) -> None:
    """Fail if an output would replace what the command reads, or what that is in.

    outputs (Iterable[Optional[Path]]): Files or folders to write.
    pipelines (Iterable[str]): Packages, or folders of pipelines.
    files (Iterable[Optional[Path]]): Other files to read.
    """
    read = [path.resolve() for path in files if path is not None]
    folders = [Path(pipeline).resolve() for pipeline in pipelines]
    for output in outputs:
        place = output.resolve() if output is not None else None
        if place is None:
            continue
        if place in (*read, *folders) or not {*folders}.isdisjoint(place.parents):
            msg.fail(
                f"{output} is, or is inside, what is read: write elsewhere", exits=1
            )
        if any(place in path.parents for path in (*read, *folders)):
            msg.fail(f"{output} holds what is read: write elsewhere", exits=1)
