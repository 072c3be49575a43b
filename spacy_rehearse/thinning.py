"""Thinning: most texts without a new entity left out, where hardly any has one.

Where one text in thirty mentions a new label, and one word in five hundred, `O` is
right nearly always, and stays the answer however long the training takes (class
imbalance, met by undersampling: Japkowicz and Stephen 2002). And where dev, which shows
what the pipeline is for, mentions it far more often than the gold does, `O` is learnt
as too likely (label shift: Saerens et al. 2002). A text's own digest decides on it, so
that it is the same texts each time.
"""

from hashlib import blake2b
from typing import Callable, Collection, Iterator, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .recipe import RARER, SILENT, SPARSE

LEAST = 0.001  # share that is kept: 0 would keep none

ThinnerT = Callable[[Language, Example], Iterator[Example]]


def share_to_keep(
    docs: Sequence[Doc], dev: Sequence[Doc], labels: Collection[str]
) -> float:
    """Find out how many of the texts without an entity should be kept.

    docs (Sequence[Doc]): The gold.
    dev (Sequence[Doc]): The gold to choose the checkpoint by.
    labels (Collection[str]): The labels that are learnt: both may mark others, too.
    RETURNS (float): The share, 1.0 for all: unless hardly any text has one, or dev has
        them far more often, and then SILENT of the others for each that has.
    """
    wanted = max(SPARSE, RARER * share_marked(dev, labels))
    n_marked = sum(is_marked(doc, labels) for doc in docs)
    n_silent = len(docs) - n_marked
    if not 0 < share_marked(docs, labels) < wanted or not n_silent:
        return 1.0
    share = SILENT * n_marked / n_silent
    return min(max(round(share, 3), LEAST), 1.0)


def share_marked(docs: Sequence[Doc], labels: Collection[str]) -> float:
    """RETURNS (float): The share of docs that have an entity of one of the labels."""
    return sum(is_marked(doc, labels) for doc in docs) / max(len(docs), 1)


def is_marked(doc: Doc, labels: Optional[Collection[str]]) -> bool:
    """RETURNS (bool): Whether a doc has an entity of one of the labels, or, if they are
    None, any.
    """
    return any(labels is None or ent.label_ in labels for ent in doc.ents)


def thin(
    docs: Sequence[Doc], keep: float, labels: Optional[Collection[str]] = None
) -> List[Doc]:
    """Leave texts without an entity out.

    docs (Sequence[Doc]): The gold.
    keep (float): The share of them to keep.
    labels (Optional[Collection[str]]): Labels whose entities count. None for all.
    RETURNS (List[Doc]): The texts that are left.
    """
    return [doc for doc in docs if is_marked(doc, labels) or is_kept(doc.text, keep)]


def is_kept(text: str, keep: float) -> bool:
    """RETURNS (bool): Whether a text is in the share that is kept. It is another digest
    than that by which dev is split off.
    """
    encoded = text.encode("utf8", "surrogatepass")
    digest = blake2b(encoded, digest_size=8, person=b"thin").digest()
    return int.from_bytes(digest, "big") < keep * 2**64


def create_thin_v1(keep: float, labels: Optional[List[str]] = None) -> ThinnerT:
    """Create an augmenter, for spacy.Corpus.v1, that leaves texts out of the gold.

    keep (float): The share of texts without an entity to keep, above 0.
    labels (Optional[List[str]]): Labels whose entities count: the new ones, where the
        gold marks others, too. None for all.
    RETURNS (Callable[[Language, Example], Iterator[Example]]): The augmenter.
    RAISES (ValueError): If the share is none.
    """
    if not 0 < keep <= 1:
        raise ValueError(
            f"spacy-rehearse.Thin.v1: keep is {keep}: it is the share of texts without "
            "an entity that is kept, above 0 and at most 1"
        )

    def leave_out(nlp: Language, example: Example) -> Iterator[Example]:
        yield from [example] if thin([example.reference], keep, labels) else []

    return leave_out
