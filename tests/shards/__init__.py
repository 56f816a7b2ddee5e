"""Shards of the tests that need a lab: `python -m tests.shards list|due|full|NAME...`."""
