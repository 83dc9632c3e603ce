//! Stage 1: a hash map, the baseline of every comparison.
