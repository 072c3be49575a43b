"""`python -m spacy rehearse annotate`."""

from pathlib import Path
from typing import List, Optional

from spacy.cli._util import Arg, Opt
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from tqdm import tqdm
from wasabi import msg

from ..cache import SilverCache, clear, write_whole
from ..corpus import create_raw_text_v1
from ..prepare import count_texts, made_by
from ..silver import annotate
from ..teacher import load_teacher
from . import rehearse_cli
from ._fail import fail_on, require_free


@rehearse_cli.command("annotate")
def annotate_cli(
    # fmt: off
    base: Optional[str] = Arg(
        None, help="The pipeline that labels: an installed package or a path"
    ),
    pool: Optional[Path] = Arg(
        None, help="Raw text: .txt, .jsonl, .jsonl.gz, .spacy or a folder"
    ),
    output_file: Optional[Path] = Arg(None, help="The .spacy file to write"),
    component: str = Opt(
        "ner", "--component", "-c", help="Name of its entity recogniser"
    ),
    cache: Path = Opt(
        Path(".rehearsal_cache"),
        "--cache",
        help="Silver cache: what is in it is not done again",
    ),
    clear_cache: Optional[Path] = Opt(
        None, "--clear", help="Empty this silver cache, and do nothing else"
    ),
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output file"),
    # fmt: on
):
    """
    Label raw text with a pipeline's entity recogniser and save it as plain data. The
    work is kept in the silver cache, where `spacy train` finds it; an interrupted run
    goes on where it stopped.

    Examples:

        python -m spacy rehearse annotate en_core_web_sm pool.jsonl silver.spacy

        python -m spacy rehearse annotate --clear .rehearsal_cache
    """
    if clear_cache is not None:
        with fail_on(ValueError, OSError):
            msg.good(f"Removed {clear(clear_cache)} shards", clear_cache)
        return
    if base is None or pool is None or output_file is None:
        msg.fail("Give BASE, POOL and OUTPUT_FILE, or --clear CACHE", exits=1)
    require_free(output_file, force)
    with fail_on(ValueError, OSError):
        doc_bin = annotate_pool(base, pool, component=component, cache=cache)
        output_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output_file, doc_bin.to_bytes())
    msg.good(f"Labelled {len(doc_bin)} texts", output_file)


def annotate_pool(base: str, pool: Path, *, component: str, cache: Path) -> DocBin:
    """Label the texts of a pool.

    base (str): Package name or path of the pipeline.
    pool (Path): The raw text.
    component (str): The name of its entity recogniser.
    cache (Path): Folder of the silver cache.
    RETURNS (DocBin): The labelled texts.
    """
    teacher = load_teacher(base, component)
    read = create_raw_text_v1(pool)
    n_texts = count_texts(read(teacher.nlp))
    store = SilverCache(cache, made_by(teacher))
    doc_bin = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
    vocab = Vocab()
    with tqdm(total=n_texts, unit=" texts", desc="Pool", disable=None) as bar:
        texts = read(teacher.nlp)
        shards: List = list(annotate(texts, teacher, store, on_progress=bar.update))
    for shard in shards:
        data = store.get(shard.key)
        assert data is not None  # it was written or read a moment ago
        for doc in DocBin().from_bytes(data).get_docs(vocab):
            doc_bin.add(doc)
    return doc_bin
