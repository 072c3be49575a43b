"""`python -m spacy rehearse interpolate`."""

import shutil
from pathlib import Path

from spacy.cli._util import Arg, Opt
from wasabi import msg

from ..interpolate import interpolate
from ..teacher import load_pipeline
from . import rehearse_cli
from ._fail import fail_on, require_free


@rehearse_cli.command("interpolate")
def interpolate_cli(
    base: str = Arg(..., help="The original pipeline: an installed package or a path"),
    student: str = Arg(..., help="The pipeline that was fine-tuned from it"),
    output_dir: Path = Arg(..., help="Where to save the pipeline between them"),
    alpha: float = Opt(
        0.5, "--alpha", "-a", help="From 0, the base, to 1, the student"
    ),
    component: str = Opt(
        "ner", "--component", "-c", help="Name of the recogniser that learnt"
    ),
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output folder"),
):
    """
    Save a pipeline whose weights are between a base's and its student's (WiSE-FT): a
    dial between what was known and what was learnt, after the training. Base and
    student stay as they are.

    Example:

        python -m spacy rehearse interpolate en_core_web_sm training/model-best
        training/between --alpha 0.7
    """
    require_free(output_dir, force)
    with fail_on(ValueError, OSError):
        before = load_pipeline(base, "base", "BASE")
        between = load_pipeline(student, "student", "STUDENT")
        n_moved = interpolate(before, between, component, alpha)
        # Scores of the student are not those of what is between.
        between.meta["performance"] = {}
        between.meta.pop("spacy_rehearse", None)
        between.meta["interpolated"] = {"alpha": alpha, "base": before.meta["name"]}
        half = output_dir.with_name(f"{output_dir.name}.half")
        between.to_disk(half)
        if output_dir.is_dir():
            shutil.rmtree(output_dir)
        half.rename(output_dir)
    if not n_moved:
        msg.warn("Base and student have the same weights: alpha makes no difference")
    msg.good(f"Saved the pipeline at {alpha:g} between base and student")
    msg.text(str(output_dir))
