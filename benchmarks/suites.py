"""The suites: which base learns what, from which gold, with which pool.

Each step of a suite is a folder with train.spacy and dev.spacy (annotated for the new
labels only), pool.jsonl, test.spacy, and, where the whole truth is known, joint.spacy
(old and new gold, marked in full, for joint training) or kept_out.jsonl (texts like the
pool's, to compare with the base on).
"""

import json
import random
import shutil
from functools import partial
from pathlib import Path
from typing import Callable, Collection, Dict, Iterable, List, NamedTuple, Tuple

import spacy
import typer
from spacy.cli.init_config import init_config
from spacy.cli.train import train
from spacy.tokens import Doc, DocBin

from spacy_rehearse.convert import convert, split_off

N_KEPT_OUT = 1500
BTC_NEW = 600  # tweets of section f that are annotated in btc
BTC_DEV = 200
# Of each domain of CrossNER, two labels that OntoNotes lacks.
CROSSNER = {
    "politics": ("politicalparty", "election"),
    "ai": ("product", "task"),
    "literature": ("poem", "award"),
    "music": ("band", "song"),
    "science": ("protein", "academicjournal"),
}


class Step(NamedTuple):
    """What is learnt at once.

    folder (Path): Where its files are.
    labels (Tuple[str, ...]): The new labels.
    """

    folder: Path
    labels: Tuple[str, ...]


class Suite(NamedTuple):
    """What is learnt by which pipeline.

    base (Path): The first teacher.
    old (Tuple[str, ...]): What the base knows and test.spacy marks. None where only
        agreement with the base can be measured.
    steps (List[Step]): One after the other, each with the last one's student as base.
    """

    base: Path
    old: Tuple[str, ...]
    steps: List[Step]


def drugs(shared: Path, work: Path, pools: Collection[str]) -> Suite:
    """A real pipeline of 18 labels, DRUG from Reddit posts."""
    base = shared / "models" / "en_core_web_sm_ner"
    folder = work / "drug"
    if _begin(folder):
        _split_pool(shared, folder, pools)
        gold = shared / "data" / "ner_drugs"
        nlp = spacy.load(base)
        docs = convert(gold / "drugs_training.jsonl", nlp).docs
        for part, name in zip(split_off(docs, 0.2), ("train", "dev"), strict=True):
            _save(part, folder / f"{name}.spacy")
        test = convert(gold / "drugs_eval.jsonl", nlp).docs
        _save(test, folder / "test.spacy")
        _finish(folder)
    return Suite(base, (), [Step(folder, ("DRUG",))])


def drugs_masc(shared: Path, work: Path) -> Suite:
    """The pool is of another kind: mixed genres and speeches."""
    return drugs(shared, work, ("presidents", "masc"))


def drugs_reddit(shared: Path, work: Path) -> Suite:
    """The pool is like the gold: Reddit comments, on cooking."""
    return drugs(shared, work, ("reddit_cooking",))


def crossner(shared: Path, work: Path, domain: str, labels: Tuple[str, ...]) -> Suite:
    """A real pipeline of 18 labels, new ones from 100 or 200 sentences of Wikipedia."""
    base = shared / "models" / "en_core_web_sm_ner"
    folder = work / domain
    if _begin(folder):
        _split_pool(shared, folder, ("masc",))
        for part in ("train", "dev", "test"):
            path = shared / "data" / "crossner" / domain / f"{part}.txt"
            _save(read_conll(path, labels), folder / f"{part}.spacy")
        _finish(folder)
    return Suite(base, (), [Step(folder, labels)])


def btc(shared: Path, work: Path, n_gold: int = BTC_NEW) -> Suite:
    """A base on PER and LOC in tweets, ORG from some tweets of another section."""
    section = _sections(shared)
    old = ("PER", "LOC")
    known = section("abh", old)
    step = Step(work / "ORG", ("ORG",))
    if _begin(step.folder):
        tweets = _shuffled(section("f", (*old, "ORG")))
        told = (*old, "ORG")
        earlier = section("abh", told)
        _write_step(step, told, tweets[:n_gold], tweets[n_gold:], earlier)
        _save(section("ge", (*old, "ORG")), step.folder / "test.spacy")
        _finish(step.folder)
    return Suite(_train_base(known, work.with_name("btc") / "base"), old, [step])


