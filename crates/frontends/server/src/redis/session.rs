//! [`Session`]: the conversation with one client, from the bytes that came to the bytes that go.
//!
//! It has no part in the network. Whoever has it lets it run as far as it can at a [`Place`], and takes it to another if it
//! must: so a whole pipeline changes threads at most once, and is answered at once.

use bytes::{Buf, BytesMut};
use tracing::{debug, warn};

use super::answers::Answers;
use super::client::Client;
use super::commands::{self, Command, Work};
use super::gather::Gathered;
use super::gauge::{Gauge, Limits, Measured};
use super::port::{Place, Port};
use super::refusal::Refused;
use super::request::Request;
use super::strings;
use super::turn::Turn;

/// Answers are sent when they are so long together, before more commands are done.
const MOST_ANSWERED: usize = 256 << 10;

/// How much of a strange command an answer repeats, in bytes.
const MOST_REPEATED: usize = 128;

/// What a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ran {
    /// All commands that have come are done.
    All,
    /// The answers are to be sent before it goes on.
    Full,
    /// It goes on at that place.
    Elsewhere(Place),
    /// It goes on when what was gathered is written.
    Waits,
    /// The connection ends.
    Over,
}

/// The conversation with one client.
#[derive(Debug)]
pub(crate) struct Session {
    /// What came and was not done.
    pub(crate) input: BytesMut,
    pub(crate) answers: Answers,
    pub(crate) client: Client,
    gauge: Gauge,
    /// So many commands are answered when what was gathered is written.
    owed: usize,
    has_written: bool,
}

impl Session {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            input: BytesMut::new(),
            answers: Answers::default(),
            client,
            gauge: Gauge::default(),
            owed: 0,
            has_written: false,
        }
    }

    /// Goes on alone, as far as it can at `place`.
    pub(crate) fn run(&mut self, port: &Port, place: Place) -> Ran {
        let mut gathered = Gathered::default();
        let ran = self.advance(port, place, &mut gathered);
        self.note_writes(port);
        ran
    }

    /// Tells those who follow the changes that there are some, if there are.
    pub(crate) fn note_writes(&mut self, port: &Port) {
        if std::mem::take(&mut self.has_written) {
            port.app.note_written();
        }
    }

    /// Goes on as far as it can at `place`. Sets that can be done together with others are added to `gathered`, if they are at the place for it;
    /// [`settle`](Self::settle) then answers them.
    pub(crate) fn advance(&mut self, port: &Port, place: Place, gathered: &mut Gathered) -> Ran {
        loop {
            if self.answers.len() >= MOST_ANSWERED {
                return if self.owed > 0 { Ran::Waits } else { Ran::Full };
            }
            let limits = if self.client.is_known { port.limits } else { Limits::of_stranger() };
            let (request, len) = match next(&mut self.input, &mut self.gauge, limits) {
                Ok(Some(next)) => next,
                Ok(None) => return if self.owed > 0 { Ran::Waits } else { Ran::All },
                Err(_) if self.owed > 0 => return Ran::Waits,
                Err(refused) => {
                    debug!("a connection ends: {refused}");
                    self.answers.refuse(&refused);
                    self.input.clear();
                    return Ran::Over;
                }
            };
            let found = commands::find(request.part(0));
            let command = match found {
                Some((_, command)) => choose(command, &request, &self.client, port.is_copy),
                None => Err(unknown(&request)),
            };
            if let Ok(command) = command {
                let needed = port.place_of(command.work);
                let is_here = needed == Place::Network || needed == place;
                if is_here && needed == Place::Gathered && is_gathered(command, &request, gathered) {
                    add(command, &request, gathered);
                    self.owed += 1;
                    port.metrics.count(found.map(|(index, _)| index));
                    drop(request);
                    self.input.advance(len);
                    continue;
                }
                if self.owed > 0 {
                    return Ran::Waits;
                }
                if !is_here {
                    return Ran::Elsewhere(needed);
                }
            } else if self.owed > 0 {
                return Ran::Waits;
            }
            port.metrics.count(found.map(|(index, _)| index));
            if found.is_none() && is_http(&request) {
                warn!("a browser or the like spoke HTTP to the port of the Redis protocol; it was cut off");
                return Ran::Over;
            }
            let begin = self.answers.len();
            let outcome = command.and_then(|command| {
                let mut turn = Turn { port, client: &mut self.client, answers: &mut self.answers };
                (command.run)(&mut turn, &request).map(|()| command.work)
            });
            match outcome {
                Ok(work) => self.has_written |= work == Work::Write,
                Err(refused) => {
                    self.answers.truncate(begin);
                    self.answers.refuse(&refused);
                    port.note(&refused);
                }
            }
            drop(request);
            self.input.advance(len);
            if self.client.leaves {
                return Ran::Over;
            }
        }
    }

    /// Answers the commands that waited for what was gathered.
    pub(crate) fn settle(&mut self, outcome: &Result<(), Refused>) {
        for _ in 0..std::mem::take(&mut self.owed) {
            match outcome {
                Ok(()) => self.answers.ok(),
                Err(refused) => self.answers.refuse(refused),
            }
        }
    }
}

