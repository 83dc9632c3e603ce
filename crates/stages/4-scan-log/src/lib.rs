//! Stage 4: append to a log, scan it to read.
