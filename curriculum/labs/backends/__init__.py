"""How a real Docker, Kubernetes, MLflow or Prometheus is found and driven: one module each, with `find(lab)`.

A backend touches only what it made itself and leaves nothing behind.
"""
