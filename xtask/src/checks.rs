//! `test`, `ci`, `book` and `doctor`: the workspace checked by its own tools.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use logladder_lab::attended;

use crate::style::{BAD, GOOD, HEADING};

/// Runs every test, and first gets what they need beside Rust.
pub(crate) fn test() -> Result<()> {
    get_tools();
    cargo(&in_workspace(has_protoc() && has_etcd(), &["test"], &[]), &[])?;
    // By themselves: the feature changes what hash-log's locks are, for everything that is built with it.
    cargo(&["test", "--package", "logladder-hash-log", "--features", "shuttle", "--test", "schedules"], &[])?;
    // By themselves: stage 9 is in the frontends only if it is asked for.
    test_stage_9()
}

/// The package of stage 9, whose build needs [`PROTOC`].
const STAGE_9: &str = "logladder-etcd";

/// The frontend with stage 9 in it, beside the workspace: what it stands on is then built as it is for everything else, and so
/// is there already.
const WITH_STAGE_9: [&str; 3] = ["--workspace", "--features", "logladder-cli/etcd"];

/// A command of cargo for the whole workspace, or for all of it but stage 9. `rest` stands behind.
fn in_workspace<'a>(with_stage_9: bool, command: &[&'a str], rest: &[&'a str]) -> Vec<&'a str> {
    let without: &[&str] = if with_stage_9 { &[] } else { &["--exclude", STAGE_9] };
    [command, &["--workspace"], without, rest].concat()
}

/// Tests the frontend with stage 9 in it, and three machines of which the leader is killed. Or says what of stage 9 was not
/// tested.
fn test_stage_9() -> Result<()> {
    if !has_protoc() || !has_etcd() {
        not_tested(
            &format!("{STAGE_9}, and `logladder` with the feature etcd"),
            &format!(
                "they need protoc, its include files and etcd; to have them, as root: `apt-get update && apt-get \
                 install {} etcd-server`",
                PROTOC.join(" ")
            ),
        );
        return Ok(());
    }
    let tests = ["--test", "etcd", "--test", "linearizability"];
    cargo(&[&["test"], &WITH_STAGE_9[..], &tests].concat(), &[])?;
    test_partition()?;
    #[cfg(unix)]
    step("failover", crate::cluster::check_failover)?;
    Ok(())
}

/// Tests a network that falls in two, where this machine lets one be made.
fn test_partition() -> Result<()> {
    // As the test does it: a namespace, which is removed at once.
    let name = format!("ll{}", std::process::id());
    let added = Command::new("ip").args(["netns", "add", &name]).output();
    let why = match added {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("ip: {error}")),
    };
    if let Some(why) = why {
        let needs = format!("it needs network namespaces, so Linux, root and iproute2 ({why})");
        not_tested("a leader that is cut off by the network", &needs);
        return Ok(());
    }
    let removed = Command::new("ip").args(["netns", "del", &name]).status();
    if !removed.is_ok_and(|status| status.success()) {
        bail!("cannot remove the network namespace {name}");
    }
    let test = ["--test", "partition", "--", "--ignored", "--nocapture"];
    cargo(&[&["test"], &WITH_STAGE_9[..], &test].concat(), &[])
}

/// Says aloud what no test has looked at.
fn not_tested(what: &str, why: &str) {
    anstream::eprintln!("{BAD}not tested: {what}{BAD:#}, because {why}");
}

/// Whether the tests of stage 9 can be run.
pub(crate) fn has_etcd() -> bool {
    has("etcd", &["--version"])
}

/// The packages of Debian and its kin that building stage 9 needs: the compiler, and the files that etcd's include.
const PROTOC: [&str; 2] = ["protobuf-compiler", "libprotobuf-dev"];

/// Whether stage 9 can be built: `protoc` is there, and the files that come with it.
pub(crate) fn has_protoc() -> bool {
    let given = std::env::var_os("PROTOC_INCLUDE").map(PathBuf::from);
    let usual = ["/usr/include", "/usr/local/include", "/opt/homebrew/include"].map(PathBuf::from);
    let mut places = given.into_iter().chain(usual);
    has("protoc", &["--version"])
        && places.any(|place| place.join("google/protobuf/descriptor.proto").exists())
}

