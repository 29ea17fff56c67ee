"""The command line, the experiments, the benchmarks."""
