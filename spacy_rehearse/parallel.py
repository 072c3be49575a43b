"""Annotation in several processes, each with a teacher of its own."""

import signal
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from spacy.util import import_file

from .cache import SilverCache
from .silver import SHARD_SIZE, annotate_batch, text_digest
from .teacher import BATCH_SIZE, Teacher, load_teacher

_teacher: Optional[Teacher] = None  # of a worker process


def fill_cache(
    texts: Iterable[str],
    cache: SilverCache,
    *,
    source: str,
    component: str,
    n_process: int,
    batch_size: int = BATCH_SIZE,
    code: Optional[Path] = None,
    on_progress: Callable[[int], object] = lambda n_texts: None,
) -> None:
    """Label the texts whose shards are not in the cache yet.

    texts (Iterable[str]): The texts.
    cache (SilverCache): Where shards are kept. Each is written as soon as it is whole.
    source (str): Package name or path of the teacher.
    component (str): The name of its entity recogniser.
    n_process (int): How many processes label, a shard at a time.
    batch_size (int): Number of texts that go through the pipes at once.
    code (Optional[Path]): A Python file that the teacher needs.
    on_progress (Callable[[int], object]): Called with the size of each shard done.
    """
    pool = ProcessPoolExecutor(
        n_process,
        mp_context=get_context("spawn"),
        initializer=_load,
        initargs=(source, component, code),
    )
    try:
        missing = _missing(texts, cache, on_progress)
        # As many as are worked on, so that no more texts wait in memory.
        while batches := list(islice(missing, 2 * n_process)):
            jobs = {
                pool.submit(_label, batch, batch_size): (key, len(batch))
                for key, batch in batches
            }
            for job in as_completed(jobs):
                key, n_texts = jobs[job]
                cache.put(key, job.result())
                on_progress(n_texts)
    except BrokenProcessPool as e:
        raise ValueError(
            f"a process that labels could not load {source!r} (it says why above), or "
            f"was killed, for want of memory perhaps: give less than {n_process} "
            "(--n-process), or a smaller --batch-size. Shards that are done are kept, "
            "and the same command goes on from there"
        ) from e
    except BaseException:
        terminate(pool)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def terminate(pool: Executor) -> None:
    """Terminate the processes of a pool, whatever they are at.

    pool (Executor): The pool. It is still to be shut down.
    """
    for process in list(getattr(pool, "_processes", {}).values()):
        process.terminate()


def _missing(
    texts: Iterable[str], cache: SilverCache, on_progress: Callable[[int], object]
) -> Iterator[Tuple[str, List[str]]]:
    texts = iter(texts)
    while batch := list(islice(texts, SHARD_SIZE)):
        key = text_digest(batch)
        if cache.get(key) is None:
            yield key, batch
        else:
            on_progress(len(batch))


def _load(source: str, component: str, code: Optional[Path]) -> None:
    global _teacher
    # Ctrl-C reaches all processes of a terminal: the first one stops the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code is not None:
        import_file("python_code", code)
    _teacher = load_teacher(source, component)


def _label(texts: List[str], batch_size: int) -> bytes:
    assert _teacher is not None
    return annotate_batch(texts, _teacher, batch_size)[0]
