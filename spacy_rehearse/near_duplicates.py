"""Near-duplicates: copies of a text with a few words changed, added or cut off."""

import re
from collections import Counter, defaultdict
from typing import Dict, List, Set

SHINGLE = 3  # words: Broder (1997) compares documents by such runs of words
OVERLAP = 0.5  # share of the shorter text's shingles: one word in ten edited is a copy
FEWEST = 4  # of them: six words in a row. "But you don't have" stands in many texts
# Thai to Lao, Burmese, Khmer, Japanese and Chinese have no spaces between words.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
)
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


class NearDuplicateIndex:
    """Texts, to be asked whether another text is nearly one of them.

    Case, punctuation and digits do not count. Two texts are near-duplicates if at
    least half of the three-word runs of the shorter one, and four of them, stand in the
    other (Broder 1997, "containment"), or if all their words are the same. Exact: no
    hashing trick misses a pair.
    """

    def __init__(self) -> None:
        self._texts_with: Dict[str, List[int]] = defaultdict(list)
        self._sizes: List[int] = []
        self._whole: Set[str] = set()

    def add(self, text: str) -> None:
        """Add a text.

        text (str): The text.
        """
        words = normalise(text)
        self._whole.add(" ".join(words))
        shingles = shingles_of(words)
        for shingle in shingles:
            self._texts_with[shingle].append(len(self._sizes))
        self._sizes.append(len(shingles))

    def __contains__(self, text: str) -> bool:
        """RETURNS (bool): Whether the text is a near-duplicate of one added."""
        words = normalise(text)
        if " ".join(words) in self._whole:
            return True
        shingles = shingles_of(words)
        shared = Counter(i for s in shingles for i in self._texts_with.get(s, ()))
        for i, n_shared in shared.items():
            shorter = min(len(shingles), self._sizes[i])
            if n_shared >= max(FEWEST, OVERLAP * shorter):
                return True
        return False


def normalise(text: str) -> List[str]:
    """RETURNS (List[str]): The text's words: lower case, digits as 0, or the whole
    text where it has no words. In scripts without spaces, each character is one.
    """
    words = WORD.findall(re.sub(r"\d", "0", text.lower()))
    return words or [text]


def shingles_of(words: List[str]) -> Set[str]:
    """RETURNS (Set[str]): The runs of three words."""
    last = len(words) - SHINGLE + 1
    return {" ".join(words[i : i + SHINGLE]) for i in range(last)}
