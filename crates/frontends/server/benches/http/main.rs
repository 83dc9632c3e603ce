//! What the server promises of its speed, in one run over the loopback, with [wrk](https://github.com/wg/wrk) as the client:
//!
//! ```text
//! cargo bench -p logladder-server --bench http [-- --minutes 10] [-- --save docs/results/http.json]
//! ```
//!
//! Each server is a process of its own: this very program, called with words that only it says. The sides of a ratio take
//! turns, so that both meet the same machine, and a figure is the median of its rounds. Client and server share the
//! cores, so a ratio says more than a figure.

#![allow(clippy::expect_used, reason = "a measurement that cannot be made has failed")]
#![allow(clippy::disallowed_methods, reason = "no store is written by these")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its figures")]

mod held;
mod load;
mod measure;
mod row;
mod served;

use std::path::PathBuf;
use std::time::Duration;

use measure::Scale;

/// What was asked for on the command line.
struct Asked {
    scale: Scale,
    save: Option<PathBuf>,
}

fn asked() -> Asked {
    let mut asked = Asked { scale: Scale::full(), save: None };
    let mut is_bench = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bench" => is_bench = true,
            "--minutes" => {
                let minutes: u64 = words.next().and_then(|text| text.parse().ok()).expect("--minutes N");
                asked.scale.mixed = Duration::from_secs(minutes * 60);
            }
            "--save" => asked.save = Some(words.next().expect("--save FILE").into()),
            "--quick" | "--test" => asked.scale = Scale::quick(),
            // Meant for another benchmark.
            _ => {}
        }
    }
    if !is_bench {
        // `cargo test` runs a benchmark too, to see that it works.
        asked.scale = Scale::quick();
    }
    asked
}

fn main() {
    if served::serve_if_asked() {
        return;
    }
    let Asked { scale, save } = asked();
    if !load::is_there() {
        eprintln!("the benchmark over HTTP needs wrk: `apt-get install wrk`, `brew install wrk`");
        // Whoever only wants to see that benchmarks work needs no figures of this one.
        std::process::exit(i32::from(!scale.is_quick));
    }
    let rows = measure::all(&scale);
    for row in &rows {
        println!("{row}");
    }
    if let Some(path) = save {
        let text = serde_json::to_string_pretty(&row::results(&rows, &scale)).expect("results are JSON");
        std::fs::write(&path, text + "\n").expect("the results can be written");
        println!("written to {}", path.display());
    }
}
