//! What stage 5 promises of its speed, against the bare work underneath it, in one run:
//!
//! ```text
//! cargo bench -p logladder-replay-log --bench targets [-- --json] [-- --quick]
//! ```
//!
//! Each figure is a ratio of medians of several rounds in which the two sides take turns, so that both meet the same
//! machine. Only a folder beside the build is written to: memory is no disk.

#![allow(clippy::expect_used, reason = "a measurement that cannot be made has failed")]

mod bare;
mod measure;
mod row;

use row::Row;

#[allow(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    // `cargo test` runs a benchmark too, to see that it works.
    let scale = if asked("--quick") || asked("--test") || !asked("--bench") { 100 } else { 1 };
    let rows = measure::all(scale);
    if asked("--json") {
        println!("[{}]", rows.iter().map(Row::json).collect::<Vec<_>>().join(","));
        return;
    }
    for row in &rows {
        println!("{row}");
    }
}
