"""Near-duplicates: copies of a text with a few words changed, added or cut off."""

import re
import unicodedata
from collections import Counter, defaultdict
from functools import lru_cache
from itertools import chain
from typing import Collection, Dict, Iterable, Iterator, List, Pattern, Set

SHINGLE = 3  # words: Broder (1997) compares documents by such runs of words
OVERLAP = 0.5  # share of the shorter text's shingles: one word in ten edited is a copy
FEWEST = 4  # of them: six words in a row. "But you don't have" stands in many texts
# What stands in a larger share of texts, and in more than a few, is a footer, say.
SET_PHRASE, FEW = 0.1, 5
# Thai to Lao, Burmese, Khmer, Japanese and Chinese have no spaces between words.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
)


class NearDuplicateIndex:
    """Texts, to be asked whether another text is nearly one of them.

    Case, punctuation and digits do not count, nor do set phrases. Two texts are
    near-duplicates if at least half of the three-word runs of the shorter one, and four
    of them, stand in the other (Broder 1997, "containment"), or if all their words are
    the same. Exact: no hashing trick misses a pair.

    texts (Iterable[str]): The texts.
    phrases (Collection[str]): Three-word runs that do not count: see set_phrases.
    """

    def __init__(self, texts: Iterable[str], phrases: Collection[str] = ()) -> None:
        distinct = _distinct(texts)
        self._whole = {" ".join(words) for words in distinct}
        self._phrases = frozenset(phrases)
        self._shingles = sorted(map(self._telling, distinct), key=len)
        # The numbers of the texts with a shingle, the shortest text first.
        self._texts_with: Dict[str, List[int]] = defaultdict(list)
        for i, shingles in enumerate(self._shingles):
            for shingle in shingles:
                self._texts_with[shingle].append(i)

    def __contains__(self, text: str) -> bool:
        """RETURNS (bool): Whether the text is a near-duplicate of one of them."""
        words = normalise(text)
        if " ".join(words) in self._whole:
            return True
        shingles = self._telling(words)
        return any(
            len(shingles & other) >= _enough(len(shingles), len(other))
            for other in map(self._shingles.__getitem__, self._candidates(shingles))
        )

    def _telling(self, words: List[str]) -> Set[str]:
        return shingles_of(words) - self._phrases

    def _candidates(self, shingles: Set[str]) -> Iterator[int]:
        """Find texts that may share enough. One that shares n of k shingles has one of
        the k - n + 1 rarest, so that what many texts have is seldom looked up.
        """
        seen: Set[int] = set()
        rarest = sorted(shingles, key=lambda s: len(self._texts_with.get(s, ())))
        for n_left, shingle in zip(range(len(rarest), 0, -1), rarest, strict=True):
            for i in self._texts_with.get(shingle, ()):
                if _enough(len(shingles), len(self._shingles[i])) > n_left:
                    break  # nor will a longer one do
                if i not in seen:
                    seen.add(i)
                    yield i


def set_phrases(texts: Iterable[str]) -> Set[str]:
    """Find what stands in many texts, and does not make them copies of each other.

    texts (Iterable[str]): The texts. Of those with the same words, one counts.
    RETURNS (Set[str]): Three-word runs.
    """
    distinct = _distinct(texts)
    n_with = Counter(chain.from_iterable(map(shingles_of, distinct)))
    most = max(FEW, SET_PHRASE * len(distinct))
    return {shingle for shingle, n in n_with.items() if n > most}


def _distinct(texts: Iterable[str]) -> List[List[str]]:
    """RETURNS (List[List[str]]): The words of each text, those with the same once."""
    return [list(words) for words in dict.fromkeys(map(tuple, map(normalise, texts)))]


def _enough(n: int, other: int) -> float:
    """RETURNS (float): How many shingles near-duplicates of such sizes share."""
    return max(FEWEST, OVERLAP * min(n, other))


@lru_cache(maxsize=None)
def _word() -> Pattern[str]:
    """RETURNS (Pattern): A word. Vowel signs, of Hindi or Arabic say, and other marks
    are in it, which are no letters to Python's \\w.
    """
    every = map(chr, range(0x300, 0x10000))
    marks = "".join(x for x in every if unicodedata.category(x).startswith("M"))
    return re.compile(rf"[{UNSPACED}]|(?:[^\W{UNSPACED}][{marks}]*)+")


def normalise(text: str) -> List[str]:
    """RETURNS (List[str]): The text's words: lower case, digits as 0, or the whole
    text where it has no words. In scripts without spaces, each character is one.
    """
    text = unicodedata.normalize("NFC", text)
    words = _word().findall(re.sub(r"\d", "0", text.lower()))
    return words or [text]


def shingles_of(words: List[str]) -> Set[str]:
    """RETURNS (Set[str]): The runs of three words."""
    last = len(words) - SHINGLE + 1
    return {" ".join(words[i : i + SHINGLE]) for i in range(last)}
