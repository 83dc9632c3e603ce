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

use crate::endpoint::check_endpoint;
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
    /// The number of the cluster that was the first to answer, and of another one that has answered since. 0 is neither.
    cluster: AtomicU64,
    stranger: AtomicU64,
    timeout: Duration,
    patience: Duration,
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
            cluster: AtomicU64::new(0),
            stranger: AtomicU64::new(0),
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

    /// The number of the cluster that was opened; 0 before anything was answered.
    pub(crate) fn cluster(&self) -> u64 {
        self.cluster.load(Ordering::Relaxed)
    }

    /// That another cluster has answered, if one has.
    pub(crate) fn other_cluster(&self) -> Option<Error> {
        match self.stranger.load(Ordering::Relaxed) {
            0 => None,
            found => Some(Error::OtherCluster { opened: self.cluster(), found }),
        }
    }

    /// Takes the cluster that is the first to answer for the one that was opened, and refuses every other one: nothing of
    /// what was acknowledged need be there, and no place in the history means the same. From then on nobody is asked any
    /// more, so that no later write is done there either.
    ///
    /// A cluster that is made from a copy gets a number from the addresses of its members and its token; with all of them
    /// as they were, it has the number that it had.
    pub(crate) fn recognise(&self, header: &ResponseHeader) -> std::result::Result<(), Fault> {
        let (opened, found) = (self.cluster(), header.cluster_id());
        // A proxy between the members and us says of some things that no member has said them.
        if opened == found || found == 0 {
            return Ok(());
        }
        match self.cluster.compare_exchange(0, found, Ordering::Relaxed, Ordering::Relaxed) {
            Err(opened) if opened != found => {
                self.stranger.store(found, Ordering::Relaxed);
                Err(Fault::Refused(Error::OtherCluster { opened, found }))
            }
            _ => Ok(()),
        }
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
        if let Some(error) = self.other_cluster() {
            return Err(Fault::Refused(error));
        }
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
                    Fault::Full(why) if were_full => return Err(Fault::full(&why)),
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
                let Some(header) = answer.header() else { return Ok(answer) };
                match (self.recognise(header), kind) {
                    (Ok(()), _) => {
                        self.term.fetch_max(header.raft_term(), Ordering::Relaxed);
                        Ok(answer)
                    }
                    // Perhaps it was done, only elsewhere.
                    (Err(_), Kind::Write) => Err(Fault::Unknown(
                        "another cluster has answered than the one that was opened".to_owned(),
                    )),
                    (Err(fault), Kind::Read) => Err(fault),
                }
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
