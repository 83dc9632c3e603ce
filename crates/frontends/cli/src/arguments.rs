//! The command line: what can be typed, and the help that says so.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use logladder::SyncPolicy;

use crate::{bench, bytes, care, inspect, keys, repl, serve, shell, transfer, watch};

/// What `logladder` takes.
#[derive(Debug, Parser)]
#[command(
    name = "logladder",
    version,
    about = "Key-value stores, from a hash map upwards: any stage of the ladder from a terminal",
    after_help = AFTER_HELP,
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = r#"Keys and values are byte strings. Text is typed and printed as it is; what is not UTF-8, or holds control
characters, as b"\x00\xff\n".

Exit codes:
  0  done
  1  the key has no value; or `check` found damage, with `--repair` too
  2  the command line could not be understood
  3  the store could not be opened, read or written
  4  the input cannot be read, or a line of it is bad
  5  this stage cannot do that; others can"#;

/// Which store, and how it is opened.
#[derive(Debug, Clone, Args)]
pub(crate) struct StoreArguments {
    /// The stage, by name or number [default: that of the store in the folder, or hash-log]
    #[arg(long, global = true, value_name = "NAME|N", env = "LOGLADDER_STAGE", hide_env_values = true)]
    pub(crate) stage: Option<String>,
    /// The folder of the store
    #[arg(
        long,
        global = true,
        value_name = "FOLDER",
        default_value = "logladder-data",
        env = "LOGLADDER_DIR",
        hide_env_values = true
    )]
    pub(crate) dir: PathBuf,
    /// When a write is on the disk: before it is acknowledged (always), at the end (never), or so often (1s)
    /// [default: always; for import: never]
    #[arg(long, global = true, value_name = "WHEN", value_parser = sync_policy)]
    pub(crate) sync: Option<SyncPolicy>,
    /// How many versions of each key are kept from now on (hash-log; if not said, as many as before); 2 or more: show
    /// those that are still in the log (replay-log)
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        env = "LOGLADDER_VERSIONS",
        hide_env_values = true
    )]
    pub(crate) versions: Option<u16>,
    /// How long to wait for a store that another process has open
    #[arg(long, global = true, value_name = "TIME", default_value = "2s", value_parser = bytes::duration)]
    pub(crate) wait: Duration,
    #[cfg(feature = "etcd")]
    #[command(flatten)]
    pub(crate) cluster: crate::cluster::ClusterArguments,
    /// Print what was asked for as JSON, a line for each thing; `set` takes its value as JSON. The session of `repl` stays as it is
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Type commands one after the other, or pipe them in
    Repl(repl::Repl),
    /// Serve the store over HTTP and the protocol of Redis, until interrupted
    Serve(serve::Serve),
    /// Print the value of a key
    Get(keys::Get),
    /// Set a key to a value
    Set(keys::Set),
    /// Delete keys
    Del(keys::Del),
    /// Print keys and values
    Scan(keys::Scan),
    /// Print how large the store is
    Stats(keys::Stats),
    /// Print the versions of a key that are kept, the newest first
    History(keys::History),
    /// Print each change as it is made, until interrupted
    Watch(watch::Watch),
    /// Read keys and values from a file or a pipe
    Import(transfer::Import),
    /// Write all keys and values to a file or a pipe
    Export(transfer::Export),
    /// Give back the space of what was overwritten or deleted
    Compact(care::Compact),
    /// Read every byte of a store and say what is wrong
    Check(care::Check),
    /// Copy the store into another folder, as it is at one moment
    Backup(care::Backup),
    /// Make the store from a backup
    Restore(care::Restore),
    /// Show the files of a store, or the bytes of one field by field
    Inspect(inspect::Inspect),
    /// Measure stages on this machine, in a folder of your choice
    Bench(bench::Bench),
    /// List the stages, and what each can do
    Stages(keys::Stages),
    /// Print the completions of a shell
    Completions(shell::Completions),
    /// Print the manual page
    Man(shell::Man),
}

fn sync_policy(text: &str) -> Result<SyncPolicy, String> {
    match text {
        "always" => Ok(SyncPolicy::Always),
        "never" => Ok(SyncPolicy::Never),
        other => bytes::duration(other)
            .map(SyncPolicy::Every)
            .map_err(|_| "neither `always` nor `never` nor a time such as `1s` or `100ms`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_sync_policy_is_a_word_or_a_time() {
        assert_eq!(sync_policy("always"), Ok(SyncPolicy::Always));
        assert_eq!(sync_policy("250ms"), Ok(SyncPolicy::Every(Duration::from_millis(250))));
        assert!(sync_policy("sometimes").is_err());
    }
}
