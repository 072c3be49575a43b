"""Plan, compose, tokenise and write the files of the demonstration."""

import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Dict, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from .grammar import Text, fill_sentence, join_texts
from .lists import Lists, read_lists, read_sentences

OLD_LABELS = ("PERSON", "ORG", "GPE", "DATE")
NEW_LABEL = "GADGET"
MIN_WORDS = 14
MAX_WORDS = 44


class Plan(NamedTuple):
    """How to make one file.

    split (str): Whose sentences and names it takes.
    n_texts (int): How many texts it holds.
    gadget_share (float): The share of its texts that have a gadget in them.
    labels (Optional[Tuple[str, ...]]): The labels it is annotated for; None for a
        file of raw texts.
    """

    split: str
    n_texts: int
    gadget_share: float
    labels: Optional[Tuple[str, ...]]


# In this order: a text that one file has is not given to a later one.
PLANS = {
    "test.spacy": Plan("test", 300, 0.4, OLD_LABELS + (NEW_LABEL,)),
    "train.spacy": Plan("train", 150, 0.9, (NEW_LABEL,)),
    "dev.spacy": Plan("dev", 100, 0.6, (NEW_LABEL,)),
    "base_train.spacy": Plan("train", 3000, 0.02, OLD_LABELS),
    "base_dev.spacy": Plan("dev", 200, 0.01, OLD_LABELS),
    "pool.jsonl": Plan("train", 1500, 0.15, None),
}


def deal(sentences: List[str], rng: Random) -> Iterator[str]:
    """Deal sentences without end, each once before any comes again.

    sentences (List[str]): The sentences.
    rng (Random): The source of chance.
    YIELDS (str): The next sentence.
    """
    while True:
        deck = list(sentences)
        rng.shuffle(deck)
        yield from deck


def compose_texts(
    plan: Plan, lists: Lists, sentences: List[str], rng: Random, seen: Set[str]
) -> List[Text]:
    """Compose the texts of one file, from one to three sentences each.

    plan (Plan): What the file holds.
    lists (Lists): Patterns and word lists.
    sentences (List[str]): The sentences of the plan's split.
    rng (Random): The source of chance.
    seen (Set[str]): Texts that are taken; the new ones are added.
    RETURNS (List[Text]): The texts.
    """
    slot = "{" + NEW_LABEL
    gadgets = deal([line for line in sentences if slot in line], rng)
    others = deal([line for line in sentences if slot not in line], rng)
    n_gadgets = round(plan.gadget_share * plan.n_texts)
    with_gadget = [i < n_gadgets for i in range(plan.n_texts)]
    rng.shuffle(with_gadget)
    texts: List[Text] = []
    while len(texts) < plan.n_texts:
        decks = (gadgets, others) if with_gadget[len(texts)] else (others, others)
        text = compose_text(decks, lists, plan.split, rng)
        if text.text not in seen:
            seen.add(text.text)
            texts.append(text)
    return texts


def compose_text(
    decks: Tuple[Iterator[str], Iterator[str]], lists: Lists, split: str, rng: Random
) -> Text:
    """Compose one text.

    decks (Tuple[Iterator[str], Iterator[str]]): Whence the first sentence comes and
        whence the further ones.
    lists (Lists): Patterns and word lists.
    split (str): Whose words to use.
    rng (Random): The source of chance.
    RETURNS (Text): The text; its sentences stand in an order left to chance.
    """
    wanted = rng.choice((1, 1, 2, 2, 2, 3))
    filled = [fill_sentence(lists, next(decks[0]), split, rng)]
    n_words = len(filled[0].text.split())
    while n_words < MIN_WORDS or len(filled) < wanted:
        sentence = fill_sentence(lists, next(decks[1]), split, rng)
        n_words += len(sentence.text.split())
        if n_words > MAX_WORDS or len(filled) == 3:
            break
        filled.append(sentence)
    rng.shuffle(filled)
    return join_texts(filled)


def make_doc(nlp: Language, text: Text, labels: Tuple[str, ...]) -> Doc:
    """Tokenise a text and annotate it.

    nlp (Language): The pipeline whose tokenizer is used.
    text (Text): The text and all of its entities.
    labels (Tuple[str, ...]): The labels to annotate; other entities are left out.
    RETURNS (Doc): The annotated text.
    """
    doc = nlp.make_doc(text.text)
    ents = []
    for start, end, label in text.spans:
        span = doc.char_span(start, end, label=label)
        if span is None:
            raise ValueError(
                f"The {label} '{text.text[start:end]}' does not end where tokens end "
                f"in '{text.text}'; change the name or the sentence around it."
            )
        if label in labels:
            ents.append(span)
    doc.set_ents(ents)
    return doc


def make_texts(seed: int = 0) -> Dict[str, List[Text]]:
    """Compose the texts of all files.

    seed (int): The same seed gives the same texts.
    RETURNS (Dict[str, List[Text]]): The texts with all their entities, by file.
    """
    lists = read_lists()
    seen: Set[str] = set()
    texts = {}
    for name, plan in PLANS.items():
        rng = Random(f"{seed} {name}")
        sentences = read_sentences(plan.split)
        texts[name] = compose_texts(plan, lists, sentences, rng, seen)
    return texts


def make_files(
    texts: Dict[str, List[Text]],
) -> Tuple[Dict[str, bytes], Dict[str, Counter]]:
    """Make the content of all files without writing any.

    texts (Dict[str, List[Text]]): The texts with all their entities, by file.
    RETURNS (Tuple[Dict[str, bytes], Dict[str, Counter]]): The content by file name,
        and by file name how many texts and entities of each label it has.
    """
    nlp = spacy.blank("en")
    contents: Dict[str, bytes] = {}
    counts: Dict[str, Counter] = {}
    for name, file_texts in texts.items():
        labels = PLANS[name].labels
        docs = [make_doc(nlp, text, labels or ()) for text in file_texts]
        counts[name] = Counter(ent.label_ for doc in docs for ent in doc.ents)
        counts[name]["texts"] = len(docs)
        if labels is None:
            lines = [json.dumps({"text": text.text}) for text in file_texts]
            contents[name] = ("\n".join(lines) + "\n").encode("utf8")
        else:
            contents[name] = DocBin(attrs=["ENT_IOB", "ENT_TYPE"], docs=docs).to_bytes()
    return contents, counts


def write_files(
    contents: Dict[str, bytes], out_dir: Union[str, Path], *, force: bool = False
) -> None:
    """Write files whole or not at all: none takes its place before all are written.

    contents (Dict[str, bytes]): What to write, by file name.
    out_dir (Union[str, Path]): The folder, which is made where it does not exist.
    force (bool): Whether files that hold something else may be replaced.
    RAISES (ValueError): If there are such files, and they may not.
    """
    out_dir = Path(out_dir)
    for name, content in contents.items():
        path = out_dir / name
        if path.is_dir():
            raise ValueError(f"{path} is a folder; move it away first.")
        if not force and path.exists() and path.read_bytes() != content:
            raise ValueError(
                f"{path} holds something else than would be written. Is it yours? Give "
                "another folder, or --force to replace it"
            )
    out_dir.mkdir(parents=True, exist_ok=True)
    partial = {name: out_dir / f".{name}.partial" for name in contents}
    try:
        for name, content in contents.items():
            partial[name].write_bytes(content)
        for name, path in partial.items():
            os.replace(path, out_dir / name)
    finally:
        for path in partial.values():
            path.unlink(missing_ok=True)
