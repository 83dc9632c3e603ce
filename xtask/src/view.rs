//! `cargo xtask view N`: the live view over a temporary store of a stage.
//!
//! The server is an example of `logladder-server`, so that the other commands are built without it. The first call builds it.

use std::net::SocketAddr;

use anyhow::Result;
use clap::Args;

use crate::checks::cargo;
use crate::climb::find;

/// What `cargo xtask view` takes.
#[derive(Debug, Args)]
pub(crate) struct View {
    /// The stage, by number or by name: 7, or hash-log
    #[arg(value_name = "STAGE")]
    which: String,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    addr: SocketAddr,
    /// Sync each write before it is acknowledged, so that a loss of power takes nothing
    #[arg(long)]
    sync: bool,
    /// Begin with an empty store
    #[arg(long)]
    empty: bool,
}

impl View {
    /// Builds the server and runs it until it is interrupted. For stage 9, [`find`] names the command that runs a cluster.
    pub(crate) fn run(&self) -> Result<()> {
        let stage = find(&self.which)?;
        let address = self.addr.to_string();
        let mut words = vec!["run", "--release", "--package", "logladder-server", "--example", "view", "--"];
        words.extend([stage.name, "--addr", &address]);
        words.extend(self.sync.then_some("--sync"));
        words.extend(self.empty.then_some("--empty"));
        cargo(&words, &[])
    }
}
