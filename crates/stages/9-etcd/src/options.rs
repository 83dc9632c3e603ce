//! [`Options`]: which cluster, which store in it, and how long to wait.

use std::time::Duration;

/// What can be chosen at opening.
///
/// ```
/// use std::time::Duration;
///
/// use logladder_etcd::{Options, Reads};
///
/// let options = Options::default()
///     .with_endpoints(["http://10.0.0.1:2379", "http://10.0.0.2:2379", "http://10.0.0.3:2379"])
///     .with_prefix("shop/orders")
///     .with_timeout(Duration::from_secs(2))
///     .with_reads(Reads::Serializable);
/// assert_eq!(options.endpoints.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Where members of the cluster listen for clients, such as `http://10.0.0.1:2379`. The default is one on this
    /// machine, at etcd's usual port. The first that answers is asked; the others when it no longer does. So name as
    /// many as there are.
    pub endpoints: Vec<String>,
    /// The name of the store: what its keys in etcd begin with. Stores of different names in one cluster share nothing.
    /// The default is `logladder`. It is not empty, and holds no `:` and no control character.
    pub prefix: String,
    /// How long a call may take. The default is 5 seconds. A write that has no answer by then is
    /// [`OutcomeUnknown`](logladder_engine::Error::OutcomeUnknown); anything else is
    /// [`NoQuorum`](logladder_engine::Error::NoQuorum).
    pub timeout: Duration,
    /// How long one member may take to answer a read before the next is asked, and how long one may take to let us
    /// connect. The default is 1 second.
    pub patience: Duration,
    /// What a read may show.
    pub reads: Reads,
    /// The longest request that the members take, in bytes: their `--max-request-bytes`. The default is theirs,
    /// 1.5 MiB. A write that would be longer is [`TooLarge`](logladder_engine::Error::TooLarge).
    pub max_request_bytes: usize,
}

/// What a read may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reads {
    /// Everything that was acknowledged before the read began, whichever member it went through. The member asks the
    /// leader how far the log goes, and the leader makes sure that it still is one: a round between machines.
    #[default]
    Linearizable,
    /// What the member that is asked has by now, which may be old, and older than what another read showed. It needs
    /// no other member, and goes on where there is no majority. This is outside the contract of
    /// [`Engine`](logladder_engine::Engine), of which only `get` and its relatives, visits and `versions` take
    /// advantage: what a write depends on, and positions, are always linearizable.
    Serializable,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            endpoints: vec!["http://127.0.0.1:2379".to_owned()],
            prefix: "logladder".to_owned(),
            timeout: Duration::from_secs(5),
            patience: Duration::from_secs(1),
            reads: Reads::Linearizable,
            max_request_bytes: 1536 * 1024,
        }
    }
}

impl Options {
    /// The same with these members.
    #[must_use]
    pub fn with_endpoints<T: Into<String>>(mut self, endpoints: impl IntoIterator<Item = T>) -> Self {
        self.endpoints = endpoints.into_iter().map(Into::into).collect();
        self
    }

    /// The same with another name of the store.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The same with another limit of how long a call may take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with another limit of how long one member may take to answer a read.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The same with other reads.
    #[must_use]
    pub fn with_reads(mut self, reads: Reads) -> Self {
        self.reads = reads;
        self
    }

    /// The same for members that take requests of so many bytes.
    #[must_use]
    pub fn with_max_request_bytes(mut self, bytes: usize) -> Self {
        self.max_request_bytes = bytes;
        self
    }
}
