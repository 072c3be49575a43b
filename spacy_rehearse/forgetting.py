"""Forgetting: what a pipeline says after fine-tuning, next to what it said before."""

from collections import Counter
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import numpy
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from . import scorer
from .completion import place_entities, set_entities
from .teacher import (
    Entity,
    ProgressT,
    labels_before,
    no_progress,
    overlaps,
    predict_entities,
    required_pipes,
    sets_entities,
)

N_SAMPLES = 1000  # of the bootstrap
NOTHING = "O"  # no entity, in the confusion
# Of a label, for an interval. If one that is in so many lost an entity in each, that is
# no chance (sign test: 2**-5 < 0.05); in fewer, drawing them again says nothing.
FEWEST_TEXTS = 5


class LabelChange(NamedTuple):
    """One label, before and after.

    label (str): The label.
    is_new (bool): Whether it was learnt, or was there before.
    support (int): How many entities of it the gold marks.
    n_texts (int): In how many texts.
    before (PRFScore): The base's counts.
    after (PRFScore): The student's.
    interval (Tuple[float, float]): Where 95 % of the change in F lies when the texts
        are drawn again (bootstrap: Efron 1979).
    """

    label: str
    is_new: bool
    support: int
    n_texts: int
    before: PRFScore
    after: PRFScore
    interval: Tuple[float, float]

    @property
    def change(self) -> float:
        """Change in F."""
        return self.after.fscore - self.before.fscore


class Changed(NamedTuple):
    """A text that the two pipelines see differently.

    text (str): The text.
    before (Sequence[Entity]): The base's entities.
    after (Sequence[Entity]): The student's.
    n_lost (int): How many of the base's are gone, or called otherwise.
    """

    text: str
    before: Sequence[Entity]
    after: Sequence[Entity]
    n_lost: int


class _Said(NamedTuple):
    """What both say of the same texts."""

    before: Sequence[Sequence[Entity]]
    after: Sequence[Sequence[Entity]]

    def agreement(self, labels: Collection[str]) -> PRFScore:
        return scorer.silver_prf(self.after, self.before, labels)


class Forgetting(NamedTuple):
    """All that can be said of two pipelines.

    old (List[str]): The base's labels.
    new (List[str]): Labels that only the student knows, or that were corrected.
    corrected (List[str]): Those of them that the base knows.
    labels (List[LabelChange]): Each label that the gold marks.
    before (PRFScore): The base's counts of old labels on the gold.
    after (PRFScore): The student's.
    learnt (PRFScore): The student's counts of new labels.
    all (PRFScore): The student's counts of all labels that the gold marks.
    kept (Optional[PRFScore]): Agreement with the base on raw text, on old labels. None
        without raw text. It says nothing (its length is 0) if neither sees any there.
    kept_by_label (Dict[str, PRFScore]): The same, of each label of the base that either
        sees there.
    flood (Optional[float]): Entities of labels that the base lacks, per 1,000 words of
        raw text.
    n_texts (int): How many raw texts there were.
    n_compared (int): How many texts there were, annotated and raw.
    confusion (Counter): What the base's entities became, by (before, after).
    changed (List[Changed]): The texts that changed, the most forgotten first.
    """

    old: List[str]
    new: List[str]
    corrected: List[str]
    labels: List[LabelChange]
    before: PRFScore
    after: PRFScore
    learnt: PRFScore
    all: PRFScore
    kept: Optional[PRFScore]
    kept_by_label: Dict[str, PRFScore]
    flood: Optional[float]
    n_texts: int
    n_compared: int
    confusion: Counter
    changed: List[Changed]

    def summary(self) -> Dict[str, Optional[float]]:
        """RETURNS (Dict[str, Optional[float]]): The figures, from 0 to 1 but for the
        flood. None for what can't be known.
        """
        marked = {scores.label for scores in self.labels}
        has_old = bool(marked & set(self.old) - set(self.new))
        after, before = self.after.fscore, self.before.fscore
        return {
            "new_f": self.learnt.fscore if marked & set(self.new) else None,
            "old_f_before": before if has_old else None,
            "old_f": after if has_old else None,
            "all_f": self.all.fscore if has_old else None,
            "bwt": after - before if has_old else None,
            "retention": self.kept.fscore if self.kept else None,
            "flood": self.flood,
        }


