"""What operators do while the service runs: see sessions and end them, announce, keep new sessions out."""
