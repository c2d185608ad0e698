"""Prompts in, texts out: whatever their number and lengths, each as if it were alone."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import BOS, EOS, MASK, PAD, UNK
from genjax.data.source import Dataset
from genjax.data.text.tokenizers import Chars, Words
from genjax.generation import GREEDY, Sampling
from genjax.generation.texts import TextGenerator
from tests.generation.models import Hashing, decoder

LETTERS = Chars("abcd")
MODEL = Hashing()


@functools.cache  # and with it its programs
def plain():
    return generator()


def generator(kind="text", window=0, codec=LETTERS, model=MODEL):
    family = SimpleNamespace(
        continues_text=kind != "pair",
        prefill=lambda table, x: decoder(table, window).prefill(x),
        decode_step=lambda table, cache, token: decoder(table, window).decode_step(cache, token),
    )
    if window:
        family.context = lambda table: window
    spec = DataSpec(kind, (9,), target_shape=(6,) if kind == "pair" else ())
    return TextGenerator(family, Dataset(spec, None, None, codec=codec), model.table)


def greedy(given, limit):
    """The likeliest token after all that was read, again and again."""
    text = []
    while len(text) < limit and EOS not in text:
        logits = MODEL.logits([*given, *text])
        logits[[PAD, BOS, MASK]] = -np.inf
        text.append(int(logits.argmax()))
    return text


PROMPTS = ["", "a", "bb", "abcdabcdabcdabcd", "abcabcabc", "ab"]


def test_texts_come_in_the_order_of_their_prompts():
    written = plain().write(PROMPTS, max_tokens=7, sampling=GREEDY)
    assert [t.ids for t in written] == [greedy(LETTERS.encode(p), 7) for p in PROMPTS]
    for prompt, text in zip(PROMPTS, written):
        assert LETTERS.decode(text.prompt) == prompt and LETTERS.decode(text.ids) == text.text


def test_a_draw_depends_on_its_place_and_the_seed_alone():
    one = plain()
    many = one.write(PROMPTS, max_tokens=6, seed=3)
    for i, prompt in enumerate(PROMPTS):
        others = [*PROMPTS[:i][::-1], prompt]
        assert one.write(others, max_tokens=6, seed=3)[i] == many[i]
    assert one.write(PROMPTS, max_tokens=6, seed=4) != many


def test_several_texts_for_a_prompt_are_draws_or_the_best_of_a_beam():
    one = plain()
    drawn = one.write(["a", "b"], n=8, max_tokens=6)
    assert [t.prompt for t in drawn] == [LETTERS.encode("a")] * 8 + [LETTERS.encode("b")] * 8
    assert len({t.text for t in drawn[:8]}) > 2
    best = one.write(["a", "b"], n=3, beam=5, max_tokens=6)
    for texts in (best[:3], best[3:]):
        assert len({t.text for t in texts}) == 3
        assert [t.score for t in texts] == sorted((t.score for t in texts), reverse=True)
    assert best[0] == one.write(["a"], beam=5, max_tokens=6)[0]


def test_a_prompt_beyond_the_window_counts_by_its_last_half():
    one = generator(window=8)
    long, half = (one.write([p], max_tokens=16, sampling=GREEDY)[0] for p in ("abcdabcd", "abcd"))
    assert long == half
    assert one.write(["abcdabc"], max_tokens=3, sampling=GREEDY)[0].prompt == LETTERS.encode(
        "abcdabc"
    )


@pytest.mark.parametrize(("length", "limit"), [(20, 11), (29, 2), (1, 30), (9, 0), (29, 0)])
def test_beam_search_writes_wherever_prompt_and_text_fit_into_the_window(length, limit):
    prompt = ("abcd" * 8)[:length]
    one, free = (generator(window=window) for window in (32, 0))
    (text,) = one.write([prompt], max_tokens=limit, beam=1)
    assert LETTERS.decode(text.prompt) == prompt
    assert text.ids[:2] == free.write([prompt], max_tokens=2, beam=1)[0].ids[: len(text.ids)]


def test_a_prompt_that_leaves_beam_search_no_place_counts_by_its_last_half():
    one = generator(window=8)
    assert [len(one.write(["abcdabcd"[:n]], beam=2)[0].prompt) for n in (5, 6, 8)] == [5, 4, 4]


@pytest.mark.parametrize("prompt", ["", "abc"])
@pytest.mark.parametrize("options", [GREEDY, Sampling(2.0)])
def test_a_stream_is_the_text_in_pieces(prompt, options):
    one = plain()
    for seed in range(4):
        pieces = list(one.stream(prompt, max_tokens=8, seed=seed, sampling=options))
        (text,) = one.write([prompt], max_tokens=8, seed=seed, sampling=options)
        assert "".join(pieces) == text.text
        assert len(pieces) >= len(text.text) // 2


def test_a_continuation_of_words_reads_on():
    words, never_ends = Words(["red", "green", "blue", "white"]), Hashing(never=[EOS])
    one, options = generator(codec=words, model=never_ends), {"max_tokens": 3, "sampling": GREEDY}
    (text,) = one.write(["red  green"], **options)
    assert text.text.startswith(" ") and len(text.text.split()) == 3
    assert "red green" + text.text == words.decode([*text.prompt, *text.ids])
    assert "".join(one.stream("red  green", **options)) == text.text


class Halves(Chars):
    """Characters of two tokens each: the first one alone is no character."""

    def decode(self, ids):
        whole = super().decode(ids)
        pairs = [whole[i : i + 2] for i in range(0, len(whole), 2)]
        return "".join(p if len(p) == 2 else "\ufffd" for p in pairs)


def test_half_a_character_is_not_streamed():
    one = generator(codec=Halves("abcd"), model=Hashing(never=[UNK]))
    for seed in range(6):
        pieces = list(one.stream("", max_tokens=8, seed=seed))
        assert not any("\ufffd" in piece for piece in pieces[:-1])
        assert "".join(pieces) == one.write([""], max_tokens=8, seed=seed)[0].text


def test_an_answer_begins_at_a_source_that_ends_as_in_training():
    one = generator("pair")
    sources = ["ab", "", "abcdabcdabcd"]
    given = [[*LETTERS.encode(s), EOS][:9] for s in sources]
    written = one.write(sources, sampling=GREEDY)
    assert [t.prompt for t in written] == given
    assert [t.ids for t in written] == [greedy(ids, 6) for ids in given]


def test_few_programs_serve_all_lengths_and_settings():
    one = generator()
    for i, n in enumerate((1, 3, 5, 8)):
        one.write(["a" * n], max_tokens=9 + i, sampling=Sampling(1 + i, i, 1 - i / 10), seed=i)
        one.write(["a" * n], max_tokens=9 + i, beam=2, length_penalty=i)
        list(one.stream("a" * n, max_tokens=9 + i, sampling=Sampling(1.0 + i, top_k=i)))
    for program in (one._generate, one._search, one._begin, one._advance):
        assert program._cache_size() == 1


def test_what_does_not_go_together_is_told():
    with pytest.raises(ConfigError, match="max_tokens=7: must be at most 6, the longest answer"):
        generator("pair").write(["a"], max_tokens=7)
    with pytest.raises(ConfigError, match="n=3: must be at most beam=2"):
        generator().write(["a"], n=3, beam=2)
    message = "max_tokens=15: beam search stays within the 16 tokens .* must be at most 14"
    with pytest.raises(ConfigError, match=message):
        generator(window=16).write(["a"], max_tokens=15, beam=2)
    assert generator(window=16).write(["a"], beam=2)[0].ids
    with pytest.raises(ConfigError, match="writes no text"):
        TextGenerator(None, Dataset(DataSpec("text", (9,)), None, None, codec=LETTERS), None)


@pytest.mark.parametrize("name", ["max_tokens", "beam", "top_k", "no_repeat"])
def test_numbers_that_no_array_can_have_are_told(name):
    sampled = name in ("top_k", "no_repeat")
    most = 2**31 - 1 if sampled else 2**20

    def options(value):
        return {"sampling": Sampling(**{name: value})} if sampled else {name: value}

    for value in (most + 1, 2**40):
        with pytest.raises(ConfigError, match=rf"^{name}={value}: must be .*{most}$"):
            plain().write(["a"], **options(value))
    if sampled:
        text = plain().write(["a"], max_tokens=7, sampling=GREEDY._replace(**{name: most}))
        assert text == plain().write(["a"], max_tokens=7, sampling=GREEDY)
