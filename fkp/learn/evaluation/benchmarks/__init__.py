"""Published benchmarks: each set read as it is distributed, and the tables that papers print."""
