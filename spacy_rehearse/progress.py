"""Progress of long work: a bar in a terminal, a line a minute in a log."""

import sys
from typing import Any

from tqdm import tqdm

EVERY = 60.0  # seconds
LINE = "{desc}: {n_fmt} of {total_fmt}{unit}, {remaining} to go\n"


def progress(*args: Any, **kwargs: Any) -> Any:
    """Show progress, as tqdm does, in a terminal. Where stderr is none, it is a line a
    minute, and nothing at all of what takes less.

    *args (Any): What tqdm takes.
    **kwargs (Any): The same.
    RETURNS (tqdm): The bar.
    """
    if sys.stderr.isatty():
        return tqdm(*args, **kwargs)
    kwargs |= {"mininterval": EVERY, "maxinterval": EVERY, "delay": EVERY}
    return tqdm(*args, **{**kwargs, "bar_format": LINE, "leave": True})
