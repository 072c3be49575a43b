"""Checks: what would spoil the training in silence, found before it starts."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Collection, Iterable, Mapping, Optional, Sequence

from spacy.language import Language
from spacy.training import Example
from spacy.training.loop import DIR_MODEL_BEST, DIR_MODEL_LAST
from thinc.api import Model

from .cache import require_own
from .column import DEFAULT_COLUMN
from .completion import COMPLETED, completed_by
from .expert import DEFAULT_EXPERT
from .files import can_be_written
from .listeners import upstream_of
from .parameters import parameters
from .settings import Settings
from .teacher import Entity, Teacher, check_recogniser, vectors_digest

FACTORY = "rehearsal"
# An expert has a fold of the gold of its own.
MOST_EXPERT = {"n_experts": 5, "max_passes": 1000, "lean": 20}
MOST_COLUMN = {"width": 1000, "depth": 16, "hidden": 1000}
LEAST = {"lean": 0}  # of the others, 1
NUMBERS = {"lean": (int, float)}  # the others are whole
FITS = ", or null for what fits the gold"
MAY_BE_NULL = {"lean": FITS, "width": FITS, "depth": FITS, "hidden": FITS}
MOST_MARGIN = 10.0
MOST_MISALIGNED = 0.05  # share of the teacher's entities


def check_settings(how: Settings) -> None:
    """Raise a ValueError if a number is out of its range, or the pool no reader."""
    if not callable(how.pool):
        raise ValueError(
            "[initialize.components.rehearsal] pool is a "
            f"{type(how.pool).__name__}, not a reader: expected a function that takes "
            "the pipeline and gives texts, such as that of @readers = "
            '"spacy-rehearse.RawText.v1" (in Python: lambda nlp: texts)'
        )
    if how.ratio < 0:
        raise ValueError(
            f"[components.rehearsal] ratio is {how.ratio}: silver words per gold word "
            "can't be negative (0 turns silver off)"
        )
    if how.soft < 0:
        raise ValueError(
            f"[components.rehearsal] soft is {how.soft}: the weight of distillation "
            "can't be negative (0 turns it off)"
        )
    if how.margin is not None and not 0 <= how.margin <= MOST_MARGIN:
        raise ValueError(
            f"[components.rehearsal] margin is {how.margin}: expected 0 (none) to "
            f"{MOST_MARGIN:g}, in units of the recogniser's scores, or null for what "
            "fits the gold"
        )
    if how.rename is not None and not 0 <= how.rename <= 1:
        raise ValueError(
            f"[components.rehearsal] rename is {how.rename}: it is a share of the new "
            "labels' entities, 0 (none) to 1, or null for what fits the gold"
        )
    if not 0 < how.heldout < 1:
        raise ValueError(
            f"[initialize.components.rehearsal] heldout is {how.heldout}: it is a "
            "share of the pool, above 0 and below 1"
        )
    if how.expert is not None:
        _check_block("expert", {**DEFAULT_EXPERT, **how.expert}, MOST_EXPERT)
    if how.column is not None:
        sizes = {**DEFAULT_COLUMN, **how.column}
        either = {key: sizes.pop(key) for key in ("copy", "step_back")}
        _check_block("column", sizes, MOST_COLUMN, also=list(either))
        for key, value in either.items():
            if value not in (None, True, False):
                raise ValueError(
                    f"[initialize.components.rehearsal.column] {key} is {value}: "
                    "expected true, false, or null for what fits the gold"
                )


def check_memory(memory: Optional[Mapping[str, Any]]) -> None:
    """Raise a ValueError if the settings of the memory can't work."""
    if memory is None:
        return
    where = "[initialize.components.rehearsal.memory]"
    known = {"path", "save_to", "capacity", "policy"}
    if not {"capacity", "policy"} <= set(memory) <= known:
        wrong = sorted(set(memory) - known) or sorted(memory)
        raise ValueError(
            f"{where} holds {wrong}: expected capacity, policy and at least "
            "one of path and save_to; memory = null in [initialize.components."
            "rehearsal] turns it off"
        )
    if memory.get("path") is None and memory.get("save_to") is None:
        raise ValueError(
            f"{where}: path and save_to are both null, so nothing would be replayed "
            "and nothing kept"
        )
    save_to = memory.get("save_to")
    if save_to and (Path(save_to).is_dir() or not can_be_written(Path(save_to))):
        raise ValueError(f"{where} save_to is {save_to!r}, no file that can be written")
    if not isinstance(memory["capacity"], int) or memory["capacity"] < 1:
        raise ValueError(
            f"{where} capacity is {memory['capacity']}: expected at least 1 text "
            "(memory = null in [initialize.components.rehearsal] turns it off)"
        )
    if not callable(memory["policy"]):
        raise ValueError(
            f"{where} policy is {memory['policy']!r}: expected a block such as "
            "[initialize.components.rehearsal.memory.policy] @misc = "
            '"spacy-rehearse.Rare.v1"'
        )


