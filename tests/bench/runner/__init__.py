"""The parts of the benchmark: see ../run.py."""
