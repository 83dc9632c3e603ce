//! [`Fault`]: what an answer of a member that is no success means for who asked.
//!
//! The question that decides is whether a write may have been done. A member answers with a status of gRPC and a text; the
//! texts are those of etcd's `api/v3rpc/rpctypes`, and have not changed in years. What is not known here counts as a write
//! that may have been done.

use std::error::Error as StdError;

use etcd_client::Error as ClientError;
use logladder_engine::Error;
use tonic::{Code, ConnectError, Status};

/// Why something that was asked of the cluster did not succeed.
#[derive(Debug)]
pub(crate) enum Fault {
    /// This member cannot do it now, and has not: another may, or the same one soon.
    NotDone(String),
    /// The answer was lost, or the member gave up on it: it may have been done, or still be.
    Unknown(String),
    /// The members' quota is used up. The first write of which they say so may have been done: a member that finds it when
    /// the write is due does it all the same, and says what it saw. Later ones are refused undone.
    Full(String),
    /// The history that was asked for has been compacted away.
    Compacted,
    /// The answer was longer than this client takes.
    TooLong,
    /// It was refused, and asking again would change nothing.
    Refused(Error),
}

/// What members say when they have not done what they were asked to, and it makes sense to ask again.
const NOT_DONE: [&str; 5] = [
    // Of who was asked to require one: no quorum, or an election.
    "etcdserver: no leader",
    "etcdserver: too many requests",
    "etcdserver: not capable",
    "etcdserver: rpc not supported for learner",
    // Of a member that is behind, about a read at a revision.
    "etcdserver: mvcc: required revision is a future revision",
];

/// How a refusal begins that a member has thought about: its own, and that of its library for a request that is too long.
const SIGNED: [&str; 2] = ["etcdserver: ", "grpc: received message larger than max"];

/// How a refusal begins of who gave no name and password, or the wrong ones, where the members ask for them.
const NOT_LET_IN: [&str; 6] = [
    "etcdserver: user name is empty",
    "etcdserver: user name not found",
    "etcdserver: authentication failed",
    "etcdserver: permission denied",
    "etcdserver: invalid auth token",
    "etcdserver: revision of auth store is old",
];

/// What members say of a transaction that holds too much. They look at it before anything else.
const TOO_MUCH: [&str; 3] = [
    "etcdserver: request is too large",
    "etcdserver: too many operations in txn request",
    "grpc: received message larger than max",
];

impl Fault {
    pub(crate) fn of(error: &ClientError) -> Self {
        match error {
            ClientError::GRpcStatus(status) => Self::of_status(status),
            ClientError::TransportError(error) => Self::of_connection(error),
            ClientError::IoError(error) => Self::of_connection(error),
            ClientError::InvalidArgs(_) | ClientError::InvalidUri(_) => {
                Self::Refused(Error::Cluster { why: error.to_string() })
            }
            _ => Self::Unknown(error.to_string()),
        }
    }

    fn of_status(status: &Status) -> Self {
        let said = status.message();
        if NOT_DONE.iter().any(|text| said.starts_with(text)) {
            return Self::NotDone(said.to_owned());
        }
        if said.starts_with("etcdserver: mvcc: required revision has been compacted") {
            return Self::Compacted;
        }
        if said.starts_with("etcdserver: mvcc: database space exceeded") {
            return Self::Full(said.to_owned());
        }
        if said.contains("decoded message length too large") {
            return Self::TooLong;
        }
        if NOT_LET_IN.iter().any(|text| said.starts_with(text)) {
            return Self::Refused(Error::NotLetIn {
                why: format!(
                    "{said}; it asks for a name and a password, which this stage does not speak: `etcdctl auth disable`, or \
                     a cluster of its own"
                ),
            });
        }
        // The same codes come from the connection, made up here when it breaks: a member's have its words.
        let is_of_the_member = SIGNED.iter().any(|beginning| said.starts_with(beginning));
        match status.code() {
            Code::InvalidArgument
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::Unauthenticated
                if is_of_the_member =>
            {
                Self::Refused(Error::Cluster { why: said.to_owned() })
            }
            _ => Self::of_connection(status),
        }
    }

