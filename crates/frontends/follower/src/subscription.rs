//! [`Subscription`]: what a server pushes over a WebSocket, from any place of its log on, or from everything it has.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message as Frame, WebSocket};

use crate::leader::Leader;

/// A server says something every 15 seconds unless it was told otherwise; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);

/// How long it may take to let a client in.
const TO_CONNECT: Duration = Duration::from_secs(2);

/// The longest change that is taken: far more than a server takes as a value.
const LONGEST_MESSAGE: usize = 1 << 30;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since<'p> {
    /// With the changes to come.
    Now,
    /// Behind this position, or with `start` at the earliest change that is still in the log.
    Position(&'p str),
    /// With everything that is there; then the changes.
    Snapshot,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Ended {
    /// It can be made again.
    Gone(String),
    /// It would end so again.
    Refused(Refused),
}

/// Why a server refused.
#[derive(Debug)]
pub struct Refused {
    /// The status of HTTP; 0 if it sent what no such server sends.
    pub status: u16,
    /// What it said.
    pub why: String,
    /// The earliest position that can be followed, where that is what is wrong.
    pub earliest: Option<String>,
}

/// What a server pushes.
#[derive(Debug)]
pub enum Message<'m> {
    /// The place from which the changes follow.
    Position(String),
    /// A key that is there, and its value: before the changes, if [`Since::Snapshot`] was asked for.
    Entry {
        /// The key, as JSON.
        key: &'m RawValue,
        /// The value, as JSON.
        value: &'m RawValue,
        /// When the value ends, in milliseconds since 1970.
        expires: Option<u64>,
    },
    /// There are no more keys. What was shown is the state of no moment until all changes up to this position are added.
    Whole {
        /// That position.
        from: String,
    },
    /// A set, or without a value a delete.
    Change {
        /// The key, as JSON.
        key: &'m RawValue,
        /// The value, as JSON.
        value: Option<&'m RawValue>,
        /// When the value ends, in milliseconds since 1970.
        expires: Option<u64>,
        /// The place behind it.
        next: String,
    },
}

/// A message in all its forms.
#[derive(Debug, Deserialize)]
struct Told<'t> {
    position: Option<String>,
    whole_from: Option<String>,
    next: Option<String>,
    #[serde(borrow)]
    key: Option<&'t RawValue>,
    #[serde(borrow)]
    value: Option<&'t RawValue>,
    expires: Option<u64>,
    status: Option<u16>,
    error: Option<String>,
    earliest: Option<String>,
}

impl<'t> Told<'t> {
    fn message(self) -> Result<Message<'t>, Ended> {
        let expires = self.expires;
        match self {
            Told { status: Some(status), error, earliest, .. } => Err(refused(status, error, earliest)),
            Told { key: Some(key), value, next: Some(next), .. } => {
                Ok(Message::Change { key, value, expires, next })
            }
            Told { key: Some(key), value: Some(value), .. } => Ok(Message::Entry { key, value, expires }),
            Told { whole_from: Some(from), .. } => Ok(Message::Whole { from }),
            Told { position: Some(position), .. } => Ok(Message::Position(position)),
            Told { .. } => Err(strange(&"a message without a meaning")),
        }
    }
}

fn refused(status: u16, error: Option<String>, earliest: Option<String>) -> Ended {
    let why = error.unwrap_or_else(|| format!("the server answers {status}"));
    // There is no room, or it is on its way out.
    if status == 503 {
        return Ended::Gone(why);
    }
    Ended::Refused(Refused { status, why, earliest })
}

fn strange(what: &dyn std::fmt::Display) -> Ended {
    let why = format!("the server sends what is no change: is it a logladder server? ({what})");
    Ended::Refused(Refused { status: 0, why, earliest: None })
}

/// What a server pushes, message by message.
#[derive(Debug)]
pub struct Subscription {
    socket: WebSocket<TcpStream>,
}

impl Subscription {
    /// Follows the server from there. `connected` is handed the connection before anything is said on it, for whoever wants to end
    /// it while this waits.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or refuses.
    pub fn begin(
        leader: &Leader,
        since: Since<'_>,
        connected: impl FnOnce(&TcpStream),
    ) -> Result<Self, Ended> {
        let gone = |error: &dyn std::error::Error| Ended::Gone(error.to_string());
        let stream = connect(leader.authority()).map_err(|error| gone(&error))?;
        connected(&stream);
        stream.set_read_timeout(Some(SILENCE)).map_err(|error| gone(&error))?;
        let from = match since {
            Since::Now => String::new(),
            Since::Position(position) => format!("?since={position}"),
            Since::Snapshot => "?snapshot=true".to_owned(),
        };
        let url = format!("ws://{}/v1/changes{from}", leader.authority());
        let mut request = url.into_client_request().map_err(|error| {
            Ended::Refused(Refused {
                status: 400,
                why: format!("the position cannot be asked for: {error}"),
                earliest: None,
            })
        })?;
        if let Some(token) = leader.authorization() {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let told: Option<Told<'_>> = serde_json::from_slice(body).ok();
                let (error, earliest) = told.map_or((None, None), |told| (told.error, told.earliest));
                let status = answer.status().as_u16();
                // Whoever follows gives its place up for these two, and shall not for the word of a stranger at that address.
                if matches!(status, 400 | 410) && error.is_none() {
                    return Err(strange(&format!("it answers {status} without saying why")));
                }
                Err(refused(status, error, earliest))
            }
            Err(HandshakeError::Failure(error)) => Err(gone(&error)),
            Err(HandshakeError::Interrupted(_)) => Err(Ended::Gone("it says nothing".to_owned())),
        }
    }

    /// Waits for the next message and hands it to `see`.
    ///
    /// # Errors
    ///
    /// The connection ended, or the server refuses to go on.
    pub fn next<T>(&mut self, see: impl FnOnce(Message<'_>) -> T) -> Result<T, Ended> {
        loop {
            let text = match self.socket.read() {
                Ok(Frame::Text(text)) => text,
                Ok(Frame::Close(frame)) => {
                    let why = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                    return Err(Ended::Gone(if why.is_empty() { "it said goodbye".to_owned() } else { why }));
                }
                Ok(_) => continue,
                // A process that stood still for a while.
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(tungstenite::Error::Io(error)) if is_silence(&error) => {
                    return Err(Ended::Gone("it says nothing".to_owned()));
                }
                Err(error) => return Err(Ended::Gone(error.to_string())),
            };
            let told: Told<'_> = serde_json::from_str(&text).map_err(|error| strange(&error))?;
            return Ok(see(told.message()?));
        }
    }
}

/// Connects to the first of its addresses that answers.
fn connect(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TO_CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
