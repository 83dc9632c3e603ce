//! [`ScanFlags`]: the command line of the benchmark of scans.

use std::path::PathBuf;

use clap::Parser;

use crate::entrant::Entrant;
use crate::flags::entrant;

/// The engines that keep keys in order, beside sorted-log.
#[derive(Debug, Clone, Parser)]
#[command(name = "scans", version, about)]
pub struct ScanFlags {
    /// The engines, separated by commas; sorted-log and the rivals that were built, if none is named.
    #[arg(long, value_parser = entrant, value_delimiter = ',', value_name = "NAME")]
    pub engines: Vec<Entrant>,
    /// How many keys.
    #[arg(long, env = "LOGLADDER_KEYS", default_value_t = 1_000_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(8..=60_000_000))]
    pub keys: u32,
    /// How often everything is measured; the tables show medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: u32,
    /// The longest that a fill may take, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub write_seconds: u32,
    /// How long each way of reading is repeated, in seconds.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// The longest that an engine may take to settle after the fill, in seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub settle_seconds: u32,
    /// How large what is written last grows in memory before it is sorted into a file, in MiB.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub write_buffer: u32,
    /// How much an engine may copy of what lies in its files, in MiB.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub cache: u32,
    /// Where the stores lie while they are measured; else with the reports.
    #[arg(long, value_name = "FOLDER")]
    pub folder: Option<PathBuf>,
    /// Where the results are written as JSON; a relative path counts from the root of the workspace. Else they are
    /// in the folder of reports.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// A tenth of the keys, two rounds, and a quarter of a second for each way of reading: a first look.
    #[arg(long)]
    pub quick: bool,
    /// Do everything with a few keys for a moment: shows that it works, and measures nothing.
    #[arg(long)]
    pub test: bool,
    /// What `cargo bench` hands to every benchmark.
    #[arg(long, hide = true)]
    pub bench: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_refuses_what_it_does_not_know() {
        ScanFlags::command().debug_assert();
        let flags = ScanFlags::parse_from(["scans", "--bench", "--engines", "heed,sorted-log", "--quick"]);
        assert!(flags.quick && flags.engines.len() == 2);
        for bad in [["scans", "--engines=nobody"], ["scans", "--keys=0"], ["scans", "--cache=0"]] {
            assert!(ScanFlags::try_parse_from(bad).is_err(), "{bad:?}");
        }
    }
}