    /// A request that found nobody to connect to was never sent.
    fn of_connection(error: &(dyn StdError + 'static)) -> Self {
        let why = words(error);
        if causes(error).any(<dyn StdError>::is::<ConnectError>) {
            Self::NotDone(why)
        } else {
            Self::Unknown(why)
        }
    }

    /// Whether a transaction was refused, before anything was done, for holding too much.
    pub(crate) fn is_of_its_length(&self) -> bool {
        match self {
            Self::Refused(Error::Cluster { why }) => TOO_MUCH.iter().any(|text| why.starts_with(text)),
            _ => false,
        }
    }

    /// The same for another who waits for the same answer.
    pub(crate) fn to_another(&self) -> Self {
        match self {
            Self::NotDone(why) => Self::NotDone(why.clone()),
            Self::Unknown(why) => Self::Unknown(why.clone()),
            Self::Full(why) => Self::Full(why.clone()),
            Self::Compacted => Self::Compacted,
            Self::TooLong => Self::TooLong,
            Self::Refused(error) => Self::Refused(match error {
                Error::Cluster { why } => Error::Cluster { why: why.clone() },
                Error::Full { why } => Error::Full { why: why.clone() },
                Error::NotLetIn { why } => Error::NotLetIn { why: why.clone() },
                Error::OtherCluster { opened, found } => {
                    Error::OtherCluster { opened: *opened, found: *found }
                }
                other => Error::Cluster { why: other.to_string() },
            }),
        }
    }

    /// The refusal of members that all knew that their quota is used up: nothing was done.
    pub(crate) fn full(said: &str) -> Self {
        Self::Refused(Error::Full {
            why: format!(
                "{said}; make some by `logladder compact`, `etcdctl defrag` and `etcdctl alarm disarm`, or allow more by \
                 --quota-backend-bytes"
            ),
        })
    }

    /// What happened, in a few words.
    pub(crate) fn why(self) -> String {
        match self {
            Self::NotDone(why)
            | Self::Unknown(why)
            | Self::Full(why)
            | Self::Refused(Error::Cluster { why } | Error::Full { why } | Error::NotLetIn { why }) => why,
            other => other.into_error().to_string(),
        }
    }

    /// The error for who can do nothing with the distinctions.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::NotDone(why) => Error::NoQuorum { why },
            Self::Unknown(why) | Self::Full(why) => Error::OutcomeUnknown { why },
            Self::Compacted => {
                Error::Cluster { why: "the history was compacted while it was read".to_owned() }
            }
            Self::TooLong => Error::Cluster { why: "an answer is longer than a value may be".to_owned() },
            Self::Refused(error) => error,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.into_error()
    }
}

/// The error and everything behind it.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// What the error and those behind it say, each thing once.
fn words(error: &(dyn StdError + 'static)) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in causes(error) {
        let said = match cause.downcast_ref::<Status>() {
            Some(status) => status.message().to_owned(),
            None => cause.to_string(),
        };
        if !said.is_empty() && !words.iter().any(|before| before.contains(&said)) {
            words.push(said);
        }
    }
    words.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(status: Status) -> Fault {
        Fault::of(&ClientError::GRpcStatus(status))
    }

    #[test]
    fn what_a_member_refuses_was_not_done_and_what_breaks_on_the_way_may_have_been() {
        let refused = fault(Status::invalid_argument("etcdserver: request is too large"));
        assert!(matches!(refused, Fault::Refused(Error::Cluster { .. })), "{refused:?}");
        // It may have been done: whoever asked must know whether the cluster was full before.
        let full = fault(Status::resource_exhausted("etcdserver: mvcc: database space exceeded"));
        assert!(matches!(full.into_error(), Error::OutcomeUnknown { .. }));
        let no_leader = fault(Status::unavailable("etcdserver: no leader"));
        assert!(matches!(no_leader, Fault::NotDone(_)), "{no_leader:?}");
        for said in NOT_LET_IN {
            let refused = fault(Status::invalid_argument(said));
            // Whoever waits for the same answer is told the same.
            assert!(matches!(refused.to_another().into_error(), Error::NotLetIn { .. }), "{refused:?}");
        }
        for status in [
            Status::resource_exhausted("h2 protocol error: error reading a body from connection"),
            Status::permission_denied("h2 protocol error: http2 error"),
            Status::unavailable("etcdserver: request timed out"),
            Status::unavailable("transport is closing"),
            Status::unknown(""),
        ] {
            let unknown = fault(status);
            assert!(matches!(unknown, Fault::Unknown(_)), "{unknown:?}");
        }
    }
}
