"""The releases of the lab: their specs, and the conda channel from which they are locked and built."""
