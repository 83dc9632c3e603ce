//! `test`, `ci`, `book` and `doctor`: the workspace checked by its own tools.

use std::ffi::OsStr;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::style::{BAD, GOOD, HEADING};

/// Runs every test, and first gets what they need beside Rust.
pub(crate) fn test() -> Result<()> {
    get_strace();
    cargo(&["test", "--workspace"], &[])?;
    // By themselves: the feature changes what hash-log's locks are, for everything that is built with it.
    cargo(&["test", "--package", "logladder-hash-log", "--features", "shuttle", "--test", "schedules"], &[])
}

/// Installs strace where it is missing and that is simple: on Debian and its kin, as root. Without it the tests that
/// let system calls fail pass without having tested anything, so this says how to get it.
fn get_strace() {
    if !cfg!(target_os = "linux") || has("strace", &["--version"]) {
        return;
    }
    anstream::eprintln!(
        "{HEADING}── installing strace, by which some tests let system calls fail{HEADING:#}"
    );
    let installed = Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends", "strace"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .is_ok_and(|status| status.success());
    if !installed || !has("strace", &["--version"]) {
        anstream::eprintln!(
            "{BAD}no test lets a system call fail{BAD:#}, because strace is missing and could not be installed; \
             to have them, install it as root: `apt-get update && apt-get install strace`"
        );
    }
}

/// Whether this machine has the tool.
fn has(tool: &str, arguments: &[&str]) -> bool {
    Command::new(tool).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Builds the book.
pub(crate) fn book() -> Result<()> {
    cargo(&["run", "--release", "--package", "logladder-book", "--", "build"], &[])
}

/// What the continuous integration runs. Ends at the first step that fails.
pub(crate) fn ci() -> Result<()> {
    step("format", || cargo(&["fmt", "--all", "--check"], &[]))?;
    step("lints", || cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], &[]))?;
    step("lints of the schedules", || {
        let schedules = ["--package", "logladder-hash-log", "--features", "shuttle", "--test", "schedules"];
        cargo(&[&["clippy"], &schedules[..], &["--", "-D", "warnings"]].concat(), &[])
    })?;
    step("documentation", || {
        cargo(&["doc", "--workspace", "--no-deps"], &[("RUSTDOCFLAGS", "-D warnings")])
    })?;
    step("book", book)?;
    // The README's own command, by its own name.
    step("tests", || cargo(&["xtask", "test"], &[]))?;
    step("benches, once through", || cargo(&["bench", "--workspace", "--", "--test"], &[]))?;
    step("climb", || cargo(&["xtask", "climb", "--seconds", "15"], &[]))
}

/// Says what is there of what the commands need.
#[allow(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn doctor() -> Result<()> {
    let tools: [(&str, &[&str], &str); 6] = [
        ("cargo", &["--version"], "everything"),
        ("rustc", &["--version"], "everything"),
        ("cargo", &["fmt", "--version"], "cargo xtask ci; `rustup component add rustfmt`"),
        ("cargo", &["clippy", "--version"], "cargo xtask ci; `rustup component add clippy`"),
        ("strace", &["--version"], "the tests that let system calls fail; `apt-get install strace`"),
        (
            "redis-server",
            &["--version"],
            "the figures beside Redis; `apt-get install redis-server redis-tools`",
        ),
    ];
    for (tool, arguments, needed_for) in tools {
        let found = Command::new(tool).args(arguments).output().ok().filter(|output| output.status.success());
        match found {
            Some(output) => {
                let version = String::from_utf8_lossy(&output.stdout);
                anstream::println!("{GOOD}found{GOOD:#}    {}", version.lines().next().unwrap_or(tool));
            }
            None => {
                anstream::println!("{BAD}missing{BAD:#}  {tool} {} — needed for {needed_for}", arguments[0]);
            }
        }
    }
    Ok(())
}

fn step(name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    anstream::eprintln!("{HEADING}── {name}{HEADING:#}");
    let start = Instant::now();
    run().with_context(|| format!("the step `{name}` failed"))?;
    anstream::eprintln!("{GOOD}── {name}: passed{GOOD:#} in {} s\n", start.elapsed().as_secs());
    Ok(())
}

fn cargo<S: AsRef<OsStr>>(arguments: &[S], environment: &[(&str, &str)]) -> Result<()> {
    // The cargo that runs this program, where there is one, and not another one on the path.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .envs(environment.iter().copied())
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("cargo ended with {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_alias_of_the_commands_lets_their_build_be_seen() {
        let alias = include_str!("../../.cargo/config.toml").lines().find(|line| line.starts_with("xtask ="));
        let words: Vec<&str> = alias.unwrap().split_whitespace().collect();
        assert!(words.contains(&"--release"), "{words:?}");
        assert!(!words.contains(&"--quiet") && !words.contains(&"-q"), "{words:?}");
    }
}