/// The next request of the input, and how long it is. None, if it has not come as a whole.
fn next<'i>(
    input: &'i mut BytesMut,
    gauge: &mut Gauge,
    limits: Limits,
) -> Result<Option<(Request<'i>, usize)>, Refused> {
    loop {
        match gauge.measure(input, limits)? {
            Measured::Partial => return Ok(None),
            Measured::Nothing(len) => input.advance(len),
            Measured::Frame(len) => return Ok(Some((Request::decode(&input[..len])?, len))),
            Measured::Words { line, end } => match Request::of_words(&input[..line])? {
                Some(request) => return Ok(Some((request, end))),
                None => input.advance(end),
            },
        }
    }
}

/// The command, if it is complete and the client may use it.
fn choose(
    command: &'static Command,
    request: &Request<'_>,
    client: &Client,
    is_copy: bool,
) -> Result<&'static Command, Refused> {
    if !command.takes(request.len()) {
        return Err(Refused::arguments(command.name));
    }
    if !client.is_known && !command.is_for_strangers() {
        return Err(Refused::command("NOAUTH Authentication required."));
    }
    if is_copy && command.work == Work::Write {
        return Err(Refused::command("READONLY You can't write against a read only replica."));
    }
    Ok(command)
}

/// Whether the command does nothing but set keys, within the limits and with room for them among the others.
fn is_gathered(command: &Command, request: &Request<'_>, gathered: &Gathered) -> bool {
    let bytes = request.parts_from(1).map(<[u8]>::len).sum();
    gathered.has_room_for(bytes)
        && match command.name {
            "set" => request.len() == 3 && Port::is_within_limits((request.part(1), request.part(2))),
            "mset" => strings::pairs(request).is_ok_and(|mut pairs| pairs.all(Port::is_within_limits)),
            _ => false,
        }
}

fn add(command: &Command, request: &Request<'_>, gathered: &mut Gathered) {
    if command.name == "mset" {
        gathered.has_several = true;
        strings::pairs(request).into_iter().flatten().for_each(|(key, value)| gathered.add(key, value));
    } else {
        gathered.add(request.part(1), request.part(2));
    }
}

/// A page in a browser can send HTTP to any port, and hide commands in it. Redis refuses these words as well.
fn is_http(request: &Request<'_>) -> bool {
    request.is(0, "POST") || request.is(0, "Host:")
}

fn unknown(request: &Request<'_>) -> Refused {
    let shown = |part: &[u8]| String::from_utf8_lossy(&part[..part.len().min(MOST_REPEATED)]).into_owned();
    let mut text = format!("ERR unknown command '{}', with args beginning with: ", shown(request.part(0)));
    let head = text.len();
    for part in request.parts_from(1) {
        if text.len() - head >= MOST_REPEATED {
            break;
        }
        text.extend(["'", &shown(part), "' "]);
    }
    Refused::command(text)
}
