"""The bot: rooms, watcher, policy, store, sinks, and the command line."""
