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
use crate::leader::agent;
use crate::local::{LastChange, LocalCopy, OwnedChange};
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
    /// The leader's store is not the one that was copied.
    OtherStore(&'static str),
    /// The leader's log has no more what the store could be known by.
    CannotTell,
}

/// What has to be copied again, and why.
fn copy_again(shared: &Shared, copy: &mut LocalCopy, why: &str) -> Result<(), Error> {
    warn!("Everything is copied again: {why}");
    copy.begin_copy()?;
    shared.progress.state(FollowState::Copying { keys: 0 });
    Ok(())
}

pub(crate) fn run(shared: &Arc<Shared>, mut copy: LocalCopy) {
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    // Whether the store under the leader's address is followed without a look at whether it is the one that was copied.
    let mut is_taken_as_it_is = false;
    let agent = agent();
    while !shared.is_over() {
        let before = copy.place();
        let known_by = copy.last_change().filter(|_| !is_taken_as_it_is).cloned();
        let end = session(shared, &mut copy, known_by, &agent);
        is_taken_as_it_is = matches!(end, End::CannotTell);
        shared.forget_connection();
        if shared.is_over() {
            break;
        }
        if copy.place() != before {
            pause = FIRST_PAUSE;
        }
        let again = match &end {
            End::Leader(Ended::Refused(Refused { status: 400 | 410, why, .. })) if copy.place().is_some() => {
                Some(format!("the leader's log has no such place any more: {why}"))
            }
            End::OtherStore(why) => {
                Some(format!("{} has another store now, or an older one: {why}", shared.leader.url()))
            }
            _ => None,
        };
        let end = match again.map(|why| copy_again(shared, &mut copy, &why)) {
            Some(Ok(())) => continue,
            Some(Err(error)) => End::Copy(error),
            None => end,
        };
        let why = match end {
            End::CannotTell | End::OtherStore(_) => continue,
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

/// One connection, to its end. The first change on it must be the last one that the copy has, if that is said.
fn session(
    shared: &Arc<Shared>,
    copy: &mut LocalCopy,
    known_by: Option<LastChange>,
    agent: &ureq::Agent,
) -> End {
    let place = copy.place().map(|(position, _)| position);
    if let (Some(place), Some(_)) = (place, &known_by)
        // If it does not say, the connection will tell why.
        && let Ok(theirs) = shared.leader.position(agent)
        && theirs.sequence < place.sequence
    {
        return End::OtherStore("it has seen fewer changes than the copy");
    }
    let since = match &known_by {
        Some(last) => Some(last.before.clone()),
        None => place.map(|place| place.to_string()),
    };
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
        Err(Ended::Refused(Refused { status: 410, .. })) if known_by.is_some() => return End::CannotTell,
        Err(ended) => return End::Leader(ended),
    };
    // Without another name for it, nobody could end it.
    let Some(connection) = connection else {
        return End::Leader(Ended::Gone("the system has no room for another open file".to_owned()));
    };
    let (sender, receiver) = sync_channel(READ_AHEAD);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(&mut subscription, &sender));
        let written = write(shared, copy, &receiver, known_by);
        // It may be waiting for room, or for the leader.
        drop(receiver);
        let _ = connection.shutdown(Shutdown::Both);
        let read =
            reading.join().unwrap_or_else(|_| Ended::Gone("the thread that reads has panicked".into()));
        match written {
            Ok(()) => End::Leader(read),
            Err(end) => end,
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

/// Writes what was read, as many changes at once as there are; but not the first change if the copy has that already.
fn write(
    shared: &Shared,
    copy: &mut LocalCopy,
    receiver: &Receiver<Step>,
    mut known_by: Option<LastChange>,
) -> Result<(), End> {
    let (mut changes, mut keys, mut begin) = (Vec::new(), 0, None);
    while let Ok(step) = receiver.recv() {
        let mut next = Some(step);
        while let Some(step) = next {
            match step {
                Step::Begin(position) => {
                    begin = Some(position);
                    if copy.place().is_none() {
                        copy.begin_copy().map_err(End::Copy)?;
                        shared.progress.state(FollowState::Copying { keys: 0 });
                        info!("Copying everything from {}", shared.leader.url());
                    } else if known_by.is_none() {
                        follow_on(shared, copy);
                    }
                }
                Step::Entry { key, value, expires } => {
                    copy.entry(&key, &value, expires).map_err(End::Copy)?;
                    keys += 1;
                    if keys % KEYS_BETWEEN_NEWS == 0 {
                        info!("{keys} keys are copied");
                    }
                }
                Step::Whole { from } => {
                    if let Some(position) = begin {
                        copy.end_copy(position, from.sequence).map_err(End::Copy)?;
                        info!("{keys} keys are copied: following {} from {position} on", shared.leader.url());
                        shared.progress.state(FollowState::Following);
                        shared.progress.applied(position, from.sequence);
                    }
                }
                Step::Change(change) => match known_by.take() {
                    Some(last) if change.digest() == last.digest => follow_on(shared, copy),
                    Some(_) => return Err(End::OtherStore("its last change is another one")),
                    None => changes.push(change),
                },
            }
            next = if changes.len() < READ_AHEAD { receiver.try_recv().ok() } else { None };
        }
        if !changes.is_empty() {
            copy.apply(&mut changes).map_err(End::Copy)?;
            if let Some((position, whole_from)) = copy.place() {
                shared.progress.applied(position, whole_from);
            }
        } else if copy.place().is_none() {
            shared.progress.copied(keys);
        }
    }
    Ok(())
}

/// The changes behind the copy's place come next.
fn follow_on(shared: &Shared, copy: &LocalCopy) {
    shared.progress.state(FollowState::Following);
    if let Some((position, _)) = copy.place() {
        info!("Following {} from {position} on", shared.leader.url());
    }
}
