"""A real 18-label pipeline learns DRUG from real text, on a slice of the data."""

import json

import pytest
import spacy
from spacy.cli.train import train

from spacy_rehearse.scorer import entity_prf, silver_prf
from spacy_rehearse.teacher import predict_entities

from .test_cli import spacy_cli  # noqa: F401


@pytest.mark.slow
def test_real_pipeline_learns_drug_and_keeps_its_labels(
    real_data,
    spacy_cli,  # noqa: F811
    workdir,
):
    base = real_data / "models" / "en_core_web_sm_ner"
    gold = real_data / "data" / "ner_drugs" / "drugs_training.jsonl"
    args = ("convert", gold, "train.spacy", "--dev", "dev.spacy", "--base", base)
    assert spacy_cli(*args).exit_code == 0
    lines = (real_data / "pools" / "masc.jsonl").read_text().splitlines()
    (workdir / "pool.jsonl").write_text("\n".join(lines[:2500]))
    texts = [json.loads(line)["text"] for line in lines[-300:]]
    args = ("init-config", "c.cfg", "--base", base, "--pool", "pool.jsonl")
    paths = ("--train", "train.spacy", "--dev", "dev.spacy")
    assert spacy_cli(*args, *paths).exit_code == 0
    steps = {"training.max_steps": 300, "training.eval_frequency": 100}
    decay = {"training.optimizer.learn_rate.total_steps": 300}
    expert = {"initialize.components.rehearsal.expert.max_passes": 1}
    train("c.cfg", "out", overrides={**steps, **decay, **expert})
    teacher, student = spacy.load(base), spacy.load("out/model-best")
    theirs = predict_entities(teacher, ["ner"], texts)
    ours = predict_entities(student, ["ner"], texts)
    labels = teacher.get_pipe("ner").labels
    assert silver_prf(ours, theirs, labels).fscore > 0.98
    examples = list(spacy.training.Corpus("dev.spacy")(student))
    for eg in examples:
        eg.predicted = student(eg.reference.text)
    assert entity_prf(examples, ["DRUG"]).fscore > 0.65
