"""What experts are worth, by the size of the gold.

    python -m benchmarks.experts btc-50 btc-150 btc-400 btc-800 btc-1500 \\
        --shared ../shared --work training

Trains the experts of each suite and asks them about its dev part, which none of them
saw, and about its pool: so the rules by which they are believed
(spacy_rehearse/trial.py, findings.py) can be checked.
"""

import json
import random
from pathlib import Path
from statistics import mean
from typing import Annotated, List, Sequence, Set, Tuple

import spacy
import typer
from spacy.tokens import Doc
from wasabi import msg

from spacy_rehearse import recipe
from spacy_rehearse.expert import Expert, train_experts
from spacy_rehearse.findings import find, find_alone
from spacy_rehearse.gold import read_docs
from spacy_rehearse.prepare import N_ASKED
from spacy_rehearse.recipe import LONGEST_TEXT
from spacy_rehearse.teacher import load_teacher, predict_entities
from spacy_rehearse.trial import try_out

from .suites import SUITES, Step

TITLES = (
    "suite",
    "gold texts",
    "precision of each on its own fold",
    "precision on dev: of one",
    "of both",
    "share of the truth: of both",
    "of both or unknown",
    "pool: right, at best",
    "found, next to gold",
    "contested",
    "in gold",
)
SpanT = Tuple[int, int, int, str]  # number of the text, start, end, label


def main(
    suites: Annotated[List[str], typer.Argument(help=f"Of {', '.join(SUITES)}")],
    shared: Annotated[Path, typer.Option(help="Folder with the data")],
    work: Annotated[Path, typer.Option(help="Folder for what is prepared")],
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds")] = "0,1,2",
) -> None:
    """Print a row for each suite, a mean over the seeds."""
    rows = []
    for suite in suites:
        plan = SUITES[suite](shared.resolve(), (work / suite).resolve())
        figures = [measure(plan.base, plan.steps[0], int(x)) for x in seeds.split(",")]
        n_gold, *scores = map(mean, zip(*figures, strict=True))
        rows.append((suite, f"{n_gold:.0f}", *(f"{100 * x:.0f}" for x in scores)))
    msg.table(rows, header=TITLES, divider=True)


def measure(base: Path, step: Step, seed: int) -> Tuple[float, ...]:
    """RETURNS (Tuple[float, ...]): What TITLES says, but for the suite."""
    vocab = spacy.blank("en").vocab
    gold = read_docs(step.folder / "train.spacy", vocab)
    dev = read_docs(step.folder / "dev.spacy", vocab)
    settings = recipe.expert_settings(recipe.measure_gold(gold))
    teacher = load_teacher(str(base), "ner", ())
    experts = train_experts(
        lambda: spacy.load(base),
        teacher.pipes,
        gold,
        step.labels,
        learn_rate=recipe.LEARN_RATE,
        seed=seed,
        **settings,
    )
    lines = (step.folder / "pool.jsonl").read_text("utf8").splitlines()
    sample = random.Random(seed).sample(lines, min(N_ASKED, len(lines)))
    texts = [json.loads(line)["text"][:LONGEST_TEXT] for line in sample]
    said = [
        dict(zip(part, predict_entities(teacher.nlp, teacher.pipes, part), strict=True))
        for part in (texts, [doc.text for doc in gold])
    ]
    trial = try_out(experts, step.labels, pool=said[0], gold=said[1], docs=gold)
    return len(gold), *_compare(experts, dev, step.labels), *trial


def _compare(
    experts: Sequence[Expert], dev: Sequence[Doc], labels: Sequence[str]
) -> List[float]:
    texts = [doc.text for doc in dev]
    truth = {
        (i, ent.start_char, ent.end_char, ent.label_)
        for i, doc in enumerate(dev)
        for ent in doc.ents
    }
    alone = [_numbered(find_alone(expert, texts, labels)) for expert in experts]
    both = set.intersection(*alone)
    told = find(experts, texts, labels)
    unknown = _numbered([[*said.certain, *said.doubtful, *said.leant] for said in told])
    return [
        mean(expert.score.precision for expert in experts),
        mean(_share(one, truth) for one in alone),
        _share(both, truth),
        _share(truth, both),
        _share(truth, both | unknown),
    ]


def _numbered(found: Sequence[Sequence[Tuple[int, int, str]]]) -> Set[SpanT]:
    return {(i, *entity) for i, entities in enumerate(found) for entity in entities}


def _share(some: Set[SpanT], others: Set[SpanT]) -> float:
    return len(some & others) / max(len(some), 1)


if __name__ == "__main__":
    typer.run(main)
