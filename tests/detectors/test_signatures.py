"""Signatures: nearly the same text is near, another sentence of the same trade is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.signatures import LEAST_WORDS, NEAR_BITS, near, signature

#: A word changed, a word more or less, or a slip of a recogniser: the same passage, heard or written twice.
SAME = [
    (
        "Book a free call with me today, only three seats are left in my coaching program",
        "Book a free call with me today, only two seats are left in my coaching program",
    ),
    (
        "I wrote a white paper that explains how I got two million views, the link is in my bio",
        "I wrote a white paper that explains how I got 2 million views, the link is in my bio",
    ),
    (
        "My ebook about reels costs forty nine dollars and the price goes up at midnight",
        "My e-book about reels costs forty nine dollars and the price goes up at midnight",
    ),
    (
        "Join my membership tonight and you get the whole course for half the price",
        "Join my membership tonight and you'll get the whole course for half the price",
    ),
    (
        "If you want the exact template that I use, write the word growth in the chat now",
        "If you want the exact template I use, write the word growth in the chat now",
    ),
    (
        "So everybody who signs up in the next ten minutes gets a one on one call with me",
        "Everybody who signs up in the next ten minutes gets a one on one call with me",
    ),
    (
        "You can get my complete Instagram masterclass on my website, the link is below",
        "You can get my complete Instagram masterclass on my web site, the link is below",
    ),
    (
        "We have helped more than five hundred creators with our inner circle, apply on my page",
        "We've helped more than five hundred creators with our inner circle, apply on my page",
    ),
    (
        "Comment ebook and I will send you the link to my free guide in your messages",
        "Comment ebook and I'll send you the link to my free guide in your messages",
    ),
    (
        "Last chance to buy the bundle with all my courses before I close the doors on Sunday",
        "Last chance to buy the bundle with all of my courses before I close the doors on Sunday",
    ),
    (
        "Réservez un appel gratuit avec moi, il ne reste que trois places dans mon programme",
        "Réservez un appel gratuit avec moi, il ne reste que deux places dans mon programme",
    ),
    (
        "J'ai écrit un livre blanc qui explique tout, le lien est dans ma bio",
        "J'ai écrit un livre blanc qui explique tout, le lien est dans la bio",
    ),
    (
        "Mon ebook sur les réels coûte quarante neuf euros et le prix monte à minuit",
        "Mon e-book sur les réels coûte quarante-neuf euros et le prix monte à minuit",
    ),
    (
        "Rejoignez ma formation ce soir et vous aurez tous les modules à moitié prix",
        "Rejoignez ma formation ce soir, vous aurez tous les modules à moitié prix",
    ),
    (
        "Si tu veux le modèle exact que j'utilise, écris le mot croissance dans le chat",
        "Si tu veux le modèle exact que j'utilise, écrit le mot croissance dans le chat",
    ),
    (
        "Ceux qui s'inscrivent dans les dix prochaines minutes ont un appel privé avec moi",
        "Ceux qui s'inscrivent dans les 10 prochaines minutes ont un appel privé avec moi",
    ),
    (
        "Ma masterclass Instagram complète est sur mon site, le lien est juste en dessous",
        "Ma master class Instagram complète est sur mon site, le lien est juste en dessous",
    ),
    (
        "Commente ebook et je t'envoie le lien de mon guide gratuit en message privé",
        "Commentez ebook et je t'envoie le lien de mon guide gratuit en message privé",
    ),
    (
        "Dernière chance d'acheter le pack avec tous mes cours avant la fermeture de dimanche",
        "Dernière chance d'acheter le pack avec tous mes cours avant la fermeture dimanche",
    ),
    (
        "On a accompagné plus de cinq cents créateurs, candidatez sur ma page",
        "On a accompagné plus de cinq cent créateurs, candidatez sur ma page",
    ),
    (
        "link in my bio for the ebook",
        "the link in my bio for the ebook",
    ),
    (
        "grab my free pdf before tonight guys",
        "grab my free pdf before tonight guy",
    ),
]
#: Sentences of the same trade, many with the same words in them, that say something else.
OTHER = [
    (
        "Book a free call with me today, only three seats are left in my coaching program",
        "My ebook about reels costs forty nine dollars and the price goes up at midnight",
    ),
    (
        "Book a free call with me today, only three seats are left in my coaching program",
        "Call me when you are free, today we talk about the three kinds of coaching that exist",
    ),
    (
        "Join my membership tonight and you get the whole course for half the price",
        "Join us tonight, we talk about how much a whole course should cost",
    ),
    (
        "If you want the exact template that I use, write the word growth in the chat now",
        "If you have a question about growth, write it in the chat and I will answer it",
    ),
    (
        "The link to my ebook is in my bio, it costs twenty dollars",
        "The link to my course is in my profile, it is free until Friday",
    ),
    (
        "You can get my complete Instagram masterclass on my website, the link is below",
        "You can get more views on Instagram if you post three times a day, I promise",
    ),
    (
        "Comment ebook and I will send you the link to my free guide in your messages",
        "Comment below and I will answer every question you have about hashtags",
    ),
    (
        "I wrote a white paper that explains how I got two million views, the link is in my bio",
        "I got two million views with one reel and I will explain how the algorithm works",
    ),
    (
        "Last chance to buy the bundle with all my courses before I close the doors on Sunday",
        "On Sunday I will show you all the lights and microphones that I use for my reels",
    ),
    (
        "We have helped more than five hundred creators with our inner circle, apply on my page",
        "We have seen more than five hundred reels this week and here is what works",
    ),
    (
        "Réservez un appel gratuit avec moi, il ne reste que trois places dans mon programme",
        "Mon ebook sur les réels coûte quarante neuf euros et le prix monte à minuit",
    ),
    (
        "J'ai écrit un livre blanc qui explique tout, le lien est dans ma bio",
        "J'ai écrit une bio qui explique tout ce que je fais, regardez comme elle est courte",
    ),
    (
        "Rejoignez ma formation ce soir et vous aurez tous les modules à moitié prix",
        "Ce soir on parle du prix des formations et de ce qu'il y a vraiment dans les modules",
    ),
    (
        "Si tu veux le modèle exact que j'utilise, écris le mot croissance dans le chat",
        "Si tu as une question sur la croissance, écris-la dans le chat et je te réponds",
    ),
    (
        "Ma masterclass Instagram complète est sur mon site, le lien est juste en dessous",
        "Mon compte Instagram est complet, la bio, la photo, et le lien vers mon site",
    ),
    (
        "Commente ebook et je t'envoie le lien de mon guide gratuit en message privé",
        "Commente cette vidéo et je réponds à toutes les questions sur les hashtags",
    ),
    (
        "Le lien de mon ebook est dans ma bio, il coûte vingt euros",
        "Le lien de mon cours est sur ma page, il est gratuit jusqu'à vendredi",
    ),
    (
        "Dernière chance d'acheter le pack avec tous mes cours avant la fermeture de dimanche",
        "Dimanche je vous montre les lumières et les micros que j'utilise pour mes réels",
    ),
    (
        "On a accompagné plus de cinq cents créateurs, candidatez sur ma page",
        "On a regardé plus de cinq cents réels cette semaine, voici ce qui marche",
    ),
    (
        "Ceux qui s'inscrivent dans les dix prochaines minutes ont un appel privé avec moi",
        "Dans les dix prochaines minutes je vous explique comment l'algorithme choisit les vidéos",
    ),
]
#: Of `SAME`, what is too short for the change in it. A warning too many is the lesser harm.
MISSED = {
    "Book a free call with me today, only two seats are left in my coaching program",
    "Réservez un appel gratuit avec moi, il ne reste que deux places dans mon programme",
}


def is_near(one: str, other: str) -> bool:
    first, second = signature(one), signature(other)
    assert first is not None and second is not None
    assert near(first, second) == near(second, first)
    return near(first, second)


def test_nearly_the_same_text_is_near() -> None:
    assert {other for one, other in SAME if not is_near(one, other)} == MISSED


def test_another_sentence_of_the_same_trade_is_not() -> None:
    assert [(one, other) for one, other in OTHER if is_near(one, other)] == []


def test_no_two_sentences_of_all_these_are_taken_for_each_other() -> None:
    texts = sorted({one for one, _ in SAME + OTHER} | {other for _, other in OTHER})
    pairs = [(one, other) for i, one in enumerate(texts) for other in texts[i + 1 :]]
    assert len(pairs) > 800
    assert [(one, other) for one, other in pairs if is_near(one, other)] == []


@pytest.mark.parametrize("text", ["", "   ", "link below", "grab my free ebook now", "…!?", "a-b-c-d", "\x00" * 50])
def test_what_is_too_short_to_be_told_apart_has_no_signature(text: str) -> None:
    assert signature(text) is None


def test_six_words_are_enough() -> None:
    assert (LEAST_WORDS, signature("one two three four five")) == (6, None)
    assert signature("one two three four five six") is not None


def test_a_signature_stays_what_it_is() -> None:
    """Signatures are stored: other bits for the same text would forget what was dismissed."""
    assert signature("Book a free call with me today, only three seats are left") == 0x93967BECA6A7A9FD


@given(st.text(max_size=300))
def test_any_text_has_a_signature_of_64_bits_or_none(text: str) -> None:
    found = signature(text)
    assert found is None or 0 <= found < 2**64
    assert signature(text) == found


WORDS = st.lists(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyzéèêàçùâîôûëïü", min_size=2, max_size=9), min_size=6, max_size=25
)
GAPS = st.sampled_from([" ", "  ", "\t", "\n", ", ", "; ", "! ", "… ", " - ", " — ", ": ", "? ", "\u00a0", " « ", "” "])


@given(WORDS, st.data())
def test_letters_case_spaces_and_punctuation_change_nothing(words: list[str], data: st.DataObject) -> None:
    plain = signature(" ".join(words))
    cased = [data.draw(st.sampled_from([word, word.upper(), word.title()])) for word in words]
    gaps = data.draw(st.lists(GAPS, min_size=len(words) + 1, max_size=len(words) + 1))
    dressed = gaps[0] + "".join(word + gap for word, gap in zip(cased, gaps[1:], strict=True))
    assert plain is not None
    assert signature(dressed) == plain


@given(st.integers(0, 2**64 - 1), st.sets(st.integers(0, 63), max_size=64))
def test_near_is_a_number_of_bits(one: int, flipped: set[int]) -> None:
    other = one
    for bit in flipped:
        other ^= 1 << bit
    assert near(one, other) == near(other, one) == (len(flipped) <= NEAR_BITS)
