//! The thread that follows: connection after connection, each from the place where the copy is.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use logladder_engine::{Error, FollowState, Position};
use serde_json::value::RawValue;
use tracing::{error, info, warn};

use crate::engine::Shared;
use crate::local::{LocalCopy, OwnedChange};
use crate::subscription::{Ended, Message, Refused, Since, Subscription};

/// How long a leader that is gone is left alone before it is tried again: twice as long each time, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many messages are read ahead of what is written.
const READ_AHEAD: usize = 64;

/// How often a copy says how far it is.
const KEYS_BETWEEN_NEWS: u64 = 100_000;

/// A message, as it is handed from the thread that reads to the one that writes.
#[derive(Debug)]
enum Step {
    Begin(Position),
    Entry { key: Vec<u8>, value: Vec<u8>, expires: Option<u64> },
    Whole { from: Position },
    Change(OwnedChange),
}

/// Why a session ended.
enum End {
    Leader(Ended),
    /// The copy cannot be written.
    Copy(Error),
}

pub(crate) fn run(shared: &Arc<Shared>, mut copy: LocalCopy) {
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    while !shared.is_over() {
        let before = copy.place();
        let end = session(shared, &mut copy);
        shared.forget_connection();
        if shared.is_over() {
            break;
        }
        if copy.place() != before {
            pause = FIRST_PAUSE;
        }
        let why = match end {
            End::Leader(Ended::Refused(Refused { status: 400 | 410, why, .. })) if copy.place().is_some() => {
                warn!("The leader's log has no such place any more, so everything is copied again: {why}");
                match copy.begin_copy() {
                    Ok(()) => {
                        shared.progress.state(FollowState::Copying { keys: 0 });
                        continue;
                    }
                    Err(error) => unwritable(&error),
                }
            }
            End::Leader(Ended::Gone(why) | Ended::Refused(Refused { why, .. })) => why,
            // The store takes no write until it is opened again.
            End::Copy(error) => {
                let why = format!("{}; start again once that is mended", unwritable(&error));
                error!("Not following {} any more: {why}", shared.leader.url());
                return shared.progress.state(FollowState::Failed { why });
            }
        };
        if told.as_ref() != Some(&why) {
            warn!("Not following {}: {why}; trying on", shared.leader.url());
            told = Some(why.clone());
        }
        shared.progress.state(FollowState::Away { why });
        thread::park_timeout(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn unwritable(error: &Error) -> String {
    format!("the copy cannot be written: {error}")
}

/// One connection, to its end.
fn session(shared: &Arc<Shared>, copy: &mut LocalCopy) -> End {
    let since = copy.place().map(|(position, _)| position.to_string());
    let since = since.as_deref().map_or(Since::Snapshot, Since::Position);
    let mut connection = None;
    let keep = |stream: &TcpStream| {
        connection = stream.try_clone().ok().map(Arc::new);
        if let Some(connection) = &connection {
            shared.keep_connection(connection);
        }
    };
    let mut subscription = match Subscription::begin(&shared.leader, since, keep) {
        Ok(subscription) => subscription,
        Err(ended) => return End::Leader(ended),
    };
    // Without another name for it, nobody could end it.
    let Some(connection) = connection else {
        return End::Leader(Ended::Gone("the system has no room for another open file".to_owned()));
    };
    let (sender, receiver) = sync_channel(READ_AHEAD);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(&mut subscription, &sender));
        let written = write(shared, copy, &receiver);
        // It may be waiting for room, or for the leader.
        drop(receiver);
        let _ = connection.shutdown(Shutdown::Both);
        let read =
            reading.join().unwrap_or_else(|_| Ended::Gone("the thread that reads has panicked".into()));
        match written {
            Ok(()) => End::Leader(read),
            Err(error) => End::Copy(error),
        }
    })
}

/// Reads until the connection ends, or nobody takes what was read.
fn read(subscription: &mut Subscription, sender: &SyncSender<Step>) -> Ended {
    loop {
        let step = match subscription.next(|message| step(&message)) {
            Ok(Ok(step)) => step,
            Ok(Err(why)) => return Ended::Refused(Refused { status: 0, why, earliest: None }),
            Err(ended) => return ended,
        };
        if sender.send(step).is_err() {
            return Ended::Gone("nobody takes the changes".to_owned());
        }
    }
}

/// What a message asks to be done.
fn step(message: &Message<'_>) -> Result<Step, String> {
    let position = |text: &str| text.parse::<Position>().map_err(|error| error.to_string());
    let bytes = |text: &RawValue| {
        logladder_json::decode_raw(text).map(std::borrow::Cow::into_owned).map_err(|error| error.to_string())
    };
    Ok(match message {
        Message::Position(text) => Step::Begin(position(text)?),
        Message::Whole { from } => Step::Whole { from: position(from)? },
        Message::Entry { key, value, expires } => {
            Step::Entry { key: bytes(key)?, value: bytes(value)?, expires: *expires }
        }
        Message::Change { key, value, expires, next } => Step::Change(OwnedChange {
            key: bytes(key)?,
            value: value.map(bytes).transpose()?,
            expires: *expires,
            next: position(next)?,
        }),
    })
}

/// Writes what was read, as many changes at once as there are.
fn write(shared: &Shared, copy: &mut LocalCopy, receiver: &Receiver<Step>) -> Result<(), Error> {
    let (mut changes, mut keys, mut begin) = (Vec::new(), 0, None);
    while let Ok(step) = receiver.recv() {
        let mut next = Some(step);
        while let Some(step) = next {
            match step {
                Step::Begin(position) => {
                    begin = Some(position);
                    if copy.place().is_none() {
                        copy.begin_copy()?;
                        shared.progress.state(FollowState::Copying { keys: 0 });
                        info!("Copying everything from {}", shared.leader.url());
                    } else {
                        shared.progress.state(FollowState::Following);
                        info!("Following {} from {position} on", shared.leader.url());
                    }
                }
                Step::Entry { key, value, expires } => {
                    copy.entry(&key, &value, expires)?;
                    keys += 1;
                    if keys % KEYS_BETWEEN_NEWS == 0 {
                        info!("{keys} keys are copied");
                    }
                }
                Step::Whole { from } => {
                    if let Some(position) = begin {
                        copy.end_copy(position, from.sequence)?;
                        info!("{keys} keys are copied: following {} from {position} on", shared.leader.url());
                        shared.progress.state(FollowState::Following);
                        shared.progress.applied(position, from.sequence);
                    }
                }
                Step::Change(change) => changes.push(change),
            }
            next = if changes.len() < READ_AHEAD { receiver.try_recv().ok() } else { None };
        }
        if !changes.is_empty() {
            copy.apply(&mut changes)?;
            if let Some((position, whole_from)) = copy.place() {
                shared.progress.applied(position, whole_from);
            }
        } else if copy.place().is_none() {
            shared.progress.copied(keys);
        }
    }
    Ok(())
}
