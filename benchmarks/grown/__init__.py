"""What `python -m benchmarks.growth` measures: the same requests beside little and beside much of one thing."""
