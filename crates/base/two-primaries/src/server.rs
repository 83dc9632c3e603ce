//! [`Server`]: what a primary or a replica does with a message. It knows no clock and sends nothing by itself: what it
//! wants sent, it says.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Protocol, name_of};

/// Who sends or receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The client that waits for the answer to the write of this number.
    Client(usize),
    /// A server.
    Server(usize),
    /// The failover process.
    Failover,
}

/// What they say to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A client wants a key set or, without a value, deleted.
    Request {
        /// Which key.
        key: String,
        /// The value.
        value: Option<String>,
    },
    /// To a client: it is done. A delete has a version only where deletes count.
    Done(Option<u64>),
    /// To a client: I am not the primary.
    Refused,
    /// To the primary: send me what changes, and first all that there is.
    Subscribe,
    /// To a server: I have closed the connection.
    Unsubscribe,
    /// To a replica: a key was written.
    Push(String, Entry),
    /// To a replica: this is all that there is.
    All(BTreeMap<String, Entry>),
    /// From failover: are you there?
    Ping,
    /// To failover: yes.
    Pong,
    /// From failover: you are the primary.
    Promote,
    /// From failover: that is the primary, follow it.
    Follow(usize),
}

/// What a server knows of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `None` for a key that was deleted and counts on.
    pub value: Option<String>,
    /// How often it was written.
    pub version: u64,
}

/// What a process wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Send it now.
    Send(Place, Message),
    /// Send it when the one who asked has its answer: a moment later.
    SendLater(Place, Message),
    /// Say in the trace what happened.
    Note(String),
}

/// A primary or a replica.
#[derive(Debug, Clone)]
pub struct Server {
    protocol: Protocol,
    is_primary: bool,
    /// Whose pushes it takes.
    follows: Option<usize>,
    /// Whom it sends pushes.
    subscribers: Vec<usize>,
    entries: BTreeMap<String, Entry>,
}

impl Server {
    /// A primary with these replicas, which have subscribed.
    #[must_use]
    pub fn primary(protocol: Protocol, subscribers: Vec<usize>) -> Self {
        Self { protocol, is_primary: true, follows: None, subscribers, entries: BTreeMap::new() }
    }

    /// A replica that has subscribed to `follows`, or will when it is told whom to follow.
    #[must_use]
    pub fn replica(protocol: Protocol, follows: Option<usize>) -> Self {
        Self { protocol, is_primary: false, follows, subscribers: Vec::new(), entries: BTreeMap::new() }
    }

    /// Whether it takes itself for the primary.
    #[must_use]
    pub fn is_primary(&self) -> bool {
        self.is_primary
    }

    /// What it would answer for a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key)?.value.as_deref()
    }

    /// All that it holds, as text: `name=anna·2`, where 2 is the version, and `∅` stands for a delete.
    #[must_use]
    pub fn holds(&self) -> String {
        self.entries.iter().map(|(key, entry)| shown(key, entry)).collect::<Vec<_>>().join(" ")
    }

    /// Takes a message, and says what is to be done.
    pub fn take(&mut self, from: Place, message: Message) -> Vec<Wish> {
        match (message, from) {
            (Message::Request { key, value }, client) => self.write(client, &key, value),
            (Message::Subscribe, Place::Server(replica)) => {
                if !self.subscribers.contains(&replica) {
                    self.subscribers.push(replica);
                }
                vec![Wish::Send(from, Message::All(self.entries.clone()))]
            }
            (Message::Unsubscribe, Place::Server(replica)) => {
                self.subscribers.retain(|subscriber| *subscriber != replica);
                Vec::new()
            }
            (Message::Push(key, entry), Place::Server(primary)) if self.follows == Some(primary) => {
                let note = format!("got {}", shown(&key, &entry));
                self.entries.insert(key, entry);
                vec![Wish::Note(note)]
            }
            (Message::All(entries), Place::Server(primary)) if self.follows == Some(primary) => {
                let note = Wish::Note(format!("got all that {} holds", name_of(primary)));
                let is_news = self.entries != entries;
                self.entries = entries;
                if is_news { vec![note] } else { Vec::new() }
            }
            (Message::Ping, _) => vec![Wish::Send(from, Message::Pong)],
            (Message::Promote, _) => {
                self.is_primary = true;
                let mut wishes = vec![Wish::Note("is the primary now".to_owned())];
                wishes.extend(self.leave());
                wishes
            }
            (Message::Follow(primary), _) => {
                self.is_primary = false;
                self.subscribers.clear();
                let mut wishes = vec![Wish::Note(format!("follows {}", name_of(primary)))];
                wishes.extend(self.leave());
                self.follows = Some(primary);
                wishes.push(Wish::Send(Place::Server(primary), Message::Subscribe));
                wishes
            }
            // What comes over a connection that was closed, or is for somebody else.
            _ => Vec::new(),
        }
    }

    fn leave(&mut self) -> Option<Wish> {
        self.follows.take().map(|old| Wish::Send(Place::Server(old), Message::Unsubscribe))
    }

    fn write(&mut self, client: Place, key: &str, value: Option<String>) -> Vec<Wish> {
        if !self.is_primary {
            let note = Wish::Note(format!("is no primary, and refuses to write {key}"));
            return vec![note, Wish::Send(client, Message::Refused)];
        }
        if value.is_none() && !self.protocol.pushes_deletes {
            self.entries.remove(key);
            let note = Wish::Note(format!("deletes {key}, and answers"));
            return vec![note, Wish::Send(client, Message::Done(None))];
        }
        let version = self.entries.get(key).map_or(0, |entry| entry.version) + 1;
        let entry = Entry { value, version };
        let note = format!("takes {}, and answers", shown(key, &entry));
        self.entries.insert(key.to_owned(), entry.clone());
        let mut wishes = vec![Wish::Note(note), Wish::Send(client, Message::Done(Some(version)))];
        wishes.extend(self.subscribers.iter().map(|&replica| {
            Wish::SendLater(Place::Server(replica), Message::Push(key.to_owned(), entry.clone()))
        }));
        wishes
    }
}

fn shown(key: &str, Entry { value, version }: &Entry) -> String {
    format!("{key}={}·{version}", value.as_deref().unwrap_or("∅"))
}
