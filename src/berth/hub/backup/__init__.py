"""Backups of a hub: the database and the secrets that were made on its host, in one archive."""
