//! The live view over a temporary store of a stage: what `cargo xtask view N` starts.
//!
//! The store lies on a disk in memory that can crash. Nothing of it is on a real disk, and it ends with this program.
#![allow(clippy::print_stdout, reason = "the address is what it is for")]

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use logladder::SyncPolicy;
use logladder_server::{CrashableStore, Options, Server, View, close, stop_signal};

#[derive(Debug, Parser)]
struct Arguments {
    /// The stage, by name or number
    #[arg(default_value = "hash-log")]
    stage: String,
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

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let stage = logladder::stage(&arguments.stage).context("there is no such stage")?;
    let sync = if arguments.sync { SyncPolicy::Always } else { SyncPolicy::Never };
    let store = CrashableStore::new(stage, sync)?;
    if !arguments.empty {
        store.write_samples()?;
    }
    let mut options = Options::default();
    options.address = arguments.addr;
    options.view = Some(View::of_crashable(&store));
    let runtime = tokio::runtime::Runtime::new().context("cannot start the threads of the server")?;
    let engine: logladder_server::SharedEngine = Arc::new(Box::new(store));
    runtime.block_on(async {
        let server = Server::bind(Arc::clone(&engine), options).await?;
        let stop = stop_signal();
        println!("http://{}/view", server.local_addr());
        println!("A temporary store of stage {}, {}, in memory. Ctrl-C ends it.", stage.number, stage.name);
        server.run_until(stop, stop_signal).await
    })?;
    close(engine)?;
    Ok(())
}
