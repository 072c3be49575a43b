"""Scores of one pipeline on a step's test part, beside the base's."""

import json
from pathlib import Path
from typing import Any, Callable, Collection, Dict, List, Sequence

import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Example

from spacy_rehearse import scorer
from spacy_rehearse.forgetting import as_examples
from spacy_rehearse.teacher import Entity, predict_entities

from .suites import Step

PredictT = Callable[[Sequence[str]], List[Sequence[Entity]]]


def score(
    predict: PredictT, base: Path, step: Step, labels: Collection[str]
) -> Dict[str, Any]:
    """Score predictions on a step's test part.

    predict (PredictT): Finds the entities of texts.
    base (Path): The original pipeline, to compare with on what was kept out.
    step (Step): What was learnt.
    labels (Collection[str]): All labels that the test part marks.
    RETURNS (Dict[str, Any]): F by label, micro and macro F; where texts were kept out
        of the pool, F against the base on them and the flood.
    """
    nlp = spacy.load(base)
    docs = list(DocBin().from_disk(step.folder / "test.spacy").get_docs(nlp.vocab))
    found = predict([doc.text for doc in docs])
    examples = as_examples(nlp, docs, found)
    by_label = {label: _f(examples, [label]) for label in labels}
    scores: Dict[str, Any] = {"labels": by_label, "new": _f(examples, step.labels)}
    old = [label for label in labels if label not in step.labels]
    if old:
        scores["old"] = _f(examples, old)
        scores["micro"] = _f(examples, labels)
        scores["macro"] = scorer.mean(list(by_label.values()))
    if (step.folder / "kept_out.jsonl").exists():
        scores.update(_compare(predict, nlp, step))
    return scores


def predictor(nlp: Language) -> PredictT:
    """RETURNS (PredictT): What finds a pipeline's entities."""

    def predict(texts: Sequence[str]) -> List[Sequence[Entity]]:
        return list(predict_entities(nlp, nlp.pipe_names, texts))

    return predict


def _f(examples: Sequence[Example], labels: Collection[str]) -> float:
    return scorer.entity_prf(examples, labels).fscore


def _compare(predict: PredictT, base: Language, step: Step) -> Dict[str, float]:
    lines = (step.folder / "kept_out.jsonl").read_text("utf8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    theirs = predict_entities(base, base.pipe_names, texts)
    ours = predict(texts)
    n_words = sum(len(base.make_doc(text)) for text in texts)
    kept = scorer.silver_prf(ours, theirs, base.get_pipe("ner").labels)
    return {
        "retention": kept.fscore,
        "flood": scorer.flood(ours, step.labels, n_words),
    }
