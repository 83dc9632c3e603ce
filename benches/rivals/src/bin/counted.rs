//! The worker of `cargo bench -p logladder-rivals` that looks at heap: the same, with an allocator that counts. The
//! benchmark starts it; on its own it does nothing.

logladder_bench::counted_heap!(HEAP);

fn main() {
    logladder_rivals::worker_entry(Some(&HEAP));
}