def check_cache(cache: Optional[str]) -> None:
    """Raise a ValueError if the silver cache can't be written, or is something else."""
    if cache is None:
        return
    require_own(Path(cache))
    if not can_be_written(Path(cache) / "folder"):
        raise ValueError(
            f"[initialize.components.rehearsal] cache is {cache!r}, where nothing can "
            "be written: name another folder, or set cache = null to keep silver in "
            "memory"
        )


def _check_block(
    name: str,
    settings: Mapping[str, Any],
    most: Mapping[str, int],
    also: Sequence[str] = (),
) -> None:
    where = f"[initialize.components.rehearsal.{name}]"
    without = (
        f"to train without, set {name} = null in [initialize.components.rehearsal]"
    )
    if set(settings) != set(most):
        wrong = sorted(set(settings) - set(most)) or sorted(settings)
        expected = sorted([*most, *also])
        raise ValueError(f"{where} holds {wrong}: expected {expected}; {without}")
    for key, limit in most.items():
        if key in MAY_BE_NULL and settings[key] is None:
            continue
        least = LEAST.get(key, 1)
        value, kinds = settings[key], NUMBERS.get(key, int)
        if not isinstance(value, kinds) or not least <= value <= limit:
            what = "a whole number, " if kinds is int else ""
            raise ValueError(
                f"{where} {key} is {value!r}: expected {what}{least} to {limit}"
                f"{MAY_BE_NULL.get(key, '')}; {without}"
            )


def check_pipeline(
    nlp: Language, name: str, component: str, frozen: Sequence[str]
) -> None:
    """Raise a ValueError if the component's place or its target can't work.

    nlp (Language): The pipeline.
    name (str): The name of the rehearsal component.
    component (str): The name of the pipe that learns.
    frozen (Sequence[str]): The frozen components.
    """
    names = nlp.component_names
    twins = [n for n in names if nlp.get_pipe_meta(n).factory == FACTORY]
    if len(twins) > 1:
        raise ValueError(
            f"the pipeline holds more than one rehearsal component: {twins}. Keep one"
        )
    if names[0] != name:
        raise ValueError(
            f"{name!r} must stand first in [nlp] pipeline, before {names[0]!r}, to "
            "complete the gold before any other pipe learns from it"
        )
    check_recogniser(nlp, component, "the pipeline")
    model = getattr(nlp.get_pipe(component), "model", None)
    if isinstance(model, Model) and next(parameters(model), None) is None:
        raise ValueError(
            f"component {component!r} has no weights yet: it is made anew, with "
            f"nothing to keep. Set source = ${{paths.base}} in [components.{component}]"
            ", instead of factory"
        )
    if component in frozen:
        raise ValueError(
            f"component {component!r} learns the new labels, but stands in [training] "
            f"frozen_components {list(frozen)}: take it out"
        )


def check_output(base: str, args: Sequence[str]) -> None:
    """Raise a ValueError if `spacy train` is about to delete the base: it clears its
    output folder of the pipelines that an earlier training left there.

    base (str): A package name or a path.
    args (Sequence[str]): The command line.
    """
    if "train" not in args:
        return
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-o", "--output")
    output = parser.parse_known_args(args)[0].output
    place = Path(base).resolve()
    for name in (DIR_MODEL_BEST, DIR_MODEL_LAST) if output else ():
        if place.is_relative_to((Path(output) / name).resolve()):
            raise ValueError(
                f"--output {output} is where the base {base} is: the training would "
                "delete it first. Name another folder"
            )


def check_regularizers(nlp: Language, name: str, given: Collection[str]) -> None:
    """Raise a ValueError if the rehearsal component has lost its regularizers.

    nlp (Language): The pipeline.
    name (str): The component's name.
    given (Collection[str]): The names of those that it has.
    """
    told = nlp.get_pipe_config(name).get("regularizers")
    if told and not given:
        raise ValueError(
            f"component {name!r} has lost its regularizers {list(told)}: what is "
            "pickled does not hold them. Load the pipeline from its config"
        )


