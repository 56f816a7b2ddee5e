"""The commands `berth sessions`, `berth announce` and `berth maintenance`."""
