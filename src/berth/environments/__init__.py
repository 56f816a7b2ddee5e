"""The users' own environments: what is wrong with their kernels, and the command `berth env`.

Runs in a session, in the layer's isolated interpreter; conda is the one of the session's release.
"""
