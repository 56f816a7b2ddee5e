"""A conda channel from PyPI's wheels and Debian's packages, for machines that do not reach conda-forge.

`python -m tests.releases.channel small|full` makes it; docs/develop/channel.md says what is in it.
"""
