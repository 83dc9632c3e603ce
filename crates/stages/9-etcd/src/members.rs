//! [`Members`]: the members of the cluster, and how one of them is asked.
//!
//! ```text
//!   ask ──► the member that answered last ──► its answer: done
//!                │ nobody listens, or "no leader": it has not been done
//!                ▼
//!           the next one, and so on, until the deadline: NoQuorum
//!                │ no answer came, or the leader changed before it did: it may have been done
//!                ├── a read: the next one
//!                └── a write: OutcomeUnknown, and nobody is asked a second time
//! ```
//!
//! One connection to each member, made when it is first needed and again when it is lost. A client that balances requests
//! over all of them would not say which one an error came from, and might send a request again by itself.
//!
//! A member hands a write on to the leader. If the leader dies just then, the write may be lost on the way, and the member
//! waits for it for seven seconds before it says so. And a member that is cut off says nothing at all. So a write that takes
//! long is watched: once any member knows of an election that came after the write, what was not answered by then will
//! hardly be answered.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client::{
    Client, CompactionResponse, ConnectOptions, GetResponse, KvClient, ResponseHeader, TxnResponse,
    WatchClient, WatchStream,
};
use logladder_engine::{Error, Result};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::fault::Fault;
use crate::{Options, Reads};

/// How long to wait before all are asked again, at first and at most.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// So long before the deadline, nobody is asked any more: what the deadline cuts off while it connects may
/// have been sent, for all that is known here, and who finds nobody should be told that nothing was done.
const LAST_TRY: Duration = Duration::from_millis(100);

/// After so long a write is slow, and so often it is then asked who leads.
const SLOW: Duration = Duration::from_millis(100);

/// How long a write may still be answered after an election.
const GRACE: Duration = Duration::from_millis(100);

/// How often a connection is tested. Members refuse to be asked more often than every five seconds.
const TEST_EVERY: Duration = Duration::from_secs(10);

/// The longest answer that is taken, in bytes. Pages are kept far below it.
const LONGEST_ANSWER: usize = 64 << 20;

/// Whether something may be asked twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
}

/// One of the members.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) endpoint: String,
    pub(crate) kv: KvClient,
    /// For reads of what the member has by now: it answers them without a leader as well.
    local: KvClient,
    pub(crate) client: Client,
    connect: ConnectOptions,
}

impl Member {
    /// The connection for such reads.
    pub(crate) fn kv_to_read(self, reads: Reads) -> KvClient {
        match reads {
            Reads::Linearizable => self.kv,
            Reads::Serializable => self.local,
        }
    }

    /// A connection of its own for a watch. All that share one share the room for what has come and was not read; a watch
    /// that is left unread for a while would take it from the others, and from the answers to writes.
    pub(crate) async fn connect_to_watch(&self) -> std::result::Result<WatchClient, etcd_client::Error> {
        let client = Client::connect([self.endpoint.as_str()], Some(self.connect.clone())).await?;
        Ok(client.watch_client().max_decoding_message_size(LONGEST_ANSWER))
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Member").field(&self.endpoint).finish()
    }
}

/// The members that were named at opening.
#[derive(Debug)]
pub(crate) struct Members {
    all: Vec<Member>,
    /// The one that answered last.
    current: AtomicUsize,
    /// The number of elections that there had been when something was last answered.
    term: AtomicU64,
    /// Whether the last write was answered with that their quota is used up.
    are_full: AtomicBool,
    timeout: Duration,
    patience: Duration,
}

/// Refuses what no client of etcd could connect to, in words that say what to write.
fn check_endpoint(endpoint: &str) -> Result<()> {
    let why = if endpoint.trim().is_empty() {
        "an endpoint is empty: is there a comma too many?".to_owned()
    } else if endpoint.trim_start().starts_with("https:") {
        format!(
            "{endpoint} would need TLS, which this stage does not speak: name it as http://, through a tunnel where the network is not yours"
        )
    } else {
        return Ok(());
    };
    Err(Error::Cluster { why })
}

