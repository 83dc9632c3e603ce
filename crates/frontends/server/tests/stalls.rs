//! That writers had to wait is said by `/v1/stats` and `/metrics`, of a store that lets them.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod harness;

use std::time::Duration;

use harness::{memory, options, serve, stage};
use logladder::memory::Memory;
use logladder::{Durability, Engine, Result, Stalls, Stats};
use serde_json::{Value, json};

/// A store whose writers had to wait.
struct Stalled(Memory, Stalls);

impl Engine for Stalled {
    fn name(&self) -> &'static str {
        "stalled"
    }
    fn durability(&self) -> Durability {
        self.0.durability()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(key)
    }
    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.set(key, value)
    }
    fn delete(&self, key: &[u8]) -> Result<()> {
        self.0.delete(key)
    }
    fn sync(&self) -> Result<()> {
        self.0.sync()
    }
    fn stats(&self) -> Result<Stats> {
        let mut stats = self.0.stats()?;
        stats.stalls = self.stalls();
        Ok(stats)
    }
    fn stalls(&self) -> Option<Stalls> {
        Some(self.1)
    }
}

#[test]
fn waits_of_writers_are_counted_in_stats_and_metrics_with_their_time() {
    let stalls = Stalls::new(3, Duration::from_millis(1_500));
    let engine = Stalled(Memory::default(), stalls);
    let server = serve(Box::new(engine), options(), tempfile::tempdir().unwrap());
    let stats: Value = serde_json::from_slice(&server.get("/v1/stats").body).unwrap();
    assert_eq!((&stats["stalls"], &stats["stalled_ms"]), (&json!(3), &json!(1_500)), "{stats}");
    // Twice: what the engine has counted already is not added again.
    for _ in 0..2 {
        let answer = server.get("/metrics");
        let metrics: Vec<&str> = answer.text().lines().collect();
        for line in [
            "# TYPE logladder_write_stalls counter",
            "logladder_write_stalls_total 3",
            "# TYPE logladder_write_stall_seconds counter",
            "# UNIT logladder_write_stall_seconds seconds",
            "logladder_write_stall_seconds_total 1.5",
        ] {
            assert!(metrics.contains(&line), "{line} is not in {metrics:#?}");
        }
    }
}

#[test]
fn only_a_stage_whose_writers_may_have_to_wait_says_whether_they_did() {
    let server = stage("sorted-log");
    let stats: Value = serde_json::from_slice(&server.get("/v1/stats").body).unwrap();
    assert_eq!((&stats["stalls"], &stats["stalled_ms"]), (&json!(0), &json!(0)), "{stats}");
    assert!(server.get("/metrics").text().contains("logladder_write_stalls_total 0\n"));
    let server = memory(options());
    for path in ["/v1/stats", "/metrics"] {
        let answer = server.get(path);
        assert!(answer.status == 200 && !answer.text().contains("stall"), "{}", answer.text());
    }
    let document: Value = serde_json::from_slice(&server.get("/openapi.json").body).unwrap();
    let form = &document["components"]["schemas"]["StatsBody"];
    for member in ["stalls", "stalled_ms"] {
        assert!(form["properties"][member].is_object(), "{form}");
        let required = form["required"].as_array().unwrap();
        assert!(required.contains(&json!("live_keys")) && !required.contains(&json!(member)), "{form}");
    }
}
