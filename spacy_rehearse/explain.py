"""Explanation: what was found about a base, and why each setting is what it is."""

from typing import Any, List, Mapping, Tuple

from spacy.language import Language
from thinc.api import Config

from .listeners import has_transformer, upstream_of
from .recipe import (
    COLUMN_LEARN_RATE,
    COPIED_ENTITIES,
    COPIED_GOLD,
    EPOCHS,
    FEW_ENTITIES,
    FEW_NAMES,
    GOLD_WORDS,
    MADE_UP,
    MADE_UP_ALONE,
    MARGIN,
    MARGIN_ALONE,
    MORE_STEPS,
    SMALL_GOLD,
    SWAPPED,
    GoldSize,
    rate_schedule,
    should_copy,
)

NONE = "not of use to this method, or to this much gold"
RowT = Tuple[str, str, str]  # what, its value, why


def describe_base(nlp: Language, component: str, rehearses: bool) -> List[RowT]:
    """Tell what matters about a base.

    nlp (Language): The base.
    component (str): Its recogniser.
    rehearses (bool): Whether its labels are to be kept.
    RETURNS (List[Tuple[str, str, str]]): What, its value, and what follows from it.
    """
    pipe: Any = nlp.get_pipe(component)
    shared = upstream_of(nlp, component)
    listens = "transformer" if has_transformer(nlp, component) else ", ".join(shared)
    follows = "it learns inside the recogniser"
    if shared:
        follows = (
            "other pipes may read it: it stays frozen beside a column, or is copied"
        )
    n_vectors = len(nlp.vocab.vectors)
    return [
        ("pipes", ", ".join(nlp.component_names), f"all but {component} stay frozen"),
        (
            "labels",
            ", ".join(pipe.labels),
            "they are kept, but for those that are corrected"
            if rehearses
            else "nothing keeps them",
        ),
        ("embeddings", listens or "of its own", follows),
        (
            "vectors",
            str(n_vectors),
            "copied: they do not come with a sourced component"
            if n_vectors
            else "none",
        ),
        (
            "tokenizer",
            type(nlp.tokenizer).__name__,
            "copied: it does not come with a sourced component",
        ),
    ]


def explain(config: Config, gold: GoldSize, *, copies: bool = False) -> List[RowT]:
    """Tell why a config is what it is.

    config (Config): A config of `init-config`.
    gold (GoldSize): The gold, with the new labels only.
    copies (bool): Whether a column can be a copy of the base (column_fit.copy_fits).
    RETURNS (List[Tuple[str, str, str]]): Settings, their values, and why.
    """
    labels = ", ".join(f"{label} {n}" for label, n in gold.labels.most_common())
    amount = "few" if gold.has_few else "many"
    size = f"gold marks {amount} entities: {gold.labels.total():,}"
    training = config["training"]
    rows = [
        ("gold", f"{gold.n_docs:,} texts", labels + _left_out(config)),
        (
            "max_steps",
            str(training["max_steps"]),
            _length(training["max_steps"], gold, "rehearsal" in config["components"]),
        ),
        ("dropout", str(training["dropout"]), size),
    ]
    rate = _rate(training["optimizer"])
    if "rehearsal" not in config["components"]:
        return [*rows, ("learn_rate", rate, "nothing holds the old weights back")]
    settings = config["components"]["rehearsal"]
    given = config["initialize"]["components"]["rehearsal"]
    grows = given["column"] is not None
    rows += [
        (
            "column",
            _size(given["column"]),
            _kind_of_column(copies and _is_small(gold), gold)
            if grows
            else "the method has none, or none fits here: old weights learn, too",
        ),
        (
            "learn_rate",
            rate,
            "it moves new weights only" if grows else "it moves old weights",
        ),
        ("margin", _told(settings["margin"]), _for_scarce(settings)),
        ("rename", _told(settings["rename"]), _for_new_names(settings["rename"])),
        ("expert", str(given["expert"]), size if given["expert"] else NONE),
        ("ratio", str(settings["ratio"]), "words of silver for each word of gold"),
    ]
    if settings["regularizers"]:
        names = ", ".join(settings["regularizers"])
        rows.append(("regularizers", names, "what the method holds old weights by"))
    return rows


def _left_out(config: Config) -> str:
    thinner = config["corpora"]["train"]["augmenter"]
    if not thinner:
        return ""
    return (
        ". Hardly any text has one, or far fewer than in dev: of the others, "
        f"{thinner['keep']:.0%} are kept ([corpora.train.augmenter])"
    )


def _kind_of_column(copy: bool, gold: GoldSize) -> str:
    if not copy:
        return "new weights, the base's are frozen; null is what fits"
    return (
        f"a copy of the base beside it, as gold has {gold.n_words:,} words and "
        f"{gold.labels.total():,} new entities: below {COPIED_GOLD:,}, or "
        f"{COPIED_ENTITIES}, new weights learn less. To predict takes the time of "
        "one more pipeline; copy = false takes less (with an initial_rate of "
        f"{COLUMN_LEARN_RATE:g})"
    )


def _is_small(gold: GoldSize) -> bool:
    return should_copy(gold.n_words, gold.labels.total())


def _size(column: Any) -> str:
    """The size of a column, as far as it is known before the training."""
    if column is None:
        return "null"
    return ", ".join(f"{key} {_told(value)}" for key, value in column.items())


def _told(setting: Any) -> str:
    """A setting as the config has it."""
    return "null" if setting is None else str(setting)


def _for_scarce(settings: Mapping[str, Any]) -> str:
    if settings["margin"] is None:
        return (
            f"{MARGIN if settings['ratio'] else MARGIN_ALONE} if experts miss most of "
            "the gold held out from them or, without any, if it has less than "
            f"{FEW_ENTITIES} new entities, else 0"
        )
    return NONE


def _for_new_names(rename: Any) -> str:
    if rename is None:
        return (
            f"{MADE_UP_ALONE} under made-up names if most occur once in the gold; in "
            f"new weights, if experts find most of it, {MADE_UP}, and {SWAPPED} of the "
            f"rest in each other's place; in a copy, less than {FEW_NAMES} are, and "
            "none is made up"
        )
    return NONE


def _rate(optimizer: Mapping[str, Any]) -> str:
    """The highest learning rate."""
    rate = rate_schedule(optimizer)
    return str(rate["initial_rate"] if isinstance(rate, dict) else rate)


def _length(steps: int, gold: GoldSize, rehearses: bool) -> str:
    wanted = EPOCHS * gold.n_words // GOLD_WORDS
    passes = steps * GOLD_WORDS / gold.n_words
    why = "the fewest updates that are enough" if steps > 1.2 * wanted else "enough"
    if steps > 1.2 * wanted and steps >= MORE_STEPS:
        why = "old labels have to step back for new ones, which takes so long"
        why = why if rehearses else f"as many as with rehearsal, where {why}"
    if steps == MORE_STEPS and (gold.n_words < SMALL_GOLD or _is_small(gold)):
        why = "of small gold, some labels are learnt late, and dev tells which"
    if steps < 0.8 * wanted:
        why = "the most updates that are worth it"
    return (
        f"{passes:.0f} passes over {gold.n_words:,} words in batches of {GOLD_WORDS}: "
        f"{why}"
    )