impl Members {
    /// Gets ready to connect to them. Nobody is asked yet.
    pub(crate) async fn new(options: &Options) -> Result<Arc<Self>> {
        if options.endpoints.is_empty() {
            return Err(Error::Cluster { why: "no endpoint of it was named".to_owned() });
        }
        let mut all = Vec::with_capacity(options.endpoints.len());
        for endpoint in &options.endpoints {
            check_endpoint(endpoint)?;
            // A member without a leader says so at once, rather than to let a request wait.
            let connect = ConnectOptions::new()
                .with_connect_timeout(options.patience)
                .with_keep_alive(TEST_EVERY, options.patience)
                .with_require_leader(true);
            let client = Client::connect([endpoint.as_str()], Some(connect.clone())).await;
            let client = client.map_err(|error| Fault::of(&error).into_error())?;
            let local = match options.reads {
                Reads::Linearizable => client.clone(),
                Reads::Serializable => {
                    let connect = connect.clone().with_require_leader(false);
                    let local = Client::connect([endpoint.as_str()], Some(connect)).await;
                    local.map_err(|error| Fault::of(&error).into_error())?
                }
            };
            let kv = |client: &Client| client.kv_client().max_decoding_message_size(LONGEST_ANSWER);
            all.push(Member {
                endpoint: endpoint.clone(),
                kv: kv(&client),
                local: kv(&local),
                client,
                connect,
            });
        }
        Ok(Arc::new(Self {
            all,
            current: AtomicUsize::new(0),
            term: AtomicU64::new(0),
            are_full: AtomicBool::new(false),
            timeout: options.timeout,
            patience: options.patience,
        }))
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Member] {
        &self.all
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks one member after the other until one has done it.
    pub(crate) async fn ask<T: Answer, F>(
        &self,
        kind: Kind,
        question: impl Fn(Member) -> F,
    ) -> std::result::Result<T, Fault>
    where
        F: Future<Output = std::result::Result<T, etcd_client::Error>>,
    {
        self.ask_until(Instant::now() + self.timeout, kind, question).await
    }

    /// The same with a deadline of its own.
    pub(crate) async fn ask_until<T: Answer, F>(
        &self,
        deadline: Instant,
        kind: Kind,
        question: impl Fn(Member) -> F,
    ) -> std::result::Result<T, Fault>
    where
        F: Future<Output = std::result::Result<T, etcd_client::Error>>,
    {
        let mut pause = PAUSE;
        let were_full = self.are_full.load(Ordering::Relaxed);
        loop {
            let mut last = String::new();
            for _ in 0..self.all.len() {
                let at = self.current.load(Ordering::Relaxed) % self.all.len();
                let member = &self.all[at];
                let fault = match self.answer(kind, member, deadline, &question).await {
                    Ok(answer) => {
                        if were_full && kind == Kind::Write {
                            self.are_full.store(false, Ordering::Relaxed);
                        }
                        return Ok(answer);
                    }
                    Err(fault) => fault,
                };
                let from = |why: String| format!("{}: {why}", member.endpoint);
                last = match fault {
                    Fault::NotDone(why) => from(why),
                    Fault::Unknown(why) if kind == Kind::Read => from(why),
                    // All of them knew it before this was asked.
                    Fault::Full(why) if were_full => {
                        return Err(Fault::Refused(Error::Cluster { why }));
                    }
                    Fault::Full(why) => {
                        self.are_full.store(true, Ordering::Relaxed);
                        return Err(Fault::Full(from(why)));
                    }
                    // A write was answered by something that cannot be read.
                    Fault::TooLong if kind == Kind::Write => {
                        return Err(Fault::Unknown(from("an answer that is too long".to_owned())));
                    }
                    Fault::Unknown(why) => {
                        self.turn_from(at);
                        return Err(Fault::Unknown(from(why)));
                    }
                    other => return Err(other),
                };
                self.turn_from(at);
            }
            let again = Instant::now() + pause;
            if again + LAST_TRY.min(self.timeout / 4) >= deadline {
                return Err(Fault::NotDone(last));
            }
            sleep_until(again).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// What one member answers.
    async fn answer<T: Answer, F>(
        &self,
        kind: Kind,
        member: &Member,
        deadline: Instant,
        question: impl Fn(Member) -> F,
    ) -> std::result::Result<T, Fault>
    where
        F: Future<Output = std::result::Result<T, etcd_client::Error>>,
    {
        let until = match kind {
            Kind::Read => deadline.min(Instant::now() + self.patience),
            Kind::Write => deadline,
        };
        let term = self.term.load(Ordering::Relaxed);
        let answered = tokio::select! {
            biased;
            answered = timeout_at(until, question(member.clone())) => answered,
            () = election_after(term, &self.all), if kind == Kind::Write => {
                return Err(Fault::Unknown("the leader changed before it was answered".to_owned()));
            }
        };
        match answered {
            Ok(Ok(answer)) => {
                if let Some(term) = answer.header().map(ResponseHeader::raft_term) {
                    self.term.fetch_max(term, Ordering::Relaxed);
                }
                Ok(answer)
            }
            Ok(Err(error)) => Err(Fault::of(&error)),
            Err(_) => Err(Fault::Unknown("no answer in time".to_owned())),
        }
    }

    /// The next one is asked next, unless another call has turned away already.
    fn turn_from(&self, at: usize) {
        let next = (at + 1) % self.all.len();
        let _ = self.current.compare_exchange(at, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Ready when one of the members knows of a leader who was elected after `term`, and some time has passed since.
async fn election_after(term: u64, members: &[Member]) {
    loop {
        sleep(SLOW).await;
        let mut asked = JoinSet::new();
        for member in members {
            let mut client = member.client.clone();
            asked.spawn(async move { timeout(SLOW, client.status()).await });
        }
        while let Some(said) = asked.join_next().await {
            // Without a leader, it says that instead.
            if let Ok(Ok(Ok(status))) = said
                && status.leader() != 0
                && status.raft_term() > term
            {
                return sleep(GRACE).await;
            }
        }
    }
}

/// What members answer, as far as all answers are alike.
pub(crate) trait Answer {
    fn header(&self) -> Option<&ResponseHeader>;
}

impl Answer for GetResponse {
    fn header(&self) -> Option<&ResponseHeader> {
        self.header()
    }
}

impl Answer for TxnResponse {
    fn header(&self) -> Option<&ResponseHeader> {
        self.header()
    }
}

impl Answer for CompactionResponse {
    fn header(&self) -> Option<&ResponseHeader> {
        self.header()
    }
}

impl Answer for (WatchClient, WatchStream) {
    /// It has only begun.
    fn header(&self) -> Option<&ResponseHeader> {
        None
    }
}
