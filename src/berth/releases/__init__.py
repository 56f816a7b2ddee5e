"""Releases: pinned, immutable kernel environments and the catalogue that publishes them."""
