"""Baselines that the classifier is measured beside: a keyword list, and TF-IDF with logistic regression.

Neither is a detector of the running bot.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from detectors.taxonomy import ACTS

#: Words that people who watch for pitches would put on a list, English and French.
KEYWORDS = (
    r"link in (?:the |my )?bio|link (?:is |'s )?(?:down )?(?:in the description|below)|\be-?books?\b|"
    r"\bmy course\b|master ?class|coaching|\bdm me\b|join (?:my|our)|sign up|"
    r"only \d+ (?:spots|seats|places)|limited (?:spots|time)|discount|promo code|"
    r"free (?:guide|training|webinar|trial|call)|membership|patreon|waitlist|enrol|pre-?order|"
    r"my (?:book|newsletter|community|program)|lien (?:en|dans la) (?:bio|description)|formation|"
    r"accompagnement|inscri(?:s|vez|ption)|places? (?:restantes|limitées)|rejoin(?:s|dre|gnez)|offre|"
    r"gratuit|abonnement|mon livre|liste d'attente|réduction|écris-moi en|en mp\b"
)
_PATTERN = re.compile(KEYWORDS, re.IGNORECASE)


def keyword_scores(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return the number of listed words in each text."""
    return np.array([float(len(_PATTERN.findall(text))) for text in texts])


def fit_tfidf(texts: Sequence[str], acts: Sequence[str], seed: int = 11) -> Pipeline:
    """Fit word and letter n-grams with a balanced logistic regression over the acts."""
    grams = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)),
            ("letters", TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True)),
        ]
    )
    model = make_pipeline(grams, LogisticRegression(C=10.0, class_weight="balanced", max_iter=2000, random_state=seed))
    return model.fit(list(texts), list(acts))


def tfidf_scores(model: Pipeline, texts: Sequence[str], act: str = "pitch") -> NDArray[np.float64]:
    """Return the probability of `act` for each text."""
    assert act in ACTS
    column = list(model.classes_).index(act)
    scores: NDArray[np.float64] = model.predict_proba(list(texts))[:, column]
    return scores
