//! [`Options`]: what can be chosen when a server is started.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use logladder_follower::Leader;

use crate::view::View;

/// What a client must show to be let in. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token `text`, or `None` if that is empty: whoever sends nothing would have it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        (!text.is_empty()).then_some(Self(text))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What can be chosen when a server is started. The defaults are safe to leave running on a machine that others use.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where to listen. The default is 127.0.0.1:8080, and port 0 takes a free one. An address that other machines
    /// reach is refused without a [`token`](Self::token).
    pub address: SocketAddr,
    /// Where to speak the protocol of Redis beside HTTP, by the same rules. The default is nowhere.
    pub redis: Option<SocketAddr>,
    /// Where writes are sent on to, if the store is a copy that follows another one. The default is nowhere: they are refused.
    pub forward: Option<Leader>,
    /// What clients send as `Authorization: Bearer TOKEN`, or with the command `AUTH`. None by default: whoever reaches the address is let in.
    pub token: Option<Token>,
    /// Names by which clients may call this server, beside those of this machine (`localhost`, `127.0.0.1`, `[::1]`)
    /// and the address itself. A page whose name was made to point here is refused by it.
    pub allowed_hosts: Vec<String>,
    /// Origins whose pages may call this server from a browser, such as `https://example.org`, beside its own.
    pub allowed_origins: Vec<String>,
    /// The folder in which a client may have copies of the store made. None by default: then no client may.
    pub backups: Option<PathBuf>,
    /// What the live view at `/view` shows. None by default: then there is no such page.
    pub view: Option<View>,
    /// The longest body of a request, or the longest command of Redis, in bytes; a longer one is refused before it is
    /// read. The default is 16 MiB.
    pub max_body_bytes: usize,
    /// How many connections there may be at once; others are told 503. The default is 2,048.
    pub max_connections: usize,
    /// How many clients may follow the changes at once; others are told 503. The default is 256.
    pub max_watchers: usize,
    /// How long the head of a request may take, from its first byte. The default is 10 seconds.
    pub header_timeout: Duration,
    /// How long the body of a request may take, or a command of Redis from its first byte. The default is 30 seconds.
    pub body_timeout: Duration,
    /// How long a connection may wait between requests. The default is 60 seconds.
    pub idle_timeout: Duration,
    /// How long a client may take no byte of an answer that waits for it. The default is 30 seconds.
    pub write_timeout: Duration,
    /// How long requests may go on after the server was told to stop. The default is 30 seconds.
    pub drain_timeout: Duration,
    /// How often the log is looked at for changes that did not come through this server. Its own are shown at once.
    /// The default is 100 milliseconds.
    pub poll_interval: Duration,
    /// How often a watcher hears something when nothing changes. The default is 15 seconds.
    pub keep_alive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            redis: None,
            forward: None,
            token: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            backups: None,
            view: None,
            max_body_bytes: 16 << 20,
            max_connections: 2048,
            max_watchers: 256,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_mins(1),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            poll_interval: Duration::from_millis(100),
            keep_alive: Duration::from_secs(15),
        }
    }
}
