//! wrk, which loads a server and says how fast it answered.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// What wrk found out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) per_second: f64,
    /// 99 of 100 requests took no longer.
    pub(crate) p99: Duration,
}

/// How many requests are on their way at once.
const CONNECTIONS: u32 = 32;

pub(crate) fn is_there() -> bool {
    // It has no way to be asked for its version and succeed.
    Command::new("wrk").arg("--version").output().is_ok()
}

/// Loads `url` for so long; with a script of wrk if there is one, whose requests may be answered with 404.
pub(crate) fn load(url: &str, time: Duration, script: Option<&Path>) -> Result<Load> {
    let mut command = Command::new("wrk");
    let seconds = time.as_secs().max(1);
    command.args(["--threads", "1", "--latency", "--timeout", "10s"]);
    command.args(["--connections", &CONNECTIONS.to_string(), "--duration", &format!("{seconds}s")]);
    if let Some(script) = script {
        command.arg("--script").arg(script);
    }
    let output = command.arg(url).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(!said.contains("Socket errors"), "connections failed: {said}");
    ensure!(script.is_some() || !said.contains("Non-2xx"), "requests failed: {said}");
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.map(str::trim).with_context(|| format!("no {name} in {said}"))
    };
    Ok(Load { per_second: value("Requests/sec:")?.parse()?, p99: time_of(value("99%")?)? })
}

/// A time as wrk writes it: `812.00us`, `1.20ms`, `2.01s`.
fn time_of(text: &str) -> Result<Duration> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let number: f64 = digits.parse()?;
    Ok(Duration::from_secs_f64(match &text[digits.len()..] {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        other => bail!("wrk wrote a time in {other}"),
    }))
}
