"""The names of what a line can do, offer and hint at.

These names are used in code, labels, output and store. They are stable: people's scripts hold on to them.
"""

from typing import Final

#: What a line does. Exactly one per line; a classifier gives a probability to each, which sum to 1.
ACTS: Final = ("teach", "pitch", "sponsor", "caution", "spam", "other")

#: What is offered for sale (or as free bait that leads to a sale). Several per line.
OFFERS: Final = (
    "ebook",
    "white_paper",
    "course",
    "coaching",
    "membership",
    "group",
    "growth_service",
    "tool",
    "merch",
    "donation",
    "other",
)

#: Signs of selling in the words of a line. Several per line.
CUES: Final = (
    "scarcity",
    "urgency",
    "discount",
    "guarantee",
    "free_bait",
    "income_claim",
    "off_platform",
    "link",
    "testimonial",
    "credential_claim",
    "follower_claim",
)

#: The labels of the classifier's output vector, in its order: acts (softmax), then offers and cues (sigmoids).
LABELS: Final = (
    *(f"act:{name}" for name in ACTS),
    *(f"offer:{name}" for name in OFFERS),
    *(f"cue:{name}" for name in CUES),
)
