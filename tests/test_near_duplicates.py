import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rehearse.near_duplicates import (
    NearDuplicateIndex,
    normalise,
    set_phrases,
    shingles_of,
)

TEXT = "The quick brown fox jumps over the lazy dog and then sleeps for 12 hours"


def index_of(*texts):
    return NearDuplicateIndex(texts)


@pytest.mark.parametrize(
    "copy",
    [
        TEXT,
        TEXT.upper() + " !!!",
        TEXT.replace("12", "99"),
        TEXT.replace("fox", "cat"),
        TEXT + " before it wakes up again in the middle of the night",
        " ".join(TEXT.split()[:9]),
    ],
)
def test_near_duplicates_are_found(copy):
    assert copy in index_of("Something else altogether, with no word in common", TEXT)


@pytest.mark.parametrize(
    "other",
    [
        "The quick brown hen",
        "A report on how foxes jump over dogs, which then sleep for hours",
        "",
        "...",
    ],
)
def test_near_duplicates_others_are_not(other):
    assert other not in index_of(TEXT, "Thank you very much")


def test_near_duplicates_in_scripts_without_spaces():
    index = index_of("这家公司昨天在上海发布了新的手机，售价为五千元。")
    assert "这家公司昨天在上海发布了新的手机，售价为六千元。" in index
    assert "他说今天上海的天气很好，适合出门散步。" not in index


def test_near_duplicates_short_texts_must_be_the_same():
    index = index_of("Thank you very much", "Yes.", "!!")
    assert "thank you, very much!" in index
    assert "yes" in index and "!!" in index
    assert "Thank you very little" not in index
    assert "Thank you very much for all the help that you gave us then" not in index


def test_near_duplicates_few_words_in_common_are_no_copy():
    index = index_of("you don't have the fox?", "you don't have the fox, do you?")
    assert "Your Honor, you don't have the records before you" not in index
    assert "And I said: you don't have the fox, do you know that?" in index


words = st.lists(st.sampled_from("a b c d e f g h".split()), max_size=12).map(" ".join)


@given(texts=st.lists(words, max_size=8), query=words)
def test_near_duplicates_every_text_is_its_own_duplicate_in_any_order(texts, query):
    assert all(text in index_of(*texts) for text in texts)
    assert (query in index_of(*texts)) == (query in index_of(*texts[::-1]))


@st.composite
def edited(draw):
    """Texts, and one of them with some words taken out, others put in, or all anew."""
    long = st.lists(st.sampled_from("abcdefghijklmnop"), min_size=8, max_size=20)
    texts = draw(st.lists(long, min_size=1, max_size=4))
    query = list(draw(st.sampled_from(texts)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(query)))
        query[at : at + draw(st.integers(0, 5))] = draw(st.lists(st.just("z")))
    return [" ".join(text) for text in texts], " ".join(query)


@given(both=edited())
def test_near_duplicates_are_those_that_share_enough(both):
    texts, query = both

    def is_copy(text):
        ours, theirs = (shingles_of(normalise(x)) for x in (query, text))
        shorter = min(len(ours), len(theirs))
        return normalise(query) == normalise(text) or (
            len(ours & theirs) >= max(4, shorter / 2)
        )

    assert (query in index_of(*texts)) == any(map(is_copy, texts))


def test_near_duplicates_set_phrases_are_not_followed_into_each_text():
    phrase, letters = "the patient was admitted to the ward with", "abcdefghijkl"
    index = index_of(
        *(" ".join([phrase, *(x * n for x in letters)]) for n in range(1, 51))
    )
    query = f"{phrase} a cough that he had had all winter long and would not go away"
    assert query not in index
    assert not list(index._candidates(shingles_of(normalise(query))))


def test_near_duplicates_words_keep_their_vowel_signs_and_marks():
    assert normalise("हिन्दी में लिखी किताबें") == ["हिन्दी", "में", "लिखी", "किताबें"]
    assert normalise("Cafe\u0301, ❤\ufe0f") == ["caf\u00e9"]


FOOTER = " This mail is for you alone: if it is not, tell us, and then delete it."


def different_texts(n):
    return [" ".join(x * i for x in "abcdefghijkl") for i in range(1, n + 1)]


def test_near_duplicates_a_footer_makes_no_copies():
    ours = [text + FOOTER for text in different_texts(60)]
    index = NearDuplicateIndex(ours[:30], set_phrases(ours[:30]))
    assert not [text for text in ours[30:] if text in index]
    assert all(text.replace("aaa", "zzz") in index for text in ours[:30])
    assert ours[40] in index_of(*ours[:30])  # which is not told what does not count


def test_near_duplicates_what_one_text_says_is_no_set_phrase():
    texts = different_texts(10)
    assert not set_phrases(texts * 6 + [texts[0].upper() + "!"] * 6)
    assert set_phrases([text + FOOTER for text in texts])
    assert not set_phrases([text + FOOTER for text in texts[:5]])
    assert not set_phrases(texts * 6 + [text + FOOTER for text in texts[:1]])
