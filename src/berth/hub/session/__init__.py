"""One session from the click to its end: the spawner, what is kept of it, and what its user is told."""
