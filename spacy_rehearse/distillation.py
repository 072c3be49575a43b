"""Distillation: what the teacher thinks of each of its actions, not just the best.

At each state that the student reaches on silver text, its scores of the teacher's
actions are drawn to the teacher's (Hinton et al. 2015; restricted to the old classes:
Li and Hoiem 2016, "Learning without forgetting"). Actions of new labels are left out of
both distributions: the teacher has nothing to say about them.

The temperature is high. At 1, a distribution hardly shows that scores drift until an
action overtakes another, and then it is late.
"""

import random
from typing import Any, Collection, Dict, List, Sequence, Tuple

from spacy.pipeline.transition_parser import Parser
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import set_dropout_rate
from thinc.types import Floats2d

SCALE = 0.025  # so that a weight of 1.0 is about right


def can_distil(pipe: Any) -> bool:
    """RETURNS (bool): Whether a pipe scores actions one by one, as spaCy's `ner` and
    `beam_ner` do.
    """
    return isinstance(pipe, Parser)


def shared_actions(
    student: Any, teacher: Any, authority: Collection[str]
) -> Tuple[List[int], List[int]]:
    """Find the actions on which the teacher's word counts.

    student (Parser): The pipe that learns.
    teacher (Parser): The teacher's pipe.
    authority (Collection[str]): Labels on which only the gold counts.
    RETURNS (Tuple[List[int], List[int]]): Columns of the student's scores, and those of
        the teacher's for the same actions.
    """
    ours = {name: i for i, name in enumerate(action_names(student))}
    theirs = [
        (ours[name], i)
        for i, name in enumerate(action_names(teacher))
        if name in ours and label_of(name) not in authority
    ]
    return [i for i, _ in theirs], [i for _, i in theirs]


def action_names(pipe: Any) -> List[str]:
    """RETURNS (List[str]): A pipe's actions, e.g. "B-ORG", in its scores' order."""
    return [pipe.moves.get_class_name(i) for i in range(pipe.moves.n_moves)]


def label_of(action: str) -> str:
    """RETURNS (str): The label of an action, empty for `O`."""
    return action.partition("-")[2]


def soft_gradient(ours: Floats2d, theirs: Floats2d) -> Floats2d:
    """Differentiate the cross-entropy between teacher's and student's distributions.

    At temperature T, H = -T² sum(softmax(theirs / T) * log(softmax(ours / T))). This is
    its limit for a high T (Hinton et al. 2015, section 2.1), where scores are matched
    up to a constant that they may share: the drift, divided by the number of actions.
    Here it is divided by a constant, as a pipe of few labels learns no slower.

    ours (Floats2d): The student's scores of the shared actions, a row for each state.
    theirs (Floats2d): The teacher's.
    RETURNS (Floats2d): The gradient by `ours`. Each row sums to 0.
    """
    drift = ours - theirs
    return SCALE * (drift - drift.mean(axis=1, keepdims=True))


def update_softly(
    student: Any,
    teacher: Any,
    examples: Sequence[Example],
    teacher_docs: Sequence[Doc],
    *,
    weight: float,
    hard: float = 1.0,
    authority: Collection[str],
    losses: Dict[str, float],
) -> None:
    """Add the gradients of hard silver and of distillation, in one forward pass.

    As spacy.pipeline.transition_parser.Parser.update without an optimizer, but that
    each state's gradient gets the distillation's added to it. A shared embedding pipe
    must have been updated on the same examples before, as nlp.update does.

    student (Parser): The pipe that learns.
    teacher (Parser): The teacher's pipe.
    examples (Sequence[Example]): The silver.
    teacher_docs (Sequence[Doc]): The same texts with the same tokens, in the teacher's
        vocab, after the pipes that the teacher's listens to.
    weight (float): Weight of the distillation's gradient.
    hard (float): Weight of the hard silver's gradient.
    authority (Collection[str]): Labels on which only the gold counts.
    losses (Dict[str, float]): The hard loss is added under the student's name.
    """
    set_dropout_rate(student.model, 0.0)
    states, golds, most_moves = _start_states(student, examples)
    if not states:
        return
    model, backprop_tok2vec = student.model.begin_update([eg.x for eg in examples])
    # By default it drops a tenth of the state vectors' values. Scores would differ from
    # the teacher's at random, and shrink to match them.
    model.attrs["dropout_rate"] = 0.0
    tutor = teacher.model.predict(list(teacher_docs))
    ours, theirs = shared_actions(student, teacher, authority)
    n_moves = 0
    while states and n_moves <= most_moves:
        scores, backprop = model.begin_update(states)
        d_scores = hard * student.get_batch_loss(states, golds, scores, losses)
        wanted = tutor.predict(states)[:, theirs]
        d_scores[:, ours] += weight * soft_gradient(scores[:, ours], wanted)
        backprop(d_scores)
        student.transition_states(states, scores)  # the student's own best
        going = [(s, g) for s, g in zip(states, golds, strict=True) if not s.is_final()]
        states, golds = [s for s, _ in going], [g for _, g in going]
        n_moves += 1
    backprop_tok2vec(golds)
    model.clear_memory()
    tutor.clear_memory()


def _start_states(student: Any, examples: Sequence[Example]):
    """Start states with their gold, and the most moves from each, as in Parser.update:
    long docs are cut where the oracle passes, so that all take about as many moves.
    """
    length = student.cfg["update_with_oracle_cut_size"]
    if length < 1:
        states, golds, _ = student.moves.init_gold_batch(examples)
        return list(states), list(golds), float("inf")
    length = int(random.uniform(length // 2, length * 2))
    states, golds, _ = student._init_gold_batch(examples, max_length=length)
    return list(states), list(golds), length
