"""Renaming: names of new labels are learnt under other ones, too.

Where most names in the gold occur once, most that the pipeline will meet are new to it,
and a column that has learnt the gold's names by heart misses them. Under a made-up name
nothing is left to learn by but the context, the shape of the words and their endings.

And of those that keep their words, some stand in the place of others of their label
(mention replacement, Dai and Adel 2020), so that no name goes with one context only.
Pretrained weights know the words of names, and a few hundred names are not enough to
learn to do without: these see no others.

Terms are no names. "neural network" is made of words that say what it is.
"""

import random
from collections import Counter
from itertools import pairwise
from statistics import mean
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from spacy.tokens import Doc, Span, Token
from spacy.training import Example
from spacy.vectors import Mode
from spacy.vocab import Vocab

SUFFIX = 3  # characters of a longer word that stay: spaCy's SUFFIX, a feature
MOSTLY_LOWER = 0.5  # share of a label's entities from which on they are terms
BEGINS, GOES_ON = 3, 1  # values of ENT_IOB
NO_START = 2**64 - 1  # -1 of SENT_START


def labels_of_names(docs: Sequence[Doc], labels: Collection[str]) -> Tuple[str, ...]:
    """Find out which labels are those of names, and not of terms.

    docs (Sequence[Doc]): The gold.
    labels (Collection[str]): The new labels.
    RETURNS (Tuple[str, ...]): Those of which most entities are not written in lower
        case. In scripts without it, all of them.
    """
    is_lower: Dict[str, List[bool]] = {label: [] for label in labels}
    for doc in docs:
        for ent in doc.ents:
            if ent.label_ in labels:
                is_lower[ent.label_].append(ent.text.islower())
    return tuple(x for x, are in is_lower.items() if are and mean(are) < MOSTLY_LOWER)


def share_of_new_names(docs: Iterable[Doc], labels: Collection[str]) -> float:
    """Estimate how many of the names to come were never seen.

    docs (Iterable[Doc]): The gold.
    labels (Collection[str]): The new labels.
    RETURNS (float): The share of their entities whose form, in upper or lower case,
        occurs once (Good 1953, Turing's estimate). 0 if there is none.
    """
    forms = Counter(
        ent.text.lower() for doc in docs for ent in doc.ents if ent.label_ in labels
    )
    return sum(n == 1 for n in forms.values()) / max(forms.total(), 1)


class Word(NamedTuple):
    """A word of a name.

    text (str): The word.
    norm (str): Its norm. Empty for the one that the vocab makes.
    space (bool): Whether a space follows.
    """

    text: str
    norm: str
    space: bool


