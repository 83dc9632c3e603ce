//! The common benchmark: one seeded workload for every engine, each in a fresh process.
