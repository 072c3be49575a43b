import functools
import os
from pathlib import Path

import catalogue
import numpy
import pytest
import spacy
from hypothesis import settings
from spacy.lang.xx import MultiLanguage
from srsly.msgpack import msgpack_decoders, msgpack_encoders

from .util import NER, SHARED, train_base, with_embedding, write_corpus

settings.register_profile("untimed", deadline=None)  # machines are shared
settings.load_profile("untimed")
LONGEST = ("test_project.py", "test_real.py", "test_train.py", "test_readme.py")


# For each weight that is read, all that is registered and all entry points are gone
# through, and hundreds of smileys are learnt for each pipeline: a third of the time of
# all tests.
for registry in (msgpack_decoders, msgpack_encoders):
    registry.get_all = functools.cache(registry.get_all)
catalogue.Registry._get_entry_points = functools.cache(
    catalogue.Registry._get_entry_points
)
MultiLanguage.Defaults.tokenizer_exceptions = {}


def pytest_configure(config):
    """Files in the order of the collection, not those with most tests first."""
    if config.pluginmanager.hasplugin("xdist"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """The longest files first: a process that took one last would leave the other
    without work for minutes (`--dist loadfile`).
    """
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A base whose NER owns its tok2vec: PERSON and ORG."""
    return train_base(NER, tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def shared_base(tmp_path_factory):
    """A base whose tagger and NER share a tok2vec."""
    return train_base(SHARED, tmp_path_factory.mktemp("base") / "shared")


@pytest.fixture(scope="session")
def vectors_base(tmp_path_factory):
    """A base whose NER reads static vectors."""
    folder = tmp_path_factory.mktemp("vectors")
    rng = numpy.random.default_rng(0)
    nlp = spacy.blank("xx")
    for word in "mister doctor firm company device gadget Ana Acme".split():
        nlp.vocab.set_vector(word, rng.normal(size=8).astype("f"))
    nlp.to_disk(folder / "vectors")
    config = with_embedding(["NORM", "SHAPE"], str(folder / "vectors"))
    return train_base(config, folder / "base", n_updates=40)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """A folder with train.spacy and dev.spacy (GADGET only) and pool.jsonl."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def nlp():
    return spacy.blank("xx")


@pytest.fixture
def workdir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_data():
    """Real pipelines and text, where there are any: a folder named by an
    environment variable, or one beside the repository."""
    beside = Path(__file__).parents[2] / "shared"
    folder = Path(os.environ.get("SPACY_REHEARSE_SHARED", beside))
    if not (folder / "models").is_dir():
        pytest.skip(f"no real data: {folder} holds no models (SPACY_REHEARSE_SHARED)")
    return folder
