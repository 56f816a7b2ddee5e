"""A cluster that somebody else configured: what joining it would break, and what has drifted."""
