//! A small report for tests: made up, and the same each time.

use logladder_engine::Durability;

use crate::Machine;
use crate::report::{Check, Latency, Memory, Operation, Phase, Reopen, Report, Run, Storage};
use crate::statistics::Rate;

pub(crate) fn sample_report() -> Report {
    Report {
        title: "sample".into(),
        date: "2026-01-01T00:00:00Z".into(),
        machine: Machine {
            cpu: "a processor".into(),
            cores: 2,
            memory_bytes: 24 << 30,
            os: "a system".into(),
            rustc: "rustc 1.95.0".into(),
            optimised: true,
            commit: Some("5a573ac".into()),
        },
        runs: vec![
            run("memory", 1, Durability::Never, 10_000_000.0),
            run("scan-log", 4, Durability::ProcessCrash, 500_000.0),
            run("hash-log", 7, Durability::ProcessCrash, 2_000_000.0),
        ],
        failures: vec![],
    }
}

fn run(engine: &str, number: u8, durability: Durability, speed: f64) -> Run {
    let kept = durability != Durability::Never;
    let phase = |operation, factor| Phase {
        operation,
        rate: Rate {
            per_second: speed * factor,
            median: speed * factor,
            margin_percent: Some(1.5),
            runs: 64,
        },
        latency: Latency { p50: 100, p99: 1_000, p999: 12_345, max: 1_000_000, timed: 10_000 },
        done: 1_000_000,
        wanted: None,
        seconds: 3.0,
        cut_off: false,
    };
    Run {
        workload: "16/100".into(),
        engine: engine.into(),
        number: Some(number),
        durability,
        phases: vec![phase(Operation::Set, 1.0), phase(Operation::Get, 2.5), phase(Operation::Delete, 1.5)],
        checks: vec![Check {
            after: "deletes".into(),
            done: 1000,
            wanted: 1000,
            seconds: 0.25,
            cut_off: false,
        }],
        values_checked: 123_456,
        sync_seconds: 0.0125,
        reopen: kept.then_some(Reopen { close_seconds: 0.001, open_seconds: 0.05, keys: 100_000 }),
        memory: Memory { rss_before: 10_000_000, rss_after: 35_000_000, heap_held: Some(20_000_000) },
        storage: Storage {
            disk_bytes: if kept { 14_000_000 } else { 0 },
            occupied_bytes: if kept { 14_200_000 } else { 0 },
            live_bytes: 11_600_000,
            user_bytes: 116_000_000,
            appended_bytes: kept.then_some(150_000_000),
            syncs: kept.then_some(12),
            kernel_bytes: 150_000_000,
        },
        spreads: Vec::new(),
    }
}
