"""One update: gold completed in place, silver learnt beside it."""

import warnings
from collections import Counter
from typing import Any, Dict, Iterable, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from .completion import COMPLETED, complete, completed_by
from .distillation import update_softly
from .examples import to_examples
from .findings import count
from .gold import clear_predicted, mend_entities
from .listeners import only_listener
from .overlap import verdicts_on
from .session import Session
from .silver import SilverText
from .teacher import Teacher, annotate_docs, as_entities, zone


def complete_gold(
    nlp: Language, session: Session, examples: Sequence[Example]
) -> Counter:
    """Complete the gold of a batch with the teacher's old labels, in place, once.

    nlp (Language): The student.
    session (Session): The training run.
    examples (Sequence[Example]): The batch. What was completed before is left alone.
    RETURNS (Counter): How many entities were filled in, given up in conflicts,
        misaligned, or mended.
    """
    stamp = completed_by(session.teacher, session.labels)
    new = [eg for eg in examples if eg.reference.user_data.get(COMPLETED) != stamp]
    found = session.entities_in([eg.reference.text for eg in new])
    counts: Counter = Counter()
    # Where people say that something is no entity, as spaCy's recogniser reads it.
    key = getattr(nlp.get_pipe(session.teacher.component), "incorrect_spans_key", None)
    for eg, said in zip(new, found, strict=True):
        refuted = as_entities(eg.reference.spans.get(key, ())) if key else ()
        entities = [entity for entity in said if entity not in refuted]
        counts.update(complete(eg.reference, entities, session.labels)._asdict())
        counts["mended"] += mend_for_student(nlp, session, eg)
        eg.reference.user_data[COMPLETED] = stamp
    if sum(clear_predicted(eg) for eg in examples):
        warnings.warn(
            "entities were set on the docs to predict, and taken off: they would bind "
            "the recogniser instead of teaching it",
            stacklevel=2,
        )
    return counts


def mend_for_student(nlp: Language, session: Session, example: Example) -> int:
    """Mend entities, in place, on which spaCy's recogniser can't be trained, by what it
    will be shown: starts of sentences, say.

    nlp (Language): The student.
    session (Session): The training run.
    example (Example): The example. Only its reference is changed.
    RETURNS (int): How many entities were mended or set aside.
    """
    if not set(session.annotating) - set(session.upstream):  # these give vectors alone
        return mend_entities(example)
    copied = [example.predicted.copy()]
    (predicted,) = annotate_docs(nlp, session.annotating, copied)
    return mend_entities(Example(predicted, example.reference))


def silver_examples(
    nlp: Language, session: Session, silver: Sequence[SilverText]
) -> List[Example]:
    """RETURNS (List[Example]): What silver teaches. Call it inside `zone(nlp)`."""
    verdicts = verdicts_on(session.overlaps)
    beaten = {label for label, wins in verdicts.items() if wins}
    return to_examples(
        nlp,
        silver,
        unknown=session.labels,
        mentions=session.mentions,
        verdicts=verdicts,
        # Where old scores can move, silver has to hold them.
        doubted=() if session.old_scores_move else beaten,
        annotating=session.annotating,
    )


def learn_silver(
    nlp: Language, session: Session, silver: List[SilverText], drop: float
) -> float:
    """Add the gradient of some silver to that of the learning pipe.

    nlp (Language): The student. None of its weights moves yet.
    session (Session): The training run.
    silver (List[SilverText]): The silver. It may be empty.
    drop (float): The dropout rate.
    RETURNS (float): The learning pipe's loss.
    """
    if not silver:
        return 0.0
    teacher, component = session.teacher, session.teacher.component
    losses: Dict[str, float] = {component: 0.0}
    told = [item.findings for item in silver]
    session.found.update(count(told, [item.entities for item in silver]))
    # In memory zones the words of the pool leave no trace in the vocabs.
    with (
        zone(nlp),
        zone(teacher.nlp),
        only_listener(nlp, session.upstream, component),
    ):
        examples = silver_examples(nlp, session, silver)
        docs = _as_teacher_sees(teacher, examples) if session.soft else None
        # At random, scores would differ from the teacher's, who drops nothing.
        drop = drop if docs is None else 0.0
        # What nlp.update does first, for the pipes that this one can't do without.
        for name in session.upstream:
            if name not in session.frozen:
                shared: Any = nlp.get_pipe(name)
                shared.update(examples, drop=drop, losses=losses)
        learner: Any = nlp.get_pipe(component)
        if docs is None:
            learner.update(examples, drop=drop, losses=losses)
        else:
            update_softly(
                learner,
                teacher.nlp.get_pipe(component),
                examples,
                docs,
                weight=session.soft,
                authority=session.labels,
                losses=losses,
            )
    return float(losses[component])


def _as_teacher_sees(
    teacher: Teacher, examples: Sequence[Example]
) -> Optional[List[Doc]]:
    """The docs for the teacher. None if its tokenizer splits one of them otherwise."""
    docs = [teacher.nlp.make_doc(eg.reference.text) for eg in examples]
    for doc, eg in zip(docs, examples, strict=True):
        if [t.idx for t in doc] != [t.idx for t in eg.reference]:
            return None
    return prepared_for(teacher, docs)


def prepared_for(teacher: Teacher, docs: Iterable[Doc]) -> List[Doc]:
    """Run the pipes that the teacher's recogniser needs.

    teacher (Teacher): The teacher.
    docs (Iterable[Doc]): Docs in its vocab.
    RETURNS (List[Doc]): The docs, ready to be scored.
    """
    return annotate_docs(teacher.nlp, teacher.pipes[:-1], docs)
