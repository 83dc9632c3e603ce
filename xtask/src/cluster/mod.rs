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

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::checks::{cargo, has_etcd, has_protoc};
use crate::style::{GOOD, HEADING, QUIET};

use self::machines::Machines;

/// What `cargo xtask cluster` takes.
#[derive(Debug, Args)]
pub(crate) struct Cluster {
    /// Kill the leader again and again under a steady load, then two of three, and say what became of the writes
    #[arg(long)]
    failover: bool,
    /// How often the leader is killed (with --failover)
    #[arg(long, value_name = "N", default_value_t = 5, requires = "failover", value_parser = clap::value_parser!(u32).range(1..=100))]
    kills: u32,
    /// The port of the first server; the others have the next two. 0 takes free ones
    #[arg(long, value_name = "PORT", default_value_t = 5000, value_parser = clap::value_parser!(u16).range(..=65_533))]
    port: u16,
}

impl Cluster {
    pub(crate) fn run(&self) -> Result<()> {
        if !has_protoc() || !has_etcd() {
            bail!(
                "this needs etcd, and protoc with its files; as root: `apt-get update && apt-get install etcd-server \
                 protobuf-compiler libprotobuf-dev`"
            );
        }
        cargo(&["build", "--release", "--package", "logladder-cli", "--features", "etcd"], &[])?;
        let mut machines = Machines::start(self.port)?;
        anstream::println!(
            "{GOOD}ready{GOOD:#}: three servers over one store, in {}",
            machines.folder().display()
        );
        for machine in machines.all() {
            anstream::println!(
                "  {HEADING}{}{HEADING:#}   {QUIET}etcd at {}{QUIET:#}",
                machine.url(),
                machine.endpoint()
            );
        }
        if self.failover {
            return failover::check(&mut machines, self.kills);
        }
        println!(
            "\n  curl -X POST {}/set -d '{{\"key\": \"name\", \"value\": \"Monika\"}}'",
            machines.all()[0].url()
        );
        println!("  curl {}/get/name", machines.all()[1].url());
        println!("  curl {}/v1/cluster\n\nCtrl-C ends them.", machines.all()[2].url());
        wait_for_ctrl_c()?;
        println!("\nending them");
        machines.end();
        Ok(())
    }
}

fn wait_for_ctrl_c() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c()).context("cannot wait for Ctrl-C")
}
