"""Read the sentences and word lists from which the demonstration is composed."""

import re
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

DATA_DIR = Path(__file__).parent / "data"
SPLITS = ("train", "dev", "test")
LIST_FILES = ("persons", "places", "organisations", "gadgets", "dates", "others")

HEADING = re.compile(r"\[([A-Za-z:]+)(?: (train|dev|test))?\]")
PATTERN = re.compile(r"(.+?)(?: \*(\d+))?")


class Lists(NamedTuple):
    """What names are made of.

    patterns (Dict[str, List[str]]): Per slot, for instance "ORG:club", how its
        names are composed; a pattern stands in it as often as its weight.
    parts (Dict[Tuple[str, str], List[str]]): The words for one part of a name,
        by part and split; the split "" holds those that all splits share.
    """

    patterns: Dict[str, List[str]]
    parts: Dict[Tuple[str, str], List[str]]


def read_lines(path: Path) -> List[str]:
    """Read a data file, leaving out empty lines and comments.

    path (Path): The file.
    RETURNS (List[str]): Its lines, stripped.
    """
    lines = (line.strip() for line in path.read_text(encoding="utf8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def read_sections(path: Path) -> Dict[Tuple[str, str], List[str]]:
    """Read a word list, which is divided by headings such as [first train].

    path (Path): The file.
    RETURNS (Dict[Tuple[str, str], List[str]]): The lines below each heading, by
        its name and its split ("" for none).
    """
    sections: Dict[Tuple[str, str], List[str]] = {}
    key = None
    for line in read_lines(path):
        heading = HEADING.fullmatch(line)
        if heading:
            key = (heading.group(1), heading.group(2) or "")
            if key in sections:
                raise ValueError(f"{path.name}: {line} occurs twice; join the two.")
            sections[key] = []
        elif key is None:
            raise ValueError(f"{path.name}: '{line}' stands before any [heading].")
        else:
            sections[key].append(line)
    return sections


def weigh(lines: List[str]) -> List[str]:
    """Repeat patterns by their weight: "{first} {last} *3" stands for three.

    lines (List[str]): The patterns, each with or without a weight.
    RETURNS (List[str]): The repeated patterns, without their weights.
    """
    found = [PATTERN.fullmatch(line) for line in lines]
    pairs = [(match.group(1), int(match.group(2) or 1)) for match in found if match]
    return [pattern for pattern, weight in pairs for _ in range(weight)]


def split_words(name: str, lines: List[str]) -> List[str]:
    """Split the lines of a word list at their commas.

    name (str): The heading, for the message.
    lines (List[str]): The lines, which may break an entry at a space.
    RETURNS (List[str]): The entries.
    """
    words = [word.strip() for word in " ".join(lines).split(",")]
    words = [word for word in words if word]
    twice = sorted({word for word in words if words.count(word) > 1})
    if twice or not words:
        raise ValueError(f"[{name}] is empty or names these twice: {twice}.")
    return words


def read_lists() -> Lists:
    """Read all word lists; a heading with a capital is a slot, else a part.

    RETURNS (Lists): Patterns and parts.
    """
    lists = Lists({}, {})
    for file_name in LIST_FILES:
        path = DATA_DIR / f"{file_name}.txt"
        for (name, split), lines in read_sections(path).items():
            if name in lists.patterns or (name, split) in lists.parts:
                raise ValueError(f"{path.name}: another file has [{name} {split}].")
            if name[0].isupper():
                lists.patterns[name] = weigh(lines)
            else:
                lists.parts[name, split] = split_words(f"{name} {split}", lines)
    return lists


def read_sentences(split: str) -> List[str]:
    """Read the sentences of a split, from all files named after it.

    split (str): "train", "dev" or "test".
    RETURNS (List[str]): The sentences with their slots still to be filled.
    """
    paths = sorted(DATA_DIR.glob(f"{split}_*.txt"))
    sentences = [line for path in paths for line in read_lines(path)]
    twice = sorted({line for line in sentences if sentences.count(line) > 1})
    if twice or not sentences:
        raise ValueError(
            f"The files {split}_*.txt in {DATA_DIR} are missing or repeat these "
            f"sentences: {twice}."
        )
    return sentences
