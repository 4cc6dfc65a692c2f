"""Benchmarks: ``python -m benchmarks.NAME [--quick]`` prints a table and writes a CSV file."""