def compare_pipelines(
    base: Language,
    student: Language,
    component: str,
    *,
    gold: Sequence[Doc],
    texts: Sequence[str],
    new: Optional[Sequence[str]] = None,
    in_full: Sequence[str] = (),
    progress: ProgressT = no_progress,
) -> Forgetting:
    """Compare a pipeline with the one it was fine-tuned from.

    base (Language): The pipeline before.
    student (Language): The pipeline after.
    component (str): The name of the entity recogniser.
    gold (Sequence[Doc]): Annotated texts. The labels that they hold are taken to be
        marked in full; tokens of missing annotation count neither way.
    texts (Sequence[str]): Raw text, to see on what both agree.
    new (Optional[Sequence[str]]): The labels that were learnt. None to find out.
    in_full (Sequence[str]): Labels that the annotated texts mark in full, also if they
        have none of them: what is found of these is wrong.
    progress (ProgressT): Shows how far it is.
    RETURNS (Forgetting): The comparison.
    RAISES (ValueError): If there is nothing to compare on.
    """
    if not gold and not texts:
        raise ValueError("there is no text to compare the pipelines on")
    known = labels_of(base, component)
    new = learnt(base, student, component) if new is None else sorted(new)
    old = sorted(known - set(new))
    corrected = sorted(known & set(new))
    # Others that earlier pipes set are not the recogniser's to find.
    others = {*labels_before(student, component)} - {*known, *new}
    held = {ent.label_ for doc in gold for ent in doc.ents}
    marked = sorted({*held, *(in_full if gold else ())} - others)
    all_texts = [*(doc.text for doc in gold), *texts]
    theirs = _predict(base, component, progress(all_texts, "Before"))
    ours = _predict(student, component, progress(all_texts, "After"))
    n_gold = len(gold)
    was = as_examples(base, gold, theirs[:n_gold])
    now = as_examples(base, gold, ours[:n_gold])
    raw = _Said(theirs[n_gold:], ours[n_gold:])
    # In a raw text that is among the gold, it is no loss to find what that marks.
    marked_new = scorer.marked_in(gold, new)
    unmarked = _Said(*(scorer.unmarked(texts, found, marked_new) for found in raw))
    words = sum(len(base.make_doc(text)) for text in texts)
    return Forgetting(
        old=old,
        new=list(new),
        corrected=corrected,
        labels=[_scores_of(x, x in new, was, now) for x in marked],
        before=scorer.entity_prf(was, [x for x in marked if x in old]),
        after=scorer.entity_prf(now, [x for x in marked if x in old]),
        learnt=scorer.entity_prf(now, [x for x in marked if x in new]),
        all=scorer.entity_prf(now, marked),
        kept=unmarked.agreement(old) if texts else None,
        kept_by_label={
            label: prf
            for said, labels in ((unmarked, old), (raw, corrected))
            for label in labels
            if len(prf := said.agreement([label]))
        },
        flood=scorer.flood(unmarked.after, {*new} - known, words) if texts else None,
        n_texts=len(texts),
        n_compared=len(all_texts),
        confusion=_confusion(theirs, ours),
        changed=_changed(all_texts, theirs, ours, set(new)),
    )


def learnt(base: Language, student: Language, component: str) -> List[str]:
    """RETURNS (List[str]): Labels that only the second pipeline knows, unless earlier
    pipes set them, and those that were corrected since the first.
    """
    known = labels_of(base, component)
    told, before = (x.meta.get("spacy_rehearse", {}) for x in (student, base))
    now, then = (Counter(x.get("corrected", [])) for x in (told, before))
    corrected = {*(now - then)}
    if told.get("teacher") != before.get("teacher"):  # not of the same round
        corrected |= {*told.get("labels", [])}  # some were corrected before, too
    taken_over = {*labels_before(student, component)} - {*told.get("labels", [])}
    fresh = labels_of(student, component) - known - taken_over
    return sorted(fresh | (corrected & known))


def labels_of(nlp: Language, component: str) -> Set[str]:
    """RETURNS (Set[str]): The labels of a recogniser."""
    pipe: Any = nlp.get_pipe(component)
    return set(pipe.labels)


def _predict(
    nlp: Language, component: str, texts: Iterable[str]
) -> List[Tuple[Entity, ...]]:
    # Entities that are set before bind the recogniser: of these, it alone counts.
    others = [name for name in nlp.pipe_names if not sets_entities(nlp, name)]
    return predict_entities(nlp, required_pipes(nlp, component, others), texts)


