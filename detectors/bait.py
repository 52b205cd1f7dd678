"""Free bait in words: something free for an address, or for a word sent by message. English and French."""

import re
from typing import Final

from detectors.normalise import normalise

_ADDRESS: Final = r"(?:best )?(?:e-?mails?|mails?|addresse?s?|adresses?|phone numbers?|numéros?)\b"
#: What a lesson about forms says behind it.
_FORM: Final = (
    r"(?! (?:in|into|dans|sur|à)(?: \w+)? (?:field|form|code|file|script|config|champ|formulaire|fichier)\w*)"
)
_WORD: Final = r"(?:key ?)?words? (?!documents?\b|files?\b|docs?\b|counts?\b|lists?\b)\S+"
_MOT: Final = r"(?:le mot(?:[- ]clé)?|les mots) \S+"
_FORMS: Final = (
    # "drop your email in the chat", "sign up with your email to get it"
    rf"(?:leave|drop|give|enter|put|type|comment|send)(?: me| us)?(?: in)? (?:your|ur) {_ADDRESS}{_FORM}",
    rf"(?:sign up|register|opt in|subscribe)(?: \w+)? with (?:your|an?) {_ADDRESS}"
    r"(?=(?: \w+){0,2} (?:get|receive|grab|download|i|and|for)\b)",
    # "send me the word GROWTH", "comment GUIDE and i'll send it to you"
    rf"(?:send|dm|text|message|inbox)(?: me| us)?(?: a dm)?(?: with)? the {_WORD}",
    r"(?:comment|type|write|drop|reply(?: with)?) (?:the (?:key ?)?word )?\S+(?: \w+){0,4}?"
    r" i(?:'ll| will) (?:then )?(?:send|dm|message|email) (?:you|it|over|everyone)\b",
    # "laisse ton mail", "inscris-toi avec ton mail"
    r"(?:laisse|donne|met|envoie|tape|entre|note|écri)[rstvez]{0,4}(?:[- ](?:moi|nous))?(?: juste)?"
    rf" (?:ton|ta|tes|votre|vos) {_ADDRESS}{_FORM}",
    rf"(?:inscri\w+|abonne\w*)[- ](?:toi|vous) (?:\w+ )?avec (?:ton|ta|votre|une?) {_ADDRESS}",
    # "envoie-moi le mot GUIDE", "commente GUIDE et je t'envoie le lien"
    r"(?:envo\w+|écri\w+|dm|mp)[- ](?:moi|nous)(?: juste| simplement)?(?: (?:en|par) (?:mp|dm|privé|message))?"
    rf"(?: avec)? {_MOT}",
    rf"(?:comment|tap|écri|met)\w* (?:{_MOT}|\S+)(?: \w+){{0,4}}?"
    r" j(?:e |')(?:(?:te |vous |t'|vous l'|te l'|te les |vous les ))(?:envo\w+|enverr\w+|écri\w+)",
)
_BAIT: Final = re.compile("|".join(rf"\b(?:{form})" for form in _FORMS), re.IGNORECASE)
_DENIED: Final = re.compile(
    r"\b(?:never|don't|do not|not|no need to|without|stop|should i|can i|who|they|ne|n'\w+|jamais|pas|sans|faut-il|ils)"
    r"\b[\w' ]{0,20}$",
    re.IGNORECASE,
)


def find_bait(text: str) -> str | None:
    """Return the words that ask for an address or a word by message, or None."""
    plain = normalise(text).replace("’", "'")
    found = _BAIT.search(plain)
    return found[0] if found and not _DENIED.search(plain, 0, found.start()) else None
