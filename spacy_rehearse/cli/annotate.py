"""`python -m spacy rehearse annotate`."""

import sys
from functools import cache as once
from pathlib import Path
from typing import Any, Optional, Tuple

from spacy.cli._util import Arg, Opt
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from wasabi import msg

from ..cache import SilverCache, clear
from ..corpus import RawTextT, create_raw_text_v1
from ..files import can_be_written, write_whole
from ..labelling import count_texts, made_by
from ..parallel import fill_cache
from ..progress import progress
from ..recipe import LONGEST_TEXT, SHORTEST_TEXT, shortest_text
from ..silver import annotate
from ..teacher import BATCH_SIZE, load_teacher
from . import rehearse_cli
from ._code import CODE
from ._fail import fail_on, require, require_different, require_free
from ._texts import SKIP_INVALID


@rehearse_cli.command(
    "annotate", short_help="Label raw text with the base, as plain data"
)
def annotate_cli(
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
        help="Silver cache: 500 texts that are in it, in this order, are not done again",
    ),
    n_process: int = Opt(1, "--n-process", "-n", help="Number of processes"),
    batch_size: int = Opt(
        BATCH_SIZE, "--batch-size", help="Texts that go through the pipes at once"
    ),
    clear_cache: Optional[Path] = Opt(
        None, "--clear", help="Empty this silver cache, and do nothing else"
    ),
    min_length: Optional[int] = Opt(
        None,
        "--min-length",
        help="Leave out texts with fewer characters. As in the config, or `spacy train` labels the pool again",
        show_default=f"{SHORTEST_TEXT}, or fewer in Chinese, Japanese, Thai, as in init-config",
    ),
    max_length: int = Opt(
        LONGEST_TEXT, "--max-length", help="Cut texts with more characters; 0 for none"
    ),
    limit: int = Opt(
        0, "--limit", "-l", help="At most so many texts, the first ones; 0 for all"
    ),
    seed: Optional[int] = Opt(
        None,
        "--seed",
        help="With --limit: draw them at random, as `limit` and `seed` in the config do",
    ),
    skip_invalid: bool = SKIP_INVALID,
    code: Optional[Path] = CODE,
    force: bool = Opt(False, "--force", "-F", help="Overwrite the output file"),
):
    """
    Label raw text with a pipeline's entity recogniser and save it as plain data. The
    work is kept in the silver cache, where `spacy train` finds it (not if its config has
    other annotating_components than init-config writes); an interrupted run goes on
    where it stopped. BASE, POOL and OUTPUT_FILE are needed unless --clear is given.

    Examples:

    \b
        python -m spacy rehearse annotate en_core_web_sm pool.jsonl \\
            silver.spacy

    \b
        python -m spacy rehearse annotate --clear .rehearsal_cache
    """
    if clear_cache is not None:
        with fail_on(ValueError, OSError):
            msg.good(f"Removed {clear(clear_cache)} shards", clear_cache)
        return
    if base is None or pool is None or output_file is None:
        msg.fail("Give BASE, POOL and OUTPUT_FILE, or --clear CACHE", exits=1)
    if output_file.suffix != ".spacy":
        msg.fail(f"{output_file}: the output is binary, so call it .spacy", exits=1)
    require(pool, "POOL")
    require_different(pool=pool, output=output_file)
    require_free(output_file, force)
    if not can_be_written(cache / "folder"):
        msg.fail(f"Nothing can be written to {cache}: name another --cache", exits=1)
    with fail_on(ValueError, OSError):
        try:
            if n_process < 1 or batch_size < 1:
                raise ValueError(
                    f"--n-process is {n_process} and --batch-size is {batch_size}: "
                    "expected at least 1"
                )
            doc_bin, n_new = annotate_pool(
                base,
                _reader(
                    pool,
                    min_length=min_length,
                    max_length=max_length,
                    limit=limit,
                    seed=seed,
                    skip_invalid=skip_invalid,
                ),
                component=component,
                cache=cache,
                n_process=n_process,
                batch_size=batch_size,
                code=code,
            )
        except KeyboardInterrupt:
            msg.fail(
                f"Interrupted. What is labelled is kept in {cache}",
                "Run the same command again to go on.",
            )
            sys.exit(130)
        output_file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(output_file, doc_bin.to_bytes())
    msg.good(f"Labelled {len(doc_bin)} texts, {len(doc_bin) - n_new} from the cache")
    msg.text(str(output_file))


def _reader(pool: Path, *, min_length: Optional[int], **how: Any) -> RawTextT:
    """RETURNS (Callable[[Language], Iterator[str]]): The pool, with the shortest texts
    that the language allows unless they are given.
    """

    @once  # so that it tells of skipped lines once
    def reader_of(lang: str) -> RawTextT:
        return create_raw_text_v1(
            pool,
            min_length=shortest_text(lang) if min_length is None else min_length,
            **how,
        )

    return lambda nlp: reader_of(nlp.lang)(nlp)


def annotate_pool(
    base: str,
    read: RawTextT,
    *,
    component: str,
    cache: Path,
    n_process: int = 1,
    batch_size: int = BATCH_SIZE,
    code: Optional[Path] = None,
) -> Tuple[DocBin, int]:
    """Label the texts of a pool.

    base (str): Package name or path of the pipeline.
    read (Callable[[Language], Iterator[str]]): The pool.
    component (str): The name of its entity recogniser.
    cache (Path): Folder of the silver cache.
    n_process (int): How many processes label.
    batch_size (int): Number of texts that go through the pipes at once.
    code (Optional[Path]): A Python file that the processes need.
    RETURNS (Tuple[DocBin, int]): The labelled texts, and how many of them were not in
        the cache.
    """
    teacher = load_teacher(base, component, setting="BASE")
    n_texts = count_texts(read(teacher.nlp))
    store = SilverCache(cache, made_by(teacher))
    doc_bin = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
    vocab = Vocab()
    with progress(total=n_texts, unit=" texts", desc="Pool") as bar:
        had = store.keys()
        if n_process > 1:
            fill_cache(
                read(teacher.nlp),
                store,
                source=base,
                component=component,
                n_process=n_process,
                batch_size=batch_size,
                code=code,
                on_progress=bar.update,
            )
        shards = list(
            annotate(
                read(teacher.nlp),
                teacher,
                store,
                batch_size=batch_size,
                on_progress=bar.update if n_process == 1 else lambda n_texts: None,
            )
        )
    for shard in shards:
        data = store.get(shard.key)
        assert data is not None  # it was written or read a moment ago
        for doc in DocBin().from_bytes(data).get_docs(vocab):
            doc_bin.add(doc)
    new = [shard for shard in shards if shard.is_new or shard.key not in had]
    return doc_bin, sum(shard.n_texts for shard in new)