class Renamer:
    """Puts other names in the place of a share of some labels' entities.

    docs (Sequence[Doc]): The gold. Names are drawn from it or, to make some up, the
        letters of its names, so that they are of its script.
    labels (Collection[str]): The labels: the new ones and, without silver, old ones.
    vocab (Vocab): Where the words are remembered: one that is not saved.
    rng (random.Random): Where names come from.
    made_up (float): Which share of their entities gets a made-up name, each time.
    swapped (float): Which share of the others gets the name of another of its label.
    refuted (Optional[str]): Key of doc.spans under which the gold says what is no
        entity (spaCy's `incorrect_spans_key`). Such a text stays as it is.
    """

    def __init__(
        self,
        docs: Iterable[Doc],
        labels: Collection[str],
        vocab: Vocab,
        rng: random.Random,
        *,
        made_up: float = 0.0,
        swapped: float = 0.0,
        refuted: Optional[str] = None,
    ) -> None:
        self.labels = labels
        self.vocab = vocab
        self.rng = rng
        self.made_up = made_up
        self.swapped = swapped
        self.refuted = refuted
        self._names: Dict[str, List[List[Word]]] = {}
        self._letters: Dict[str, List[str]] = {}
        for doc in docs:
            for ent in doc.ents:
                if ent.label_ in labels:
                    self._names.setdefault(ent.label_, []).append(_words(ent))
                    for char in ent.text:
                        self._letters.setdefault(_kind(char), []).append(char)

    def rename(self, examples: Sequence[Example]) -> List[Optional[Tuple[Doc, Doc]]]:
        """Rename some entities of a batch, which is left as it is.

        examples (Sequence[Example]): The batch.
        RETURNS (List[Optional[Tuple[Doc, Doc]]]): What `__call__` gives for each. But
            if vectors are found by a word's string, which the vocab of the batch's
            first doc has to know, all docs are in one vocab.
        """
        renamed = [self(eg) for eg in examples]
        by_string = getattr(self.vocab.vectors, "mode", None) != Mode.default
        if by_string and any(renamed):
            return [
                docs or (self._with(eg.predicted, []), self._with(eg.reference, []))
                for docs, eg in zip(renamed, examples, strict=True)
            ]
        return renamed

    def __call__(self, example: Example) -> Optional[Tuple[Doc, Doc]]:
        """Rename some entities of an example, which is left as it is.

        example (Example): The example.
        RETURNS (Optional[Tuple[Doc, Doc]]): Its docs, the one to predict and the gold,
            under other names, with their entities and starts of sentences only. None
            if no name was drawn, or if its docs are split differently.
        """
        reference = example.reference
        if self.refuted and reference.spans.get(self.refuted):
            return None
        words = [token.text for token in reference]
        if words != [token.text for token in example.predicted]:
            return None
        ents = [ent for ent in reference.ents if ent.label_ in self.labels]
        made_up = self._drawn(ents, self.made_up)
        swapped = self._drawn((x for x in ents if x not in made_up), self.swapped)
        if not made_up and not swapped:
            return None
        named = [
            (ent, self._made_up_name(ent) if ent in made_up else self._other_name(ent))
            for ent in ents
            if ent in made_up or ent in swapped
        ]
        return self._with(example.predicted, named), self._with(reference, named)

    def make_up(self, word: str) -> str:
        """RETURNS (str): A word of the same shape. Longer ones keep their ending."""
        end = len(word) - SUFFIX if len(word) > SUFFIX + 2 else len(word)
        return "".join(map(self._another, word[:end])) + word[end:]

    def _another(self, char: str) -> str:
        kind = _kind(char)
        return self.rng.choice(self._letters.get(kind, [char])) if kind else char

    def _drawn(self, ents: Iterable[Span], share: float) -> List[Span]:
        return [ent for ent in ents if share and self.rng.random() < share]

    def _other_name(self, ent: Span) -> List[Word]:
        *name, last = self.rng.choice(self._names[ent.label_])
        return [*name, last._replace(space=bool(ent[-1].whitespace_))]

    def _made_up_name(self, ent: Span) -> List[Word]:
        return [self._made_up(word) for word in _words(ent)]

    def _made_up(self, word: Word) -> Word:
        text = self.make_up(word.text)
        return word if text == word.text else word._replace(text=text, norm="")

    def _with(self, doc: Doc, named: Sequence[Tuple[Span, List[Word]]]) -> Doc:
        """RETURNS (Doc): A doc with these names in the place of some entities. A longer
        one's last words are what the entity's last one is.
        """
        words, places, start = [], [], 0
        for ent, name in named:
            words += [*_words(doc[start : ent.start]), *name]
            within = [min(ent.start + i, ent.end - 1) for i in range(len(name))]
            places += [*range(start, ent.start), *within]
            start = ent.end
        words += _words(doc[start:])
        places += range(start, len(doc))
        renamed = Doc(
            self.vocab, words=[x.text for x in words], spaces=[x.space for x in words]
        )
        for token, word in zip(renamed, words, strict=True):
            if word.norm:
                token.norm_ = word.norm  # "n't" is "not" by the tokenizer's rules
        attrs: List[Union[int, str]] = ["ENT_IOB", "ENT_TYPE"]
        if doc.has_annotation("SENT_START"):
            attrs.append("SENT_START")
        for ent in doc.ents:
            self.vocab.strings.add(ent.label_)
        values: Any = doc.to_array(attrs)[places]
        for i, (before, place) in enumerate(pairwise(places), start=1):
            if place == before:  # neither an entity nor a sentence begins again
                values[i, 0] = GOES_ON if values[i, 0] == BEGINS else values[i, 0]
                values[i, 2:] = NO_START
        return renamed.from_array(attrs, values)


def _words(tokens: Iterable[Token]) -> List[Word]:
    return [Word(x.text, x.norm_, bool(x.whitespace_)) for x in tokens]


def _kind(char: str) -> str:
    """RETURNS (str): What a character may be changed for. Empty for nothing else."""
    if char.isdigit():
        return "digit"
    if char.isalpha():
        return "upper" if char.isupper() else "lower"
    return ""