/// A program that tests or benches use, and where it comes from.
#[derive(Debug)]
struct Tool {
    name: &'static str,
    /// What shows that it is there.
    arguments: &'static [&'static str],
    /// Of Debian and its kin.
    package: &'static str,
    needed_for: &'static str,
    /// What it is like without it.
    without: &'static str,
}

const TOOLS: [Tool; 10] = [
    Tool {
        name: "strace",
        arguments: &["--version"],
        package: "strace",
        needed_for: "the tests that let system calls fail",
        without: "no test lets a system call fail",
    },
    Tool {
        name: "curl",
        arguments: &["--version"],
        package: "curl",
        needed_for: "the test that replays the page on HTTP",
        without: "that test will fail",
    },
    Tool {
        name: "protoc",
        arguments: &["--version"],
        package: "protobuf-compiler",
        needed_for: "building stage 9",
        without: "stage 9 is neither built nor tested",
    },
    Tool {
        name: "etcd",
        arguments: &["--version"],
        package: "etcd-server",
        needed_for: "the tests of stage 9, and `cargo xtask cluster`",
        without: "stage 9 is not tested",
    },
    Tool {
        name: "etcdctl",
        arguments: &["version"],
        package: "etcd-client",
        needed_for: "looking into the servers of stage 9",
        without: "nothing is missed by the tests",
    },
    Tool {
        name: "ip",
        arguments: &["-V"],
        package: "iproute2",
        needed_for: "the test that cuts a leader of stage 9 off, as root",
        without: "no test cuts a leader off",
    },
    Tool {
        name: "redis-cli",
        arguments: &["--version"],
        package: "redis-tools",
        needed_for: "the tests of `logladder serve --redis`",
        without: "tests that ask the server as clients of Redis do will fail",
    },
    Tool {
        name: "redis-server",
        arguments: &["--version"],
        package: "redis-server",
        needed_for: "the bench `redis`, which measures beside it",
        without: "the bench `redis` will fail",
    },
    Tool {
        name: "chromium",
        arguments: &["--version"],
        package: "chromium",
        needed_for: "the test that clicks through the live view",
        without: "nobody clicks through the live view",
    },
    Tool {
        name: "chromedriver",
        arguments: &["--version"],
        package: "chromium-driver",
        needed_for: "the test that clicks through the live view",
        without: "nobody clicks through the live view",
    },
];

