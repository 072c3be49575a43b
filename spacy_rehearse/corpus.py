"""Registered readers: the pool as a config block."""

import logging
import warnings
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Union

from spacy.language import Language

from . import pool

logger = logging.getLogger("spacy.rehearse")

PathsT = Union[str, Path, List[str], List[Path]]
RawTextT = Callable[[Language], Iterator[str]]


def create_raw_text_v1(
    path: PathsT,
    *,
    min_length: int = 0,
    max_length: int = 2000,
    limit: int = 0,
    seed: Optional[int] = None,
    skip_invalid: bool = False,
) -> RawTextT:
    """Create a reader of raw text: the pool that the teacher labels.

    path (Union[str, Path, List]): A .txt file (a text a line), a .jsonl or .jsonl.gz
        file (key "text", other keys ignored), a .spacy file (its annotation is
        dropped), a folder of such files, or a list of these.
    min_length (int): Leave out texts with fewer characters.
    max_length (int): Cut texts with more characters, at the end of a sentence or
        at a space. 0 for no limit.
    limit (int): Read at most so many texts. 0 for no limit.
    seed (Optional[int]): With `limit`: draw a random sample with this seed. If None,
        the first texts are taken.
    skip_invalid (bool): Skip lines that can't be read, and report how many, instead
        of stopping at the first.
    RETURNS (Callable[[Language], Iterator[str]]): The reader. It streams, and reads
        the files anew, in the same order, at every call.
    RAISES (ValueError): If the settings contradict each other; at reading, if a
        path does not exist, a line is invalid or no text is left.
    """
    if min(min_length, max_length, limit) < 0:
        raise ValueError(
            "spacy-rehearse.RawText.v1: min_length, max_length and limit can't be "
            f"negative, got {min_length}, {max_length} and {limit}"
        )
    if 0 < max_length < min_length:
        raise ValueError(
            f"spacy-rehearse.RawText.v1: min_length ({min_length}) is above "
            f"max_length ({max_length}): no text could pass"
        )

    told: Counter = Counter()

    def read_raw_text(nlp: Language) -> Iterator[str]:
        counts: Counter = Counter()

        def on_invalid(message: str) -> None:
            if not skip_invalid:
                raise ValueError(
                    f"{message}. Mend the line, or skip such lines: skip_invalid = "
                    "true in [initialize.components.rehearsal.pool], or --skip-invalid"
                )
            counts["invalid"] += 1

        texts = pool.clean(
            (
                text
                for file in pool.find_files(path)
                for text in pool.read_texts(file, on_invalid)
            ),
            min_length=min_length,
            max_length=max_length,
            counts=counts,
        )
        if limit and seed is not None:
            texts = iter(pool.sample(texts, limit, seed))
        n_texts = 0
        for text in islice(texts, limit or None):
            n_texts += 1
            yield text
        if not n_texts:
            raise ValueError(_nothing_in(path, min_length, counts))
        if counts == told:  # the pool is read more than once
            return
        told.clear()
        told.update(counts)
        _report(counts)
        if counts["short"] > n_texts:
            warnings.warn(
                f"the pool: {counts['short']} texts of fewer than {min_length} "
                f"characters are left out, {n_texts} are read. If they are whole "
                "sentences, lower min_length in [initialize.components.rehearsal.pool]",
                stacklevel=2,
            )

    return read_raw_text


def _nothing_in(path: PathsT, min_length: int, counts: Counter) -> str:
    paths = path if isinstance(path, list) else [path]
    told = f"the pool is empty: there is no text in {', '.join(map(str, paths))}"
    if counts["short"]:
        told += f" of min_length ({min_length}) or more characters"
    if counts["invalid"]:
        told += f" ({counts['invalid']} lines can't be read: see skip_invalid)"
    return told


def _report(counts: Counter) -> None:
    if counts["invalid"]:
        logger.warning("Pool: skipped %d invalid lines", counts["invalid"])
    logger.debug(
        "Pool: %d long texts cut, %d short texts and %d duplicates left out",
        counts["cut"],
        counts["short"],
        counts["duplicate"],
    )
