//! Stage 2: one JSON file, rewritten on every set.
