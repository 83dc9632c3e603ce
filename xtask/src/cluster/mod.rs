//! `cargo xtask cluster`: three servers over three nodes of etcd on this machine; and what becomes of them when one dies.
//!
//! ```text
//!   :5000 logladder serve ──┐        ┌── etcd 1
//!   :5001 logladder serve ──┼─ any ──┼── etcd 2      a machine is a server and the node of the same number:
//!   :5002 logladder serve ──┘        └── etcd 3      both are killed at once
//! ```

mod failover;
mod load;
mod machines;
mod process;
mod stop;
mod timeline;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::json;

use crate::checks::{cargo, has_etcd, has_protoc};
use crate::style::{DEED, GOOD, HEADING, QUIET};

use self::machines::{HeldPorts, Machines, Waits};
use self::stop::Stop;
use self::timeline::Timeline;

/// What `cargo xtask cluster` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
How long writes pause is mostly how long the others wait before they elect another leader. Unless --etcd-defaults says \
otherwise, the nodes are set for one room, where a message takes less than a millisecond: a heartbeat every 50 ms, and an \
election after 300 to 600 ms without one; etcd's own are 100 ms and 1 to 2 s. The servers ask the next node after 300 ms, and \
give up after 2 s. With such short waits a leader that gets no processor or no disk for a third of a second is replaced.

Exit codes: 0 all is well; 1 a write was lost, or something could not be done; 2 the command line could not be understood.")]
pub(crate) struct Cluster {
    /// Kill the leader again and again under a steady load, then two of three, and say what became of the writes
    #[arg(long)]
    failover: bool,
    /// How often the leader is killed (with --failover)
    #[arg(long, value_name = "N", default_value_t = 5, requires = "failover", value_parser = clap::value_parser!(u32).range(1..=100))]
    kills: u32,
    /// Let etcd and the servers wait as long as they do unless they are told otherwise
    #[arg(long)]
    etcd_defaults: bool,
    /// The port of the first server; the others have the next two. 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 5000, value_parser = clap::value_parser!(u16).range(..=65_533))]
    port: u16,
    /// Print a line of JSON for each thing that happens
    #[arg(long)]
    json: bool,
}

/// How the command is built: by these words to cargo, and into this folder of the target.
type Build = (&'static [&'static str], &'static str);
const RELEASE: Build =
    (&["build", "--release", "--package", "logladder-cli", "--features", "etcd"], "release");
/// As for its tests, which have left it there.
const AS_TESTED: Build =
    (&["test", "--no-run", "--test", "etcd", "--workspace", "--features", "logladder-cli/etcd"], "debug");

/// Kills the leader twice, and then two of three, with the command as it was built for the tests.
pub(crate) fn check_failover() -> Result<()> {
    let cluster = Cluster { failover: true, kills: 2, etcd_defaults: false, port: 0, json: false };
    cluster.run_built(AS_TESTED)
}

impl Cluster {
    pub(crate) fn run(&self) -> Result<()> {
        self.run_built(RELEASE)
    }

    fn run_built(&self, how: Build) -> Result<()> {
        for (is_there, what, packages) in [
            (has_etcd(), "etcd", "etcd-server"),
            (has_protoc(), "protoc with its files, to build stage 9", "protobuf-compiler libprotobuf-dev"),
        ] {
            if !is_there {
                bail!(
                    "this needs {what}, which is not there. On Debian and its kin, as root: `apt-get update && apt-get install {packages}`"
                );
            }
        }
        let ports = HeldPorts::take(self.port)?;
        let program = build(how)?;
        let stop = Stop::listen()?;
        let waits = if self.etcd_defaults { Waits::Defaults } else { Waits::Room };
        let mut machines = Machines::start(&program, ports, waits, &stop)?;
        let mut timeline = Timeline::new(self.json);
        self.say_ready(&machines, &timeline);
        if self.failover {
            failover::check(&mut machines, self.kills, &mut timeline, &stop)?;
        } else {
            stop.wait();
            timeline.text("\nending them");
        }
        machines.end();
        timeline.result("ended", json!({}));
        Ok(())
    }

    fn say_ready(&self, machines: &Machines, timeline: &Timeline) {
        let all = machines.all();
        let folder = machines.folder().display();
        timeline.text(&format!(
            "{GOOD}ready{GOOD:#}: three servers over one store, {QUIET}in {folder}{QUIET:#}\n"
        ));
        for machine in all {
            let (url, endpoint) = (machine.url(), machine.endpoint());
            timeline.text(&format!("  {HEADING}{url}{HEADING:#}   {QUIET}etcd at {endpoint}{QUIET:#}"));
        }
        let of_each: Vec<_> =
            all.iter().map(|machine| json!({"url": machine.url(), "etcd": machine.endpoint()})).collect();
        timeline.result(
            "ready",
            json!({"machines": of_each, "folder": folder.to_string(), "etcd_defaults": self.etcd_defaults}),
        );
        if self.failover {
            return;
        }
        let json = "-H 'Content-Type: application/json' -d '{\"key\": \"name\", \"value\": \"Monika\"}'";
        timeline.text(&format!("\n  {DEED}curl -X POST {}/set {json}{DEED:#}", all[0].url()));
        timeline.text(&format!("  {DEED}curl {}/get/name{DEED:#}", all[1].url()));
        timeline.text(&format!("  {DEED}curl {}/v1/cluster{DEED:#}", all[2].url()));
        timeline.text("\nWhat is written at one is there at the others. Ctrl-C ends them.");
    }
}

/// Builds the command with stage 9 in it, and says where it is.
fn build((words, folder): Build) -> Result<PathBuf> {
    cargo(words, &[])?;
    // This program is in a folder of the same target, by the name of its own profile.
    let here = std::env::current_exe().context("where is this program?")?;
    let target = here.parent().and_then(|folder| folder.parent()).context("this program has no folder")?;
    Ok(target.join(folder).join("logladder"))
}
