"""Published benchmarks: readers of the distributed files, and the tables that papers print."""
