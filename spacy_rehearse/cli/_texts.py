"""Raw text that a command was given."""

from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple, Sequence

from spacy.cli._util import Opt
from spacy.language import Language

from ..corpus import create_raw_text_v1
from ..pool import sample
from ..progress import progress

SEED = 0  # each time, the same texts are drawn
SKIP_INVALID: bool = Opt(
    False, "--skip-invalid", help="Skip lines of the pool that can't be read"
)


class Sample(NamedTuple):
    """Raw texts, drawn at random.

    texts (List[str]): The texts, in their order.
    n_all (int): Of how many they were drawn.
    """

    texts: List[str]
    n_all: int

    def __str__(self) -> str:
        return share_of(len(self.texts), self.n_all)


def read_texts(
    paths: Sequence[Path], limit: int, nlp: Language, *, skip_invalid: bool = False
) -> Sample:
    """Read raw text.

    paths (Sequence[Path]): Files or folders. None for no text.
    limit (int): At most so many texts, 0 for all.
    nlp (Language): A pipeline, for its tokenizer.
    skip_invalid (bool): Skip lines that can't be read.
    RETURNS (Sample): The texts.
    RAISES (ValueError): If there are files, and no text in them, or the limit is
        negative.
    """
    check_limit(limit)
    if not paths:
        return Sample([], 0)
    return draw(create_raw_text_v1(list(paths), skip_invalid=skip_invalid)(nlp), limit)


def draw(texts: Iterable[str], limit: int) -> Sample:
    """Draw texts at random: the first ones may be all of one kind.

    texts (Iterable[str]): All texts.
    limit (int): How many to draw, 0 for all.
    RETURNS (Sample): What was drawn.
    """
    n_all = 0

    def counted() -> Iterator[str]:
        nonlocal n_all
        for text in texts:
            n_all += 1
            yield text

    drawn = sample(counted(), limit, SEED) if limit else list(counted())
    return Sample(drawn, n_all)


def share_of(n: int, n_all: int) -> str:
    """RETURNS (str): How many texts were looked at."""
    drawn = ", drawn at random (--limit 0 for all)" if n < n_all else ""
    return f"{n} of {n_all}{drawn}"


def check_limit(limit: int) -> None:
    """Raise a ValueError if a number of texts is negative."""
    if limit < 0:
        raise ValueError(f"--limit is {limit}: expected 0 (all texts) or more")


def show_progress(texts: Sequence[str], what: str) -> Iterable[str]:
    """Show progress while texts are read.

    texts (Sequence[str]): The texts.
    what (str): What to call them.
    RETURNS (Iterable[str]): The texts.
    """
    return progress(texts, desc=what, unit=" texts", leave=False)
