"""Renaming: names of new labels are learnt under made-up ones, too.

Where most names in the gold occur once, most that the pipeline will meet are new to it,
and a column that has learnt the gold's names by heart misses them. Under a made-up name
nothing is left to learn by but the context, the shape of the words and their endings
(Dai and Adel 2020 put one name for another; a name that nobody knows is a new one).

Terms are no names. "neural network" is made of words that say what it is.
"""

import random
from collections import Counter
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

from spacy.tokens import Doc
from spacy.training import Example
from spacy.vocab import Vocab

SUFFIX = 3  # characters of a longer word that stay: spaCy's SUFFIX, a feature
MOSTLY_LOWER = 0.5  # share of a label's entities from which on they are terms


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


class Renamed(NamedTuple):
    """The docs of an example under made-up names.

    predicted (Doc): The doc to predict.
    reference (Doc): The gold. Both have their entities and starts of sentences, only.
    """

    predicted: Doc
    reference: Doc


class Renamer:
    """Puts made-up names in the place of a share of some labels' entities.

    docs (Sequence[Doc]): The gold. Letters are drawn from the names in it, so that
        they are of its script.
    labels (Collection[str]): The labels: the new ones and, without silver, old ones.
    share (float): Which share of their entities gets a made-up name each time.
    vocab (Vocab): Where the made-up words are remembered: one that is not saved.
    rng (random.Random): Where they come from.
    """

    def __init__(
        self,
        docs: Iterable[Doc],
        labels: Collection[str],
        share: float,
        vocab: Vocab,
        rng: random.Random,
    ) -> None:
        self.labels = labels
        self.share = share
        self.vocab = vocab
        self.rng = rng
        self._letters: Dict[str, List[str]] = {}
        for doc in docs:
            for ent in doc.ents:
                for char in ent.text if ent.label_ in labels else "":
                    self._letters.setdefault(_kind(char), []).append(char)

    def __call__(self, example: Example) -> Optional[Renamed]:
        """Rename some entities of an example, which is left as it is.

        example (Example): The example.
        RETURNS (Optional[Renamed]): Its docs under made-up names. None if no name was
            drawn, or if its docs are split differently.
        """
        reference = example.reference
        words = [token.text for token in reference]
        if words != [token.text for token in example.predicted]:
            return None
        chosen = [
            i
            for ent in reference.ents
            if ent.label_ in self.labels and self.rng.random() < self.share
            for i in range(ent.start, ent.end)
        ]
        if not chosen:
            return None
        for i in chosen:
            words[i] = self.make_up(words[i])
        return Renamed(
            self._with_words(example.predicted, words),
            self._with_words(reference, words),
        )

    def make_up(self, word: str) -> str:
        """RETURNS (str): A word of the same shape. Longer ones keep their ending."""
        end = len(word) - SUFFIX if len(word) > SUFFIX + 2 else len(word)
        return "".join(map(self._another, word[:end])) + word[end:]

    def _another(self, char: str) -> str:
        kind = _kind(char)
        return self.rng.choice(self._letters.get(kind, [char])) if kind else char

    def _with_words(self, doc: Doc, words: List[str]) -> Doc:
        spaces = [bool(token.whitespace_) for token in doc]
        renamed = Doc(self.vocab, words=words, spaces=spaces)
        for token, same in zip(doc, renamed, strict=True):
            if token.text == same.text:
                same.norm_ = token.norm_  # "n't" is "not" by the tokenizer's rules
        attrs: List[Union[int, str]] = ["ENT_IOB", "ENT_TYPE"]
        if doc.has_annotation("SENT_START"):
            attrs.append("SENT_START")
        for ent in doc.ents:
            self.vocab.strings.add(ent.label_)
        values: Any = doc.to_array(attrs)
        return renamed.from_array(attrs, values)


def _kind(char: str) -> str:
    """RETURNS (str): What a character may be changed for. Empty for nothing else."""
    if char.isdigit():
        return "digit"
    if char.isalpha():
        return "upper" if char.isupper() else "lower"
    return ""
