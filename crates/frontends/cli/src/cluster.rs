//! `--stage etcd`: a store in a cluster rather than in a folder. It is there if the command was built with the feature
//! `etcd`; else this says how to build it.

use anyhow::Result;
use logladder::Engine;

use crate::arguments::StoreArguments;
#[cfg(not(feature = "etcd"))]
use crate::outcome::Refusal;

/// The stage whose stores lie in no folder, by name and number.
pub(crate) const STAGE_IN_A_CLUSTER: [&str; 2] = ["etcd", "9"];

/// Which cluster, and which store in it.
#[cfg(feature = "etcd")]
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClusterArguments {
    /// Where members of the cluster listen, with commas between them (etcd)
    #[arg(
        long,
        global = true,
        value_name = "URLS",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:2379",
        env = "LOGLADDER_ENDPOINTS",
        hide_env_values = true
    )]
    endpoints: Vec<String>,
    /// The name of the store in the cluster (etcd)
    // Not `prefix`, which is that of the keys of a listing.
    #[arg(
        long = "cluster-prefix",
        global = true,
        value_name = "NAME",
        default_value = "logladder",
        env = "LOGLADDER_PREFIX",
        hide_env_values = true
    )]
    cluster_prefix: String,
    /// How long a call may take (etcd)
    #[arg(long, global = true, value_name = "TIME", default_value = "5s", value_parser = crate::bytes::duration)]
    timeout: std::time::Duration,
    /// How long one member may take to answer a read before the next is asked (etcd)
    #[arg(long, global = true, value_name = "TIME", default_value = "1s", value_parser = crate::bytes::duration)]
    patience: std::time::Duration,
    /// Read what one member has by now, which may be old, and needs no majority (etcd)
    #[arg(long, global = true)]
    serializable: bool,
}

impl StoreArguments {
    /// Whether the store that is asked for is one in a cluster.
    pub(crate) fn is_in_a_cluster(&self) -> bool {
        self.stage.as_deref().is_some_and(|stage| STAGE_IN_A_CLUSTER.contains(&stage))
    }

    /// Opens the store in the cluster.
    ///
    /// # Errors
    ///
    /// Those of [`logladder::etcd::Etcd::connect`].
    #[cfg(feature = "etcd")]
    pub(crate) fn open_in_the_cluster(&self) -> Result<Box<dyn Engine>> {
        use logladder::etcd::{Etcd, Options, Reads};
        let ClusterArguments { endpoints, cluster_prefix, timeout, patience, serializable } = &self.cluster;
        let reads = if *serializable { Reads::Serializable } else { Reads::Linearizable };
        let options = Options::default()
            .with_endpoints(endpoints)
            .with_prefix(cluster_prefix)
            .with_timeout(*timeout)
            .with_patience(*patience)
            .with_reads(reads);
        Ok(Box::new(Etcd::connect(options)?))
    }

    /// Says how to build a command that can.
    #[cfg(not(feature = "etcd"))]
    #[allow(clippy::unused_self, reason = "the other one takes it")]
    pub(crate) fn open_in_the_cluster(&self) -> Result<Box<dyn Engine>> {
        let what = "this `logladder` was built without stage 9, etcd: `cargo install --path crates/frontends/cli --features \
                    etcd` builds one with it, and needs protoc (Debian: protobuf-compiler, libprotobuf-dev)";
        Err(Refusal::Usage(what.to_owned()).into())
    }
}
