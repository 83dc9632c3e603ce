//! [`Client`]: what is known of a connection, and the commands that are about it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Instant;

use super::answers::Protocol;
use super::refusal::Refused;
use super::request::Request;
use super::turn::Turn;

/// The longest name that a connection may have.
const MOST_NAME: usize = 256;

/// What is known of a connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: u64,
    peer: SocketAddr,
    since: Instant,
    name: Vec<u8>,
    /// Whether it has shown the token, if there is one.
    pub(crate) is_known: bool,
    /// Whether it has said that it goes.
    pub(crate) leaves: bool,
}

impl Client {
    pub(crate) fn new(id: u64, peer: SocketAddr, is_known: bool) -> Self {
        Self { id, peer, since: Instant::now(), name: Vec::new(), is_known, leaves: false }
    }

    fn rename(&mut self, name: &[u8]) -> Result<(), Refused> {
        if name.len() > MOST_NAME || !name.iter().all(u8::is_ascii_graphic) {
            let why = "ERR Client names cannot contain spaces, newlines or special characters.";
            return Err(Refused::command(why));
        }
        self.name = name.to_vec();
        Ok(())
    }
}

pub(crate) fn ping(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    match request.len() {
        1 => turn.answers.word("PONG"),
        2 => turn.answers.bulk(request.part(1)),
        _ => return Err(Refused::arguments("ping")),
    }
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn echo(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    turn.answers.bulk(request.part(1));
    Ok(())
}

#[allow(clippy::unnecessary_wraps, reason = "every command has the same shape")]
pub(crate) fn quit(turn: &mut Turn<'_>, _request: &Request<'_>) -> Result<(), Refused> {
    turn.client.leaves = true;
    turn.answers.ok();
    Ok(())
}

pub(crate) fn select(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    if request.integer(1)? != 0 {
        return Err(Refused::command("ERR DB index is out of range"));
    }
    turn.answers.ok();
    Ok(())
}

/// Lets the client in if it shows the token. There is one user, whose name is `default`.
fn show_token(turn: &mut Turn<'_>, user: &[u8], token: &[u8]) -> Result<(), Refused> {
    if !turn.port.has_token() {
        let why = "ERR AUTH <password> called without any password configured for the default user. \
                   Are you sure your configuration is correct?";
        return Err(Refused::command(why));
    }
    if !turn.port.is_token(token) || user != b"default" {
        let why = "WRONGPASS invalid username-password pair or user is disabled.";
        return Err(Refused::command(why));
    }
    turn.client.is_known = true;
    Ok(())
}

pub(crate) fn auth(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    match request.len() {
        2 => show_token(turn, b"default", request.part(1))?,
        3 => show_token(turn, request.part(1), request.part(2))?,
        _ => return Err(Refused::SYNTAX),
    }
    turn.answers.ok();
    Ok(())
}

pub(crate) fn hello(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let mut protocol = turn.answers.protocol;
    if request.len() > 1 {
        let no_number = |_| Refused::command("ERR Protocol version is not an integer or out of range");
        protocol = match request.integer(1).map_err(no_number)? {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return Err(Refused::command("NOPROTO unsupported protocol version")),
        };
    }
    let (mut place, mut name) = (2, None);
    while place < request.len() {
        let left = request.len() - place;
        if request.is(place, "AUTH") && left > 2 {
            show_token(turn, request.part(place + 1), request.part(place + 2))?;
            place += 3;
        } else if request.is(place, "SETNAME") && left > 1 {
            name = Some(request.part(place + 1));
            place += 2;
        } else {
            let option = String::from_utf8_lossy(request.part(place));
            return Err(Refused::command(format!("ERR Syntax error in HELLO option '{option}'")));
        }
    }
    if !turn.client.is_known {
        let why = "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
                   AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
                   version at the same time";
        return Err(Refused::command(why));
    }
    name.map_or(Ok(()), |name| turn.client.rename(name))?;
    let id = i64::try_from(turn.client.id).unwrap_or(i64::MAX);
    let answers = &mut *turn.answers;
    answers.protocol = protocol;
    answers.map(7);
    for (name, value) in [("server", "logladder"), ("version", env!("CARGO_PKG_VERSION"))] {
        answers.text(name);
        answers.text(value);
    }
    for (name, value) in [("proto", protocol.number()), ("id", id)] {
        answers.text(name);
        answers.integer(value);
    }
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        answers.text(name);
        answers.text(value);
    }
    answers.text("modules");
    answers.array(0);
    Ok(())
}

pub(crate) fn client(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let word = request.part(1).to_ascii_lowercase();
    let parts = match word.as_slice() {
        b"id" | b"getname" | b"info" | b"list" => 2..=2,
        b"setname" | b"no-evict" | b"no-touch" => 3..=3,
        b"setinfo" => 4..=4,
        _ => {
            let word = String::from_utf8_lossy(request.part(1)).into_owned();
            return Err(Refused::command(format!("ERR unknown subcommand '{word}'. Try CLIENT HELP.")));
        }
    };
    if !parts.contains(&request.len()) {
        return Err(Refused::arguments(format_args!("client|{}", String::from_utf8_lossy(&word))));
    }
    match word.as_slice() {
        b"id" => turn.answers.integer(i64::try_from(turn.client.id).unwrap_or(i64::MAX)),
        b"getname" if turn.client.name.is_empty() => turn.answers.null(),
        b"getname" => turn.answers.bulk(&turn.client.name),
        b"info" | b"list" => {
            let text = line(turn);
            turn.answers.text(&text);
        }
        b"setname" => {
            turn.client.rename(request.part(2))?;
            turn.answers.ok();
        }
        // Nothing is evicted, and what a client calls its library is of no use here.
        _ => turn.answers.ok(),
    }
    Ok(())
}

/// This connection in a line. The others are nobody's business.
fn line(turn: &Turn<'_>) -> String {
    let client = &*turn.client;
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "id={} addr={} laddr={} name={} age={} flags=N db=0 resp={} user=default",
        client.id,
        client.peer,
        turn.port.address,
        String::from_utf8_lossy(&client.name),
        client.since.elapsed().as_secs(),
        turn.answers.protocol.number(),
    );
    text
}
