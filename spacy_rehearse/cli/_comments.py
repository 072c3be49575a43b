"""Comments in the config that init-config writes, where a reader would ask."""

from textwrap import TextWrapper
from typing import List

from thinc.api import Config

from .. import recipe
from ..recipe import GoldSize

_WRAPPED = TextWrapper(
    width=86,
    initial_indent="# ",
    subsequent_indent="# ",
    break_long_words=False,
    break_on_hyphens=False,
)
COMMENTS = {
    "[paths]": [
        "Written by `python -m spacy rehearse init-config`. Train with:",
        "    python -m spacy train {config} {options}",
    ],
    "[components.rehearsal]": [
        "Completes the gold with what the original pipeline says, and trains on raw text "
        "that it labels beside it (ratio = 0: on none).",
    ],
    "ratio =": [
        "Silver words (raw text labelled by the original) per gold word, which come on "
        "top of a batch of gold; 0 = none.",
    ],
    "soft =": [
        "Weight of distillation: the teacher's scores, not just its choice. Beside a "
        "column it acts only where old labels hide new ones, and have to step back.",
    ],
    "margin =": [
        "`O` scores so much higher while new labels learn, so that they win over it "
        "more often afterwards. null: {recipe.MARGIN}, with ratio = 0 "
        "{recipe.MARGIN_ALONE}, if the experts miss most of the "
        "gold that is held out from them or, without experts, below "
        "{recipe.FEW_ENTITIES} new entities; or else 0.",
    ],
    "rename =": [
        "Share of the gold's new entities that are learnt under a made-up name. null: "
        "{recipe.MADE_UP_ALONE} if most names occur once in the gold (not for terms "
        "in lower case), or else 0. In new weights, beside silver, where experts find "
        "most of the gold held out from them, {recipe.MADE_UP}, and {recipe.SWAPPED} "
        "of the rest stand in each other's place; in a copy of the original, fewer "
        "than {recipe.FEW_NAMES} names do, and none is made up.",
    ],
    "[components.rehearsal.regularizers.l2sp]": [
        "Pulls the weights a little back to the original's at each update.",
    ],
    "replace_listeners =": [
        "A copy of the shared embeddings of its own, so that no other pipe changes.",
    ],
    "[corpora.train.augmenter]": [
        "Hardly any text has an entity, or far fewer than in dev. Of those that have "
        "none, so many are kept.",
    ],
    "frozen_components =": ["Pipes that stay as they are."],
    "max_steps =": ["About {passes} passes over {n} gold texts."],
    "use_averages =": ["What is scored and saved are averages of the weights."],
    "[training.optimizer.learn_rate]": [
        "From 0 up, and down to 0 at the last update: total_steps goes with max_steps.",
    ],
    "[training.batcher]": ["Words of gold in an update."],
    "[training.before_to_disk]": [
        "Saves a pipeline that does not need the plugin. It keeps the base's name and "
        "version; set name = ..., version = ... here for others.",
    ],
    "rehearsal_score =": [
        "rehearsal_score is the harmonic mean of new F and retention. ents_f can't "
        "choose a checkpoint: dev marks new labels only. 0.0 = shown, null = hidden.",
    ],
    "[initialize.before_init]": [
        "Tokenizer and vocab do not come with a sourced component.",
    ],
    "[initialize.components.rehearsal]": [
        "labels: what the gold marks in full. By default, labels new to the teacher.",
    ],
    "cache =": ["Holds text of pool and gold! null keeps it in memory."],
    "[initialize.components.rehearsal.expert]": [
        "Copies of the base that learn the gold alone, to find the new labels in the "
        "pool. To do without: delete this section, and write expert = null above it.",
    ],
    "[initialize.components.rehearsal.column]": [
        "New labels get weights of their own; the original's are frozen. To let all "
        "weights learn, held by distillation: delete this section, write column = null "
        "above it, and set initial_rate to {recipe.LEARN_RATE}. copy = null: gold "
        "below {recipe.COPIED_GOLD:,} words or {recipe.COPIED_ENTITIES} new entities is "
        "learnt by a copy of the original's weights, which learns more, if it has a "
        "tok2vec of its own, not PyTorch's; false: never, which is "
        "faster to predict, with an initial_rate of {recipe.COLUMN_LEARN_RATE}. width, hidden = null: {recipe.NARROW[width]} and "
        "{recipe.NARROW[hidden]}, or {recipe.WIDE[width]} and {recipe.WIDE[hidden]} "
        "where names are made up and gold is enough. depth = null: "
        "{recipe.NARROW[depth]}, or {recipe.SHALLOW[depth]} where gold is scarce. "
        "step_back = null: old labels "
        'make room where they often hide new ones ("Party" in "the Party"), or where '
        "one is corrected, and can change a little; false: never.",
    ],
    "[initialize.components.rehearsal.memory]": [
        "Annotated texts of earlier rounds are replayed from path, and some of this "
        "round's are kept in save_to. The first round finds no file, and makes it.",
    ],
    "annotating_components =": [
        "A frozen tok2vec that the recogniser listens to has to run during training, "
        "and what set annotation for it when the base was trained.",
    ],
    "[initialize.components.rehearsal.pool]": [
        "Raw text like that which the pipeline reads: .txt, .jsonl, .spacy, a folder.",
    ],
}


def with_comments(
    config: Config,
    *,
    config_path: str,
    gold: GoldSize,
    options: str = "--output training",
) -> str:
    """Write a config as text, with a comment where a reader would ask.

    config (Config): The config.
    config_path (str): Where it will be saved.
    gold (GoldSize): The size of the gold.
    options (str): Those of `spacy train`.
    RETURNS (str): The text.
    """
    n_words = config["training"]["max_steps"] * recipe.GOLD_WORDS
    told = {
        "config": config_path,
        "options": options,
        "passes": round(n_words / gold.n_words),
        "n": gold.n_docs,
        "recipe": recipe,
    }
    lines: List[str] = []
    for line in config.to_str(interpolate=False).splitlines():
        for start, comments in COMMENTS.items():
            if line.startswith(start):
                for comment in comments:
                    lines += _as_comment(comment.format(**told))
        lines.append(line)
    return "\n".join(lines) + "\n"


def _as_comment(text: str) -> List[str]:
    if text.startswith("    "):  # a command: it has to stand in one line
        return [f"# {text}"]
    return _WRAPPED.wrap(text)
