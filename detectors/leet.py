"""Words with figures and signs in place of letters ("fr33 c0urse"), read as the words they stand for.

A figure between small letters is a letter. At a word's beginning or end it counts something more often than it hides
something ("10people", "mp3"), and a sign has its own meaning, so there a word is only read as another when that is one
of the words that offers are made of. Addresses, links and names of models and standards stay as they are.
"""

import re
import unicodedata
from typing import Final

_LETTERS: Final = str.maketrans("0134578@$!|", "oieastbasil")
#: 1 and ! stand for l as well as for i.
_LETTERS_L: Final = str.maketrans("0134578@$!|", "oleastbasll")
_TOKEN: Final = re.compile(r"\S+")
#: A link, an address, an account or a path: its letters are its own.
_ADDRESS: Final = re.compile(r"[/\\=]|\w\.\w|^\W*@|\w@\w+\.")
_WORD: Final = re.compile(r"[\w@$!|]+")
_HIDDEN: Final = re.compile(r"[0134578@$!|]")
_BETWEEN: Final = re.compile(r"[A-Za-zÀ-ÿ][a-zà-ÿ]*(?:(?:00?|11?|33?|5|7)[a-zà-ÿ]+|(?<![a-zà-ÿ]{3})4[a-zà-ÿ]+)+")
#: Fewest letters that are written as such, so that "b10" is no bio; of words that are none of `_OFFERED` one
#: more, so that "a11y" and "h1n1" stay.
_FEWEST: Final = 2
#: Words that offers are made of, in English and French, without accents.
_WORDS: Final = (
    "abonnement abonnes acces access account accounts achat acheter argent atelier bio bonus book books buy "
    "cadeau call calls carte cash class click clique cliquez coach coaching code comment community compte cours "
    "course courses crypto deal discount dispo dm download earn ebook ecris ecrivez envoie euros exclusif "
    "exclusive expert fee fees followers formation formations free gagne gagner gift gratis gratuit gratuite "
    "group groupe groupes groups growth guide guru income inscription inscris invest join learn lessons lien "
    "liens limited link links live livre livres master mastermind member members membership mentor message "
    "messages methode methodes moi moitie money offer offers offert offerte offre offres online paid pay payer "
    "paypal place places premium price prices private prive privee prix profit program promo reduction rejoindre "
    "rejoins revenu revenus sale sales save seance secret sell send service services session sign signals spots "
    "subscribe success tarif telegram trade trader trading training vendre vente vip virement webinar whatsapp "
    "win"
)
_OFFERED: Final = frozenset(_WORDS.split())


def read_leet(text: str) -> str:
    """Return `text` with such words written out; case is kept where letters were."""
    return _TOKEN.sub(_token, text) if _HIDDEN.search(text) else text


def _token(match: re.Match[str]) -> str:
    token = match.group()
    return token if _ADDRESS.search(token) else _WORD.sub(_word, token)


def _word(match: re.Match[str]) -> str:
    word = match.group()
    core = word.rstrip("!|")  # what ends a sentence is no letter
    kept = [char for char in core if char.isalpha()]
    if len(kept) < _FEWEST or not _HIDDEN.search(core):
        return word
    rest = word[len(core) :]
    for letters in (_LETTERS, _LETTERS_L):
        plain = core.translate(letters)
        if _bare(plain) in _OFFERED:
            return (plain.upper() if "".join(kept).isupper() else plain) + rest
    halves = re.split(r"\d+", core.lower())
    if _BETWEEN.fullmatch(core) and len(kept) > _FEWEST and len(set(halves)) == len(halves):
        return core.translate(_LETTERS) + rest
    return word


def _bare(word: str) -> str:
    parted = unicodedata.normalize("NFD", word.lower())
    return "".join(char for char in parted if not unicodedata.combining(char))
