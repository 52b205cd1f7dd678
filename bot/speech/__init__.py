"""Hearing: from sound to lines. Decoding, voice activity, recognition, and one pool of recognisers for all rooms."""


class SpeechError(Exception):
    """Nothing can be heard, and trying again will not help (no model, no such file). One line says what to do."""


#: Samples a second of all sound inside the house: mono, 32-bit floats between -1 and 1.
RATE = 16_000
