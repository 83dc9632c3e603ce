//! The arithmetic at the end of stage 9's lesson: what changes at 10 GB, at 1 TB, and at a million writes a second.
//!
//! It is arithmetic on paper. Every figure is computed here, from assumptions that stand in a table of their own; nothing in
//! it was measured. Who finds an assumption wrong changes it, and has the other figures.

use std::fmt::Write as _;

use anyhow::{Result, bail};

/// Bytes of a key and its value.
const ENTRY: f64 = 120.0;
/// Copies of each.
const COPIES: f64 = 3.0;
/// Machines, where a number of them is needed.
const MACHINES: f64 = 16.0;
/// Bytes that etcd suggests to hold at most.
const ETCD: f64 = 8.0 * GIB;
/// Bytes of memory that a key takes in etcd's index.
const ETCD_KEY: f64 = 100.0;
/// Bytes that are copied from one machine to another in a second, beside the work.
const COPYING: f64 = 100.0 * MB;
/// Bytes that a machine's disk takes, and how full it is meant to be.
const DISK: f64 = 2.0 * TB * 0.7;
/// Bytes that may be written to a machine's disk in a second.
const WRITING: f64 = 500.0 * MB;
/// Syncs of a disk in a second.
const SYNCS: f64 = 1000.0;
/// Bytes of a range that is kept by a group of its own.
const RANGE: f64 = 256.0 * MIB;
/// Seconds that a core works for one copy of one write.
const WORK: f64 = 20e-6;
/// Bytes that are gathered in memory before they are written sorted.
const MEMTABLE: f64 = 64.0 * MIB;
/// How much larger a level is than the one above it.
const LEVEL: f64 = 10.0;
/// How many tables of a size are merged into one.
const TIER: f64 = 4.0;
/// Which part of a log store's segments is live.
const LIVE: f64 = 0.7;
/// Bytes of memory that a key takes in a log store's index.
const LOG_KEY: f64 = 40.0;
/// Keys among which the hottest is looked for.
const KEYS: f64 = 1e9;
/// Writes in a second.
const WRITES: f64 = 1e6;

const MB: f64 = 1e6;
const GB: f64 = 1e9;
const TB: f64 = 1e12;
const MIB: f64 = 1_048_576.0;
const GIB: f64 = 1024.0 * MIB;

/// The table of this name: `assumptions`, `10-gb`, `1-tb`, `writes` or `stores`.
///
/// # Errors
///
/// There is none of this name.
pub(crate) fn table(name: &str) -> Result<String> {
    let (heading, rows) = match name {
        "assumptions" => (["assumed", "", "where it is from"], assumptions()),
        "10-gb" => (["at 10 GB", "", ""], ten_gigabytes()),
        "1-tb" => (["at 1 TB", "", ""], one_terabyte()),
        "writes" => (["at a million writes a second", "", ""], writes()),
        "stores" => (["on the disks", "each byte is written", "machines that this takes"], stores()),
        _ => bail!("there is no arithmetic `{name}`"),
    };
    let mut table = format!("| {} |\n|---|--:|---|\n", heading.join(" | "));
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} |", row.join(" | "));
    }
    Ok(table)
}

type Rows = Vec<[String; 3]>;

fn row(what: impl Into<String>, result: impl Into<String>, how: impl Into<String>) -> [String; 3] {
    [what.into(), result.into(), how.into()]
}

fn assumptions() -> Rows {
    vec![
        row("a key with its value", bytes(ENTRY), "chosen: 20 bytes and 100"),
        row("copies of each", count(COPIES), "chosen: one may be lost and a majority is left"),
        row("machines, where a number is needed", count(MACHINES), "chosen"),
        row("what etcd suggests to hold at most", "8 GiB", "its documentation, \"System limits\""),
        row(
            "a key in etcd's index in memory",
            bytes(ETCD_KEY),
            "a guess: the key, its revisions, a place in a tree",
        ),
        row("copying from machine to machine", rate(COPYING), "TiKV's default limit for its snapshots"),
        row("a machine's disk, seven tenths full", bytes(DISK), "chosen: 2 TB"),
        row("what may be written to it", rate(WRITING), "half of what data sheets of NVMe drives begin with"),
        row(
            "syncs of it, each second",
            count(SYNCS),
            "a guess, for a drive that keeps its cache without power",
        ),
        row("a range with a group of its own", "256 MiB", "TiKV's `region-split-size` since version 8.4"),
        row("a core's work for a copy of a write", time(WORK), "a guess: receive, append, apply, answer"),
        row("a memtable", "64 MiB", "RocksDB's default `write_buffer_size`"),
        row("a level over the one above it", format!("{LEVEL} times"), "RocksDB's default, and LevelDB's"),
        row("tables of a size that are merged", count(TIER), "ScyllaDB's default for size-tiered compaction"),
        row("live bytes in a log store", percent(LIVE), "chosen: the rest is room for what is dead"),
        row(
            "a key in a log store's index",
            bytes(LOG_KEY),
            "a guess: hash, place, length, a place in a tree",
        ),
    ]
}

fn ten_gigabytes() -> Rows {
    let data = 10.0 * GB;
    let keys = data / ENTRY;
    vec![
        row("keys", count(keys), format!("10 GB / {}", bytes(ENTRY))),
        row("of what etcd suggests at most", percent(data / ETCD), "without any older version of a value"),
        row(
            "etcd's index, in the memory of every member",
            bytes(keys * ETCD_KEY),
            format!("each key {}", bytes(ETCD_KEY)),
        ),
        row("until a new member has all", time(data / COPYING), format!("10 GB / {}", rate(COPYING))),
    ]
}