/// Installs tools that are missing where that is simple: on Debian and its kin, as root or by `sudo` without a
/// password. Where it is not, this says how.
fn get_tools() {
    let missing = || TOOLS.iter().filter(|tool| !has(tool.name, tool.arguments));
    let mut packages: Vec<&str> = missing().map(|tool| tool.package).collect();
    if !has_protoc() {
        packages.extend(PROTOC);
    }
    packages.sort_unstable();
    packages.dedup();
    if !cfg!(target_os = "linux") || packages.is_empty() {
        return;
    }
    anstream::eprintln!("{HEADING}── installing {}{HEADING:#}", packages.join(", "));
    let install = [&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat();
    // A machine that was set up a moment ago has no list of packages yet.
    if !apt_get(&install) && apt_get(&["update"]) {
        apt_get(&install);
    }
    for Tool { name, package, without, .. } in missing() {
        anstream::eprintln!(
            "{BAD}{without}{BAD:#}, because {name} is missing and could not be installed; to have it, as root: \
             `apt-get update && apt-get install {package}`"
        );
    }
}

/// Runs apt-get, if this user may.
fn apt_get(arguments: &[&str]) -> bool {
    let settings = ["DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]; // The second: no server of theirs is started.
    let run = |before: &[&str]| {
        let (program, rest) = before.split_first().unwrap_or((&"env", &[]));
        let mut command = Command::new(program);
        command.args(rest).args(settings).arg("apt-get").args(arguments);
        command.status().is_ok_and(|status| status.success())
    };
    run(&["env"]) || run(&["sudo", "--non-interactive", "env"])
}

/// Whether this machine has the tool.
fn has(tool: &str, arguments: &[&str]) -> bool {
    Command::new(tool).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// What `cargo xtask book` takes.
#[derive(Debug, Args)]
pub(crate) struct Book {
    /// Serve it at an address of this machine, and follow its pages, until interrupted
    #[arg(long)]
    serve: bool,
    /// The port to serve it at; 0 takes any that is free
    #[arg(long, requires = "serve", default_value_t = 3000)]
    port: u16,
}

impl Book {
    /// Builds the book, or serves it.
    pub(crate) fn run(&self) -> Result<()> {
        if !self.serve {
            return book();
        }
        let port = self.port.to_string();
        cargo(&["run", "--release", "--package", "logladder-book", "--", "serve", "--port", &port], &[])
    }
}

/// Builds the book, and checks what it says.
fn book() -> Result<()> {
    cargo(&["run", "--release", "--package", "logladder-book", "--", "build"], &[])
}

/// What the continuous integration runs. Ends at the first step that fails.
pub(crate) fn ci() -> Result<()> {
    // Before the first build: stage 9 needs some for that.
    get_tools();
    let strict = ["--all-targets", "--", "-D", "warnings"];
    step("format", || cargo(&["fmt", "--all", "--check"], &[]))?;
    step("lints", || cargo(&in_workspace(has_protoc(), &["clippy"], &strict), &[]))?;
    if has_protoc() {
        step("lints with stage 9", || cargo(&[&["clippy"], &WITH_STAGE_9[..], &strict].concat(), &[]))?;
    }
    step("lints of the schedules", || {
        let schedules = ["--package", "logladder-hash-log", "--features", "shuttle", "--test", "schedules"];
        cargo(&[&["clippy"], &schedules[..], &["--", "-D", "warnings"]].concat(), &[])
    })?;
    step("lints of the fuzz targets", || {
        let targets =
            ["--manifest-path", "fuzz/Cargo.toml", "--target-dir", "target", "--locked", "--all-targets"];
        // Nothing is linked, so the fuzzer itself need not be built.
        let no_fuzzer = [("CUSTOM_LIBFUZZER_PATH", "/dev/null")];
        cargo(&[&["clippy"], &targets[..], &["--", "-D", "warnings"]].concat(), &no_fuzzer)
    })?;
    step("documentation", || {
        cargo(&in_workspace(has_protoc(), &["doc"], &["--no-deps"]), &[("RUSTDOCFLAGS", "-D warnings")])
    })?;
    // The README's own command, by its own name. What `cargo xtask book` does is among them.
    step("tests", || cargo(&["xtask", "test"], &[]))?;
    // Built as tests are, so that what they stand on is there: what a bench measures once through is not looked at.
    step("benches, once through", || {
        cargo(&in_workspace(has_protoc(), &["test"], &["--benches", "--", "--test"]), &[])
    })?;
    step("climb", || cargo(&["xtask", "climb", "--seconds", "15"], &[]))
}

/// Says what is there of what the commands need.
#[allow(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn doctor() -> Result<()> {
    let of_rust: [(&str, &[&str], &str); 5] = [
        ("cargo", &["--version"], "everything"),
        ("rustc", &["--version"], "everything"),
        ("cargo", &["fmt", "--version"], "cargo xtask ci; `rustup component add rustfmt`"),
        ("cargo", &["clippy", "--version"], "cargo xtask ci; `rustup component add clippy`"),
        ("python3", &["--version"], "cargo xtask schemathesis; `apt-get install python3-venv`"),
    ];
    for (tool, arguments, needed_for) in of_rust {
        look_for(tool, arguments, needed_for);
    }
    for Tool { name, arguments, package, needed_for, .. } in TOOLS {
        look_for(name, arguments, &format!("{needed_for}; `apt-get install {package}`"));
    }
    Ok(())
}

/// Says whether the tool is there.
fn look_for(tool: &str, arguments: &[&str], needed_for: &str) {
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

pub(crate) fn step(name: &str, run: impl FnOnce() -> Result<()>) -> Result<()> {
    anstream::eprintln!("{HEADING}── {name}{HEADING:#}");
    let start = Instant::now();
    run().with_context(|| format!("the step `{name}` failed"))?;
    anstream::eprintln!("{GOOD}── {name}: passed{GOOD:#} in {} s\n", start.elapsed().as_secs());
    Ok(())
}

/// Runs cargo, which ends with this program.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: &[S], environment: &[(&str, &str)]) -> Result<()> {
    // The cargo that runs this program, where there is one, and not another one on the path.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).envs(environment.iter().copied());
    let status = attended(&command).context("cannot start cargo")?;
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
