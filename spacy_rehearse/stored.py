"""What a stored DocBin says, as plain values."""

from itertools import accumulate
from typing import Iterator, List, Tuple

import numpy
from spacy.attrs import ENT_IOB, ENT_TYPE, ORTH
from spacy.strings import StringStore
from spacy.tokens import DocBin

from .teacher import Entity

BEGIN, INSIDE = 3, 1  # of an entity, in spaCy's ENT_IOB


def read_texts(data: bytes) -> Iterator[Tuple[str, Tuple[Entity, ...], int]]:
    """Read texts and entities.

    DocBin.get_docs makes a lexeme of each word first, with all that spaCy knows of it:
    most of the time that it takes, and thrown away.

    data (bytes): A DocBin with ENT_IOB and ENT_TYPE.
    YIELDS (Tuple[str, Tuple[Entity, ...], int]): A text, its entities, by
        character offsets, and its number of tokens.
    """
    doc_bin = DocBin().from_bytes(data)
    strings = StringStore(doc_bin.strings)
    columns = [doc_bin.attrs.index(attr) for attr in (ORTH, ENT_IOB, ENT_TYPE)]
    for tokens, flags in zip(doc_bin.tokens, doc_bin.spaces, strict=True):
        orths, iob, labels = tokens[:, columns].T
        spaces = flags[:, 0].tolist()
        words = [
            strings[orth] + " " * space
            for orth, space in zip(orths.tolist(), spaces, strict=True)
        ]
        starts = [0, *accumulate(map(len, words))]
        entities = tuple(
            (starts[first], starts[end] - spaces[end - 1], strings[int(labels[first])])
            for first, end in _entities(iob)
        )
        yield "".join(words), entities, len(words)


def _entities(iob: numpy.ndarray) -> List[Tuple[int, int]]:
    """RETURNS (List[Tuple[int, int]]): First token of each entity, and the one after
    its last.
    """
    outside = numpy.flatnonzero(iob != INSIDE)
    ends = numpy.append(outside, len(iob))
    firsts = numpy.flatnonzero(iob == BEGIN)
    after = ends[numpy.searchsorted(ends, firsts, side="right")]
    return list(zip(firsts.tolist(), after.tolist(), strict=True))
