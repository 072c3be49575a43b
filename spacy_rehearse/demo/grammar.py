"""Fill the slots of sentences with composed names and keep track of offsets."""

import re
from itertools import zip_longest
from random import Random
from typing import Dict, List, NamedTuple, Set, Tuple

from .lists import Lists

# Label and character offsets of an entity.
SpanT = Tuple[int, int, str]

TOKEN = re.compile(r"\{([A-Z]+(?::[a-z]+)?)\}|\[([^\]]+\|[^\]]+)\]")
PART = re.compile(r"\{([a-z]+)\}")

# Slots for ships, titles, laws and the like, which have no label in this corpus.
UNANNOTATED = "OTHER"

# Short forms repeat the name that the same sentence gave in full.
SHORT_FORMS = ("PERSON:last", "PERSON:first", "ORG:short", "GADGET:short")

MAX_ATTEMPTS = 100


class Text(NamedTuple):
    """A composed text.

    text (str): The text.
    spans (List[SpanT]): Start, end and label of its entities, in order.
    """

    text: str
    spans: List[SpanT]


def draw_part(lists: Lists, part: str, split: str, rng: Random) -> str:
    """Draw a word for one part of a name.

    lists (Lists): The word lists.
    part (str): The part, for instance "last".
    split (str): Draw from the words of this split; where dev has none of its own,
        from those of train, and where no split has, from the shared ones.
    rng (Random): The source of chance.
    RETURNS (str): The word.
    """
    splits = (split, "train", "") if split == "dev" else (split, "")
    for name in splits:
        if (part, name) in lists.parts:
            return rng.choice(lists.parts[part, name])
    raise ValueError(f"No word list [{part} {split}] or [{part}]; add one.")


def compose_name(
    lists: Lists, slot: str, split: str, rng: Random, known: Dict[str, str]
) -> Tuple[str, Dict[str, str]]:
    """Compose a name from a pattern of its slot.

    lists (Lists): Patterns and word lists.
    slot (str): The slot, for instance "GPE:city".
    split (str): Whose words to use.
    rng (Random): The source of chance.
    known (Dict[str, str]): Parts that are settled already.
    RETURNS (Tuple[str, Dict[str, str]]): The name and the parts it is made of.
    """
    patterns = lists.patterns[slot]
    settled = [p for p in patterns if known and known.keys() >= set(PART.findall(p))]
    pattern = rng.choice(settled or patterns)
    used: Dict[str, str] = {}
    pieces = PART.split(pattern)
    for i in range(1, len(pieces), 2):
        part = pieces[i]
        word = (settled and known[part]) or draw_part(lists, part, split, rng)
        # "{last}-{last}" asks for two different names.
        while word == used.get(part):
            word = draw_part(lists, part, split, rng)
        used[part] = pieces[i] = word
    return "".join(pieces), used


def join_literal(text: str, literal: str) -> str:
    """Append plain words, with no second full stop after a name such as "Vex Inc.".

    text (str): What stands before, which may end in a name.
    literal (str): The words to append.
    RETURNS (str): The two joined.
    """
    return text + (
        literal[1:] if text.endswith(".") and literal[:1] == "." else literal
    )


def fit_article(text: str, name: str) -> str:
    """Turn a final "a" into "an" before a vowel.

    text (str): What stands before the name.
    name (str): The name.
    RETURNS (str): The text before the name.
    """
    if name[0] in "AEIOU" and re.search(r"(?:^|[\s\"(])[aA] $", text):
        return text[:-1] + "n "
    return text


def compose_new_name(
    lists: Lists,
    slot: str,
    split: str,
    rng: Random,
    known: Dict[str, str],
    taken: Set[str],
) -> Tuple[str, Dict[str, str]]:
    """Compose a name that is not taken.

    lists (Lists): Patterns and word lists.
    slot (str): The slot.
    split (str): Whose words to use.
    rng (Random): The source of chance.
    known (Dict[str, str]): Parts of the full name, for a short form of it.
    taken (Set[str]): The names to avoid.
    RETURNS (Tuple[str, Dict[str, str]]): The name and the parts it is made of.
    """
    for attempt in range(MAX_ATTEMPTS):
        settled = {} if attempt else known
        name, used = compose_name(lists, slot, split, rng, settled)
        if name not in taken:
            return name, used
    raise ValueError(f"Too few names for {slot} in {split}; lengthen its word lists.")


def fill_sentence(lists: Lists, sentence: str, split: str, rng: Random) -> Text:
    """Fill the slots of a sentence and choose among its alternatives.

    lists (Lists): Patterns and word lists.
    sentence (str): A sentence such as "{PERSON} [left|joined] {ORG:company}."
    split (str): Whose words to use.
    rng (Random): The source of chance.
    RETURNS (Text): The filled sentence; no name occurs twice in it.
    """
    unknown = {slot for slot, _ in TOKEN.findall(sentence) if slot} - set(
        lists.patterns
    )
    if unknown:
        raise ValueError(
            f"There is no slot {min(unknown)} in '{sentence}'; the slots are "
            f"{', '.join(sorted(lists.patterns))}."
        )
    text = ""
    spans: List[SpanT] = []
    parts_by_label: Dict[str, Dict[str, str]] = {}
    pieces = TOKEN.split(sentence)
    for literal, slot, choices in zip_longest(pieces[::3], pieces[1::3], pieces[2::3]):
        text = join_literal(text, literal)
        if choices:
            text += rng.choice(choices.split("|"))
        if slot:
            label = slot.split(":")[0]
            known = parts_by_label.get(label, {}) if slot in SHORT_FORMS else {}
            taken = {text[start:end] for start, end, _ in spans}
            name, used = compose_new_name(lists, slot, split, rng, known, taken)
            parts_by_label[label] = used
            text = fit_article(text, name)
            if label != UNANNOTATED:
                spans.append((len(text), len(text) + len(name), label))
            text += name
    return Text(text[:1].upper() + text[1:], spans)


def join_texts(texts: List[Text]) -> Text:
    """Join sentences with a space between.

    texts (List[Text]): The sentences.
    RETURNS (Text): One text, the offsets moved accordingly.
    """
    joined = ""
    spans: List[SpanT] = []
    for text, text_spans in texts:
        joined += " " if joined else ""
        offset = len(joined)
        for start, end, label in text_spans:
            spans.append((start + offset, end + offset, label))
        joined += text
    return Text(joined, spans)
