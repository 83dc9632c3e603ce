//! [`Flags`]: the command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::entrant::Entrant;

/// Other people's engines and the ladder's, measured side by side.
#[derive(Debug, Clone, Parser)]
#[command(name = "rivals", version, about)]
pub struct Flags {
    /// Measure what is asked of hash-log, no more, and show the table of targets: some twenty minutes.
    #[arg(long)]
    pub targets: bool,
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
    /// No further round is begun that would probably end later than so many minutes after the start; with
    /// --targets 25, else without limit. The first round is done whole.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub minutes: Option<u32>,
    /// How many keys the store has that is opened, and whose memory is looked at; as many as else if not said,
    /// and with --targets 10,000,000.
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=60_000_000))]
    pub scale_keys: Option<u32>,
    /// The longest that the fill of that store may take, in seconds; what it is cut off at is what is opened.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub scale_seconds: u32,
    /// The longest a fill, an overwrite or a delete may take, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
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
    /// Where the results are written as JSON; a relative path counts from the root of the workspace. Else they are
    /// in the folder of reports.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
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
    /// Gets of 64 keys a call, and single ones.
    GetMany,
    /// Fill and get with values of 1 KiB and 64 KB.
    Values,
    /// What stores take on the disk, filled and overwritten.
    Disk,
    /// Latency of gets beside a writer and compaction.
    Compaction,
    /// A large store: its memory, and opening it clean and after a crash.
    Open,
    /// Memory, disk, latency and opening, by the common benchmark's runner.
    Cost,
    /// Kill a process and count what it leaves.
    Kill,
}

impl Flags {
    /// Whether this part is asked for.
    #[must_use]
    pub fn wants(&self, part: Part) -> bool {
        match self.only.is_empty() {
            true if self.targets => !matches!(part, Part::Delete | Part::Cost),
            true => true,
            false => self.only.contains(&part),
        }
    }
}

pub(crate) fn entrant(name: &str) -> Result<Entrant, String> {
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
