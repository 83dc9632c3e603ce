//! Stage 3: the filesystem as the database, one file a key.
