"""What is served over HTTP by the process that collects."""
