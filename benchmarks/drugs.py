"""Teach a real 18-label pipeline DRUG: naively and with rehearsal, over several seeds.

    python benchmarks/drugs.py --shared ../shared --output benchmarks/results/drugs

Needs a folder with models/en_core_web_sm_ner, data/ner_drugs and pools/. Everything is
done with the plugin's commands and default settings. The last 1,500 texts of
masc.jsonl are kept out of the pool; retention is F against the base on them. DRUG is
scored on drugs_eval.jsonl. Neither is trained on, and dev chooses the checkpoints; but
learning rate, ratio and number of passes (spacy_rehearse/recipe.py) were chosen with
figures of this benchmark in sight. A run that is there already is not done again.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Dict, List

import spacy
import typer
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_rehearse.scorer import entity_prf, flood, silver_prf
from spacy_rehearse.teacher import predict_entities

N_KEPT_OUT = 1500
METHODS = ("naive", "rehearsed")


def main(
    shared: Annotated[Path, typer.Option(help="Folder with the data")],
    output: Annotated[Path, typer.Option(help="Folder for runs and results")],
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds")] = "0,1,2",
) -> None:
    """Run both methods for each seed, one after the other, and print the table."""
    output.mkdir(parents=True, exist_ok=True)
    base = str((shared / "models" / "en_core_web_sm_ner").resolve())
    prepare(shared.resolve(), output, base)
    for seed in seeds.split(","):
        for method in METHODS:
            result = output / f"{method}-{seed}.json"
            if not result.exists():
                scores = run(output, base, method, int(seed))
                result.write_text(json.dumps(scores, indent=2))
            typer.echo(f"{result.stem}: {result.read_text()}")
    table = make_table(output)
    (output / "table.md").write_text(table)
    typer.echo(table)


def spacy_cli(*args: str, cwd: Path) -> None:
    subprocess.run([sys.executable, "-m", "spacy", *args], cwd=cwd, check=True)


def prepare(shared: Path, output: Path, base: str) -> None:
    if (output / "naive.cfg").exists():  # written last
        return
    lines = (shared / "pools" / "masc.jsonl").read_text().splitlines()
    (output / "pool").mkdir(exist_ok=True)
    (output / "pool" / "masc.jsonl").write_text("\n".join(lines[:-N_KEPT_OUT]))
    reddit = (shared / "pools" / "reddit_cooking.jsonl").read_text()
    (output / "pool" / "reddit_cooking.jsonl").write_text(reddit)
    (output / "kept_out.jsonl").write_text("\n".join(lines[-N_KEPT_OUT:]))
    drugs = shared / "data" / "ner_drugs"
    convert = ("rehearse", "convert", "--base", base, "--force")
    train = ("train.spacy", "--dev", "dev.spacy")
    spacy_cli(*convert, str(drugs / "drugs_training.jsonl"), *train, cwd=output)
    spacy_cli(*convert, str(drugs / "drugs_eval.jsonl"), "eval.spacy", cwd=output)
    gold = ("--train", "train.spacy", "--dev", "dev.spacy", "--base", base, "--force")
    init = ("rehearse", "init-config")
    spacy_cli(*init, "rehearsed.cfg", *gold, "--pool", "pool", cwd=output)
    spacy_cli(*init, "naive.cfg", *gold, "--naive", cwd=output)


def run(output: Path, base: str, method: str, seed: int) -> Dict[str, float]:
    """Train once and score the best checkpoint."""
    start = time.time()
    name = f"training/{method}-{seed}"
    args = (f"{method}.cfg", "--output", name, "--system.seed", str(seed))
    spacy_cli("train", *args, cwd=output)
    minutes = (time.time() - start) / 60
    return {**score(output / name / "model-best", output, base), "minutes": minutes}


def score(model: Path, output: Path, base: str) -> Dict[str, float]:
    lines = (output / "kept_out.jsonl").read_text().splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    teacher, student = spacy.load(base), spacy.load(model)
    theirs = predict_entities(teacher, ["ner"], texts)
    ours = predict_entities(student, ["ner"], texts)
    docs = DocBin().from_disk(output / "eval.spacy").get_docs(student.vocab)
    examples = [Example(student(doc.text), doc) for doc in docs]
    n_words = sum(len(teacher.make_doc(text)) for text in texts)
    return {
        "retention": silver_prf(ours, theirs, teacher.get_pipe("ner").labels).fscore,
        "drug_f": entity_prf(examples, ["DRUG"]).fscore,
        "flood": flood(ours, ["DRUG"], n_words),
    }


def make_table(output: Path) -> str:
    """Mean and standard deviation over the seeds, as Markdown."""
    rows = ["| | old labels: F against the base | DRUG F | DRUG per 1,000 words |"]
    rows.append("| --- | --- | --- | --- |")
    for method in METHODS:
        runs = [json.loads(p.read_text()) for p in output.glob(f"{method}-*.json")]
        cells = [
            _spread([100 * r["retention"] for r in runs]),
            _spread([100 * r["drug_f"] for r in runs]),
            _spread([r["flood"] for r in runs]),
        ]
        rows.append(f"| {method} ({len(runs)} seeds) | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _spread(values: List[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} ± {spread:.1f}"


if __name__ == "__main__":
    typer.run(main)
