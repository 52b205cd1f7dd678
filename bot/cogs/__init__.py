"""Cogs: Discord's buttons and commands, in and out. What they do is done elsewhere."""
