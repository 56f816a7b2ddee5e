"""What Prometheus reads at `/hub/metrics` beside JupyterHub's own figures. No label names a user or a job."""
