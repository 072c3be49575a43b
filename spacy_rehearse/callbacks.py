"""Registered callbacks: saving an ordinary pipeline."""

import warnings
from typing import Callable, Optional

from spacy.language import Language

from .component import Rehearsal
from .export import without_rehearsal


def create_export_v1(
    *,
    name: Optional[str] = None,
    version: Optional[str] = None,
    description: Optional[str] = None,
    author: Optional[str] = None,
    license: Optional[str] = None,
    also: Optional[Callable[[Language], Language]] = None,
) -> Callable[[Language], Language]:
    """Create a `before_to_disk` callback that saves a pipeline without this plugin.

    The pipeline that is saved loads, predicts, packages and trains further where
    spacy-rehearse is not installed. The one in memory trains on.

    name (Optional[str]): The name of the saved pipeline. By default the base's, as
        for all the following.
    version (Optional[str]): Its version.
    description (Optional[str]): Its description.
    author (Optional[str]): Its author.
    license (Optional[str]): Its licence.
    also (Optional[Callable[[Language], Language]]): Another such callback, e.g. your
        own, which gets the pipeline that is to be saved.
    RETURNS (Callable[[Language], Language]): The callback.
    """
    given = {
        "name": name,
        "version": version,
        "description": description,
        "author": author,
        "license": license,
    }
    meta = {key: value for key, value in given.items() if value is not None}

    def export(nlp: Language) -> Language:
        for pipe_name, pipe in nlp._components:
            if isinstance(pipe, Rehearsal) and pipe.session is not None:
                pipe.hold()  # if an update was interrupted
                _warn_if_nothing_learnt(pipe)
                plain = without_rehearsal(
                    nlp,
                    pipe_name,
                    pipe.session,
                    scores=pipe.scores,
                    counts=pipe.counts,
                    meta=meta,
                )
                return also(plain) if also else plain
        raise ValueError(
            "spacy-rehearse.export.v1 found no initialized rehearsal component in the "
            f"pipeline {nlp.component_names}: add it, or take the callback out of "
            "[training.before_to_disk]"
        )

    return export


def _warn_if_nothing_learnt(pipe: Rehearsal) -> None:
    """Warn, at the last save, if no checkpoint scored above 0.

    spaCy saves after each evaluation, and once more at the end: the save before which
    nothing was scored.
    """
    if pipe.unsaved_score:
        pipe.unsaved_score = False
    elif pipe.session and pipe.scores and not pipe.best_score:
        warnings.warn(
            "no checkpoint scored above 0, so model-best has learnt nothing or kept "
            f"nothing: new F {pipe.scores['rehearsal_new_f']:.2f}, retention "
            f"{pipe.scores['rehearsal_retention']:.2f}. Check that dev marks "
            f"{pipe.session.labels}, and train longer (max_steps, patience)",
            stacklevel=2,
        )
