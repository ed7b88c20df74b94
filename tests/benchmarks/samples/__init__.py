"""Benchmarks that measure nothing, for the tests of script/bench."""