fn one_terabyte() -> Rows {
    let share = TB * COPIES / MACHINES;
    let ranges = TB / RANGE;
    let more = MACHINES + 1.0;
    vec![
        row(
            "machines for the bytes alone",
            count((TB * COPIES / DISK).ceil()),
            format!("{} / {}", bytes(TB * COPIES), bytes(DISK)),
        ),
        row(
            "the loss of one of three: until there are three copies again",
            time(TB / COPYING),
            "each holds all, and one of them copies",
        ),
        row(format!("ranges, and groups, over {MACHINES} machines"), count(ranges), "1 TB / 256 MiB"),
        row(
            "the loss of one of those: to copy",
            bytes(share),
            format!("{} / {MACHINES}", bytes(TB * COPIES)),
        ),
        row(
            "until there are three copies again",
            time(share / (MACHINES - 1.0) / COPYING),
            format!("the other {} all copy a part", MACHINES - 1.0),
        ),
        row(
            "one machine more: what moves if a key's place is its hash modulo the machines",
            percent(MACHINES / more),
            format!("a key stays by chance, 1 in {more}"),
        ),
        row(
            "what moves if each machine has ranges of hashes",
            percent(1.0 / more),
            "what the new one shall hold",
        ),
    ]
}

fn writes() -> Rows {
    let hottest = 1.0 / (KEYS.ln() + 0.5772);
    let of_machine = WRITES * COPIES / MACHINES;
    vec![
        row("bytes of the users", rate(WRITES * ENTRY), format!("1 million × {}", bytes(ENTRY))),
        row("in all copies", rate(WRITES * ENTRY * COPIES), format!("× {COPIES}")),
        row(
            "cores that work on nothing else",
            count(WRITES * COPIES * WORK),
            format!("1 million × {COPIES} × {}", time(WORK)),
        ),
        row(
            "what one log takes, one write after another",
            format!("{} a second", count(1.0 / WORK)),
            format!("1 / {}", time(WORK)),
        ),
        row("logs, and leaders, at least", count(WRITES * WORK), "if the load were even"),
        row(
            "the hottest of a billion keys, by Zipf's law",
            format!("{} a second", count(WRITES * hottest)),
            format!("{} of all: 1 / (ln 1,000,000,000 + 0.577)", percent(hottest)),
        ),
        row(
            "writes that share a sync",
            count(of_machine / SYNCS),
            format!("{} a second at a machine / {}", count(of_machine), count(SYNCS)),
        ),
    ]
}

/// The three kinds of store: how often each byte is written, and the machines that this takes.
fn stores() -> Rows {
    let of_memtables = TB * COPIES / MACHINES / MEMTABLE;
    let levels = (of_memtables.ln() / LEVEL.ln()).ceil();
    let tiers = (of_memtables.ln() / TIER.ln()).ceil();
    let kinds = [
        (
            "sorted tables in levels (TiKV's RocksDB)",
            2.0 + levels * LEVEL,
            format!("log, flush, at most {LEVEL} in each of {levels} levels"),
        ),
        (
            "sorted tables of like sizes (ScyllaDB)",
            2.0 + tiers,
            format!("log, flush, once in each of {tiers} sizes"),
        ),
        (
            "log segments with an index (ScyllaDB's log store, stage 7)",
            1.0 / (1.0 - LIVE),
            format!("1 / (1 - {LIVE}), if what is dead is spread evenly"),
        ),
    ];
    let of = |(what, times, how): (&str, f64, String)| {
        let machines = (WRITES * ENTRY * COPIES * times / WRITING).ceil();
        let index = if what.starts_with("log") {
            format!("; {} of memory for the index in all", bytes(TB / ENTRY * COPIES * LOG_KEY))
        } else {
            String::new()
        };
        row(what, format!("{times:.1} times").replace(".0 ", " "), format!("{machines}: {how}{index}"))
    };
    kinds.into_iter().map(of).collect()
}

/// Two significant digits, with a prefix.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let (size, unit) = units.iter().copied().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
    let value = value / size;
    let digits = usize::from(value < 9.95);
    let text = format!("{value:.digits$}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    format!("{text} {unit}").trim_end().to_owned()
}

fn bytes(value: f64) -> String {
    scaled(value, &[(TB, "TB"), (GB, "GB"), (MB, "MB"), (1e3, "kB"), (1.0, "bytes")])
}

fn rate(value: f64) -> String {
    format!("{} a second", bytes(value))
}

fn time(seconds: f64) -> String {
    scaled(seconds, &[(3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"), (1e-3, "ms"), (1e-6, "µs")])
}

fn percent(part: f64) -> String {
    format!("{} %", scaled(part * 100.0, &[]))
}

fn count(value: f64) -> String {
    if value >= 1e6 {
        return scaled(value, &[(1e9, "billion"), (1e6, "million")]);
    }
    let digits = format!("{value:.0}");
    match digits.len() {
        0..=3 => digits,
        len => format!("{},{}", &digits[..len - 3], &digits[len - 3..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_two_digits_and_a_unit() {
        assert_eq!([bytes(120.0), bytes(8.6e9), bytes(187.5e9)], ["120 bytes", "8.6 GB", "188 GB"]);
        assert_eq!([time(20e-6), time(100.0), time(10_000.0)], ["20 µs", "1.7 minutes", "2.8 hours"]);
        assert_eq!([count(16.0), count(46_932.0), count(83.3e6)], ["16", "46,932", "83 million"]);
        assert_eq!([percent(0.0588), percent(0.94)], ["5.9 %", "94 %"]);
    }

    #[test]
    fn every_table_that_the_lesson_asks_for_is_there() {
        for name in ["assumptions", "10-gb", "1-tb", "writes", "stores"] {
            assert!(table(name).unwrap().lines().count() > 3, "{name}");
        }
        assert!(table("none").is_err());
    }
}