def check_enabled(nlp: Language, component: str) -> None:
    """Raise a ValueError if a pipe that learns is disabled. While spaCy initializes,
    all that are sourced are, so ask before or after.

    nlp (Language): The pipeline.
    component (str): The name of the pipe that learns.
    """
    needed = (*upstream_of(nlp, component), component)
    if idle := [name for name in needed if name in nlp.disabled]:
        raise ValueError(
            f"{idle} can't learn: it stands in [nlp] disabled {nlp.disabled}. Take it "
            "out, and disable it again in what is saved (nlp.disable_pipe)"
        )


def check_completed(
    gold: Iterable[Example], teacher: Teacher, labels: Iterable[str]
) -> None:
    """Raise a ValueError if what a teacher filled into the gold, in place, in another
    training would now pass for people's annotation.

    gold (Iterable[Example]): The gold.
    teacher (Teacher): The teacher.
    labels (Iterable[str]): The labels that are to be learnt.
    """
    ours = (None, completed_by(teacher, labels))
    if any(eg.reference.user_data.get(COMPLETED) not in ours for eg in gold):
        raise ValueError(
            "the gold was completed in place by an earlier training, of another "
            "teacher or for other labels, and what that filled in can't be told from "
            "people's annotation: read the examples from the file again"
        )


def check_none_is_late(examples: Iterable[Example], labels: Sequence[str]) -> None:
    """Raise a ValueError if the recogniser would get new labels from the gold.

    examples (Iterable[Example]): The gold that it is to learn now.
    labels (Sequence[str]): Its labels when the training began.
    """
    marked = {ent.label_ for eg in examples for ent in eg.reference.ents}
    if late := sorted(marked - set(labels)):
        raise ValueError(
            f"the gold marks {late}, and did not when the training was initialized: "
            "show `initialize` all of the gold"
        )


def check_not_grown(nlp: Language, component: str, labels: Sequence[str]) -> None:
    """Raise a ValueError if the recogniser has got new labels while it learns: then it
    has a new output layer, too, and what was frozen or averaged of the old one is lost.

    nlp (Language): The pipeline.
    component (str): The name of the recogniser.
    labels (Sequence[str]): Its labels when the training began.
    """
    pipe: Any = nlp.get_pipe(component)
    if new := sorted(set(pipe.labels) - set(labels)):
        earlier = nlp.component_names[1 : nlp.component_names.index(component)]
        raise ValueError(
            f"{component!r} has taken over the labels {new} while it learnt: a "
            f"component before it, one of {earlier}, sets entities of which it does "
            f"not tell in its `labels`. Let it stand after {component!r} in [nlp] "
            "pipeline, or leave it out for the time of the training"
        )


def check_vectors(nlp: Language, teacher: Teacher) -> None:
    """Raise a ValueError if the teacher's word vectors are not the student's."""
    theirs, ours = teacher.nlp.vocab.vectors, nlp.vocab.vectors
    if theirs.shape[0] and vectors_digest(nlp) != vectors_digest(teacher.nlp):
        n_ours = ours.n_keys if ours.shape[0] else 0  # a sourced pipe leaves the keys
        raise ValueError(
            f"the teacher {teacher.name!r} has {theirs.n_keys} word vectors, the "
            f"pipeline has other ones or none ({n_ours}): a sourced component "
            "comes without them. Set [initialize] vectors to the base, e.g. "
            "vectors = ${paths.base}"
        )


def check_misaligned(n_misaligned: int, n_entities: int) -> None:
    """Raise a ValueError if too many of the teacher's entities can't be carried over.

    n_misaligned (int): Entities that the student's tokenizer cuts in two.
    n_entities (int): All the entities.
    """
    share = n_misaligned / max(n_entities, 1)
    if share > MOST_MISALIGNED:
        raise ValueError(
            f"the tokenizer splits the teacher's texts differently: {n_misaligned} of "
            f"{n_entities} entities ({share:.1%}, allowed {MOST_MISALIGNED:.0%}) are "
            "misaligned. The tokenizer is not sourced with a component: copy it with "
            '[initialize.before_init] @callbacks = "spacy.copy_from_base_model.v1" and '
            "tokenizer = ${paths.base}"
        )


def check_entities(
    heldout: Sequence[Sequence[Entity]], labels: Collection[str]
) -> None:
    """Raise a ValueError if the teacher finds nothing in the held-out texts that could
    be forgotten.

    heldout (Sequence[Sequence[Entity]]): Its entities, text by text.
    labels (Collection[str]): The labels that are to be kept. There may be none.
    """
    found = {label for entities in heldout for _, _, label in entities}
    if labels and found.isdisjoint(labels):
        raise ValueError(
            f"the teacher finds no entity of the labels to be kept, {sorted(labels)}, "
            f"in {len(heldout)} held-out pool texts: retention can't be measured. Use "
            "raw text like that which the pipeline reads, and more of it"
        )
