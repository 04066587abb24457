"""Published benchmarks: sets read as they are distributed, and the tables that papers print."""
