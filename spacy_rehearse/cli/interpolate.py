"""`python -m spacy rehearse interpolate`."""

import shutil
from pathlib import Path

from spacy.cli._util import Arg, Opt
from wasabi import msg

from ..interpolate import interpolate
from ..teacher import load_pipeline
from . import rehearse_cli
from ._fail import fail_on


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
    if output_dir.exists() and any(output_dir.iterdir()) and not force:
        msg.fail(f"{output_dir} is not empty. To overwrite it, use --force", exits=1)
    with fail_on(ValueError, OSError):
        before = load_pipeline(base, "base", "BASE")
        between = load_pipeline(student, "student", "STUDENT")
        n_moved = interpolate(before, between, component, alpha)
        half = output_dir.with_name(f"{output_dir.name}.half")
        between.to_disk(half)
        shutil.rmtree(output_dir, ignore_errors=True)
        half.rename(output_dir)
    if not n_moved:
        msg.warn("Base and student have the same weights: alpha makes no difference")
    msg.good(f"Saved the pipeline at {alpha:g} between base and student")
    msg.text(str(output_dir))
