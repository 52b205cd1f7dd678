"""Sinks: the faces to people. Each shows parcels from the outbox."""
