"""The catalogue of releases as people read it: pages at the hub, and the same as files."""