def as_examples(
    nlp: Language, gold: Sequence[Doc], predicted: Sequence[Sequence[Entity]]
) -> List[Example]:
    """Put predictions beside gold.

    nlp (Language): A pipeline with the tokenizer of what predicted: an entity that does
        not fall on the gold's tokens is widened to them, as by spaCy's scorer, and not
        nothing.
    gold (Sequence[Doc]): The annotated texts.
    predicted (Sequence[Sequence[Entity]]): The entities that were found in each.
    RETURNS (List[Example]): The examples, as a scorer takes them.
    """
    examples = []
    for doc, entities in zip(gold, predicted, strict=True):
        said = nlp.make_doc(doc.text)
        set_entities(said, place_entities(said, entities)[0], set())
        examples.append(Example(said, doc))
    return examples


def _scores_of(
    label: str, is_new: bool, was: Sequence[Example], now: Sequence[Example]
) -> LabelChange:
    before, after = scorer.entity_prf(was, [label]), scorer.entity_prf(now, [label])
    counts = [
        numpy.array([_counts(scorer.entity_prf([eg], [label])) for eg in examples])
        for examples in (was, now)
    ]
    return LabelChange(
        label=label,
        is_new=is_new,
        support=after.tp + after.fn,
        n_texts=int((counts[1][:, 0] + counts[1][:, 2] > 0).sum()),
        before=before,
        after=after,
        interval=bootstrap(counts[0], counts[1]),
    )


def _counts(score: PRFScore) -> Tuple[int, int, int]:
    return score.tp, score.fp, score.fn


def bootstrap(
    before: Any, after: Any, *, n_samples: int = N_SAMPLES, seed: int = 0
) -> Tuple[float, float]:
    """Estimate how far a change in F may be off, by drawing the texts again. Draws
    without an entity of the label in the gold say nothing, and are left out.

    before (numpy.ndarray): True positives, false positives and false negatives, a row
        for each text.
    after (numpy.ndarray): The same of the other pipeline, on the same texts.
    n_samples (int): How often to draw.
    seed (int): Seed of the drawing.
    RETURNS (Tuple[float, float]): The 2.5th and 97.5th percentile of the change
        (percentile bootstrap: Efron 1979; paired, as in Berg-Kirkpatrick et al. 2012).
    """
    n = len(before)
    rng = numpy.random.default_rng(seed)
    both = numpy.hstack([before, after])
    # One after the other: a thousand times all texts at once may not fit into memory.
    sums = numpy.array(
        [rng.multinomial(n, numpy.full(n, 1 / n)) @ both for _ in range(n_samples)]
    )
    drawn, changed = numpy.hsplit(sums, 2)
    changes = _f_of(changed) - _f_of(drawn)
    marked = drawn[:, 0] + drawn[:, 2] > 0
    low, high = numpy.percentile(changes[marked | ~marked.any()], [2.5, 97.5])
    return float(low), float(high)


def _f_of(counts: Any) -> Any:
    tp, fp, fn = counts.T
    return 2 * tp / numpy.maximum(2 * tp + fp + fn, 1)


def _confusion(
    theirs: Iterable[Sequence[Entity]], ours: Iterable[Sequence[Entity]]
) -> Counter:
    """Count what became of each entity. Where none has the same edges, one that
    overlaps counts as `label, other edges`.
    """
    counts: Counter = Counter()
    for before, after in zip(theirs, ours, strict=True):
        for start, end, label in before:
            counts[label, _became(start, end, after)] += 1
        for entity in after:
            if not overlaps(entity, before):
                counts[NOTHING, entity[2]] += 1
    return counts


def _became(start: int, end: int, after: Sequence[Entity]) -> str:
    rivals = [e for e in after if e[0] < end and start < e[1]]
    for s, e, other in rivals:
        if (s, e) == (start, end):
            return other
    if not rivals:
        return NOTHING
    s, e, other = max(rivals, key=lambda x: min(end, x[1]) - max(start, x[0]))
    return f"{other}, other edges"


def _changed(
    texts: Sequence[str],
    theirs: Sequence[Sequence[Entity]],
    ours: Sequence[Sequence[Entity]],
    new: set,
) -> List[Changed]:
    changed = []
    for text, before, after in zip(texts, theirs, ours, strict=True):
        if list(before) != list(after):
            n_lost = len([e for e in set(before) - set(after) if e[2] not in new])
            changed.append(Changed(text, before, after, n_lost))
    return sorted(changed, key=lambda x: -x.n_lost)