def btc_sequence(shared: Path, work: Path) -> Suite:
    """PER, then LOC, then ORG, each step's tweets annotated for its label only."""
    section = _sections(shared)
    every = ("PER", "LOC", "ORG")
    tweets = _shuffled(section("f", every))
    gold = {"LOC": section("ab", every), "ORG": tweets[:BTC_NEW]}
    known = section("h", every[:1])
    steps = []
    for i, label in enumerate(every[1:], start=1):
        step = Step(work / label, (label,))
        if _begin(step.folder):
            told = every[: i + 1]
            earlier = section("h", told)
            for past in every[1:i]:
                earlier += _only(gold[past], told)
            _write_step(step, told, gold[label], tweets[BTC_NEW:], earlier)
            _save(section("ge", every), step.folder / "test.spacy")
            _finish(step.folder)
        steps.append(step)
    return Suite(_train_base(known, work / "base"), ("PER",), steps)


SUITES: Dict[str, Callable[[Path, Path], Suite]] = {
    "drugs-masc": drugs_masc,
    "drugs-reddit": drugs_reddit,
    **{name: partial(crossner, domain=name, labels=x) for name, x in CROSSNER.items()},
    "btc": btc,
    "btc-sequence": btc_sequence,
    # How much gold do experts need?
    **{f"btc-{n}": partial(btc, n_gold=n) for n in (50, 150, 400, 800, 1500)},
}


def read_conll(path: Path, labels: Collection[str]) -> List[Doc]:
    """Read a file of a token and its IOB tag a line, keeping some labels."""
    vocab = spacy.blank("en").vocab
    docs = []
    for block in path.read_text(encoding="utf8").strip().split("\n\n"):
        rows = [line.split() for line in block.splitlines() if line.strip()]
        words = [row[0] for row in rows]
        tags = [row[-1] if row[-1][2:] in labels else "O" for row in rows]
        docs.append(Doc(vocab, words=words, ents=tags))
    return docs


def _sections(shared: Path) -> Callable[[str, Collection[str]], List[Doc]]:
    def read(names: str, labels: Collection[str]) -> List[Doc]:
        folder = shared / "data" / "btc"
        return [d for n in names for d in read_conll(folder / f"{n}.conll", labels)]

    return read


def _write_step(
    step: Step,
    told: Collection[str],
    gold: List[Doc],
    rest: List[Doc],
    earlier: List[Doc],
) -> None:
    dev, pool = rest[:BTC_DEV], rest[BTC_DEV:]
    _save(_only(gold, step.labels), step.folder / "train.spacy")
    _save(_only(dev, step.labels), step.folder / "dev.spacy")
    _save(earlier + _only(gold, told), step.folder / "joint.spacy")
    _save(_only(dev, told), step.folder / "joint_dev.spacy")
    _write_texts((doc.text for doc in pool), step.folder / "pool.jsonl")


def _train_base(docs: List[Doc], folder: Path) -> Path:
    """Train spaCy's default recogniser from scratch."""
    base = folder / "model-best"
    if _begin(folder):
        docs = _shuffled(docs)
        n_dev = len(docs) // 10
        _save(docs[n_dev:], folder / "train.spacy")
        _save(docs[:n_dev], folder / "dev.spacy")
        config = init_config(lang="en", pipeline=["ner"], silent=True)
        config["paths"]["train"] = str(folder / "train.spacy")
        config["paths"]["dev"] = str(folder / "dev.spacy")
        config["training"]["max_steps"] = 2000
        config["training"]["optimizer"]["use_averages"] = True
        config.to_disk(folder / "base.cfg")
        train(folder / "base.cfg", folder)
        _finish(folder)
    return base


def _split_pool(shared: Path, folder: Path, pools: Collection[str]) -> None:
    texts = []
    for name in pools:
        lines = (shared / "pools" / f"{name}.jsonl").read_text("utf8").splitlines()
        texts += [json.loads(line)["text"] for line in lines]
    random.Random(0).shuffle(texts)  # the pools are sorted by genre
    _write_texts(texts[N_KEPT_OUT:], folder / "pool.jsonl")
    _write_texts(texts[:N_KEPT_OUT], folder / "kept_out.jsonl")


def _only(docs: Iterable[Doc], labels: Collection[str]) -> List[Doc]:
    kept = []
    for doc in docs:
        doc = doc.copy()
        doc.ents = [ent for ent in doc.ents if ent.label_ in labels]
        kept.append(doc)
    return kept


def _shuffled(docs: List[Doc]) -> List[Doc]:
    docs = list(docs)
    random.Random(0).shuffle(docs)
    return docs


def _save(docs: Iterable[Doc], path: Path) -> None:
    DocBin(docs=docs).to_disk(path)


def _write_texts(texts: Iterable[str], path: Path) -> None:
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))


def _begin(folder: Path) -> bool:
    """Make an empty folder, unless it was finished before."""
    if (folder / "finished").exists():
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return True


def _finish(folder: Path) -> None:
    (folder / "finished").touch()


def main(suite: str, shared: Path, work: Path) -> None:
    """Prepare a suite's files."""
    SUITES[suite](shared.resolve(), work.resolve())


if __name__ == "__main__":
    typer.run(main)
