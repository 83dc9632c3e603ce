//! Stage 7: a hash index over log segments, with compaction (Bitcask).
