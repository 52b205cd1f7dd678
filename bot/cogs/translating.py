"""What Discord's app shows of commands before anybody uses them, in each language that it may be set to."""

from typing import Any

import discord
from discord import app_commands

from config.wording import say


def words(key: str) -> app_commands.locale_str:
    """Return a text for a command, an option or a choice: English, and French where Discord's app is French."""
    return app_commands.locale_str(say("en", key), key=key)


class Translator(app_commands.Translator):
    """Finds the words of commands in the other languages. Names of commands and options are the same everywhere."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContext[Any, Any],
    ) -> str | None:
        """Return a text in a language, or None where the English one serves."""
        key = string.extras.get("key")
        return say("fr", key) if key is not None and locale is discord.Locale.french else None
