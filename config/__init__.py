"""Settings, and all words that a person reads."""
