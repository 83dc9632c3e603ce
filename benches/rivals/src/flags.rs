//! [`Flags`]: the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::entrant::Entrant;

/// Other people's engines and the ladder's, measured side by side.
#[derive(Debug, Clone, Parser)]
#[command(name = "rivals", version, about)]
pub struct Flags {
    /// What to do, by name and separated by commas; all of it, if nothing is named.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PART")]
    pub only: Vec<Part>,
    /// The engines to do it with, separated by commas; the rivals, the raw limits and hash-log, if none is named.
    #[arg(long, value_parser = entrant, value_delimiter = ',', value_name = "NAME")]
    pub engines: Vec<Entrant>,
    /// How many keys. Of 1 KiB values there are a fifth as many, of 64 KB values a 250th.
    #[arg(long, env = "LOGLADDER_KEYS", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=60_000_000))]
    pub keys: u32,
    /// How often everything is measured; the tables show medians.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: u32,
    /// The longest a fill, an overwrite or a delete may take, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub write_seconds: u32,
    /// The longest that gets may take, in seconds; and how long the mix and durable sets do take.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// How many sets are acknowledged before a process is killed, if ten seconds suffice.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(8..=60_000_000))]
    pub kill_sets: u32,
    /// Where the stores lie while they are measured; else with the reports.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Do everything with a few keys for a moment: shows that it works, and measures nothing.
    #[arg(long)]
    pub test: bool,
    /// What `cargo bench` hands to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum Part {
    /// Sets of new keys, in random order.
    Fill,
    /// Sets of the same keys again.
    Overwrite,
    /// Gets by one thread.
    Get,
    /// Gets by two threads at once.
    GetTwoThreads,
    /// Gets of keys that are not there.
    GetAbsent,
    /// One thread sets while another gets.
    Mixed,
    /// Deletes.
    Delete,
    /// Synced sets, by one thread and by eight.
    Durable,
    /// Fill and get with values of 1 KiB and 64 KB.
    Values,
    /// Memory, disk, latency and opening, by the common benchmark's runner.
    Cost,
    /// Kill a process and count what it leaves.
    Kill,
}

impl Flags {
    /// Whether this part is asked for.
    #[must_use]
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

fn entrant(name: &str) -> Result<Entrant, String> {
    Entrant::find(name).ok_or_else(|| {
        let known: Vec<_> = Entrant::all().map(Entrant::name).collect();
        let hint = if name == "rocksdb" { "; rocksdb needs `--features rocksdb`" } else { "" };
        format!("the engines are {}{hint}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_refuses_what_it_does_not_know() {
        Flags::command().debug_assert();
        let flags =
            Flags::parse_from(["rivals", "--bench", "--only", "get,mixed", "--engines", "heed,hash-log"]);
        assert_eq!(flags.only, [Part::Get, Part::Mixed]);
        assert!(flags.wants(Part::Get) && !flags.wants(Part::Fill));
        for bad in [["rivals", "--engines=nobody"], ["rivals", "--keys=0"], ["rivals", "--rounds=0"]] {
            assert!(Flags::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
