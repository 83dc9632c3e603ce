//! `watch --url`: the changes of a store that a server has open, as it pushes them over a WebSocket.
//!
//! The place behind each change that was printed is kept, and a connection that ends is made again from there: nothing is
//! left out and nothing shown twice, whether the server was restarted or the network failed.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::header::AUTHORIZATION;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use super::Printer;
use crate::outcome::{Answer, Refusal};
use crate::remark;

/// A server says something every 15 seconds unless it was told otherwise; one that is silent for so long is gone.
const SILENCE: Duration = Duration::from_mins(1);

/// How long a server that is gone is left alone before it is tried again: twice as long each time, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The longest change that is taken: far more than a server takes as a value.
const LONGEST_MESSAGE: usize = 1 << 30;

/// A server, and where its changes are followed from.
#[derive(Debug)]
pub(super) struct Remote {
    /// `host:port`.
    authority: String,
    token: Option<HeaderValue>,
    /// A position or `start`; else from now on.
    since: Option<String>,
}

/// What a server sends: the place where it begins, changes, and why it ends.
#[derive(Debug, Deserialize)]
struct Told<'t> {
    position: Option<String>,
    next: Option<String>,
    #[serde(borrow)]
    key: Option<&'t RawValue>,
    #[serde(borrow)]
    value: Option<&'t RawValue>,
    status: Option<u16>,
    error: Option<String>,
    earliest: Option<String>,
}

/// Why a connection ended.
enum Ended {
    /// So many changes were printed as were asked for.
    Enough,
    /// It can be made again.
    Gone(String),
    /// It would end so again.
    Refused(Refusal),
}

impl Remote {
    /// # Errors
    ///
    /// The address is none of a server without encryption.
    pub(super) fn new(url: &str, token: Option<&str>, since: Option<String>) -> Result<Self> {
        let usage = |what: &str| Refusal::Usage(format!("--url {url}: {what}"));
        let uri: Uri = url.parse().map_err(|_| usage("it is not of the form http://127.0.0.1:8080"))?;
        if uri.scheme_str() != Some("http") {
            return Err(usage("it must begin with http://; encryption is left to a proxy or a tunnel").into());
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| usage("it names no host"))?;
        let token = token.map(|token| HeaderValue::from_str(&format!("Bearer {token}"))).transpose();
        let token =
            token.map_err(|_| Refusal::Usage("the token holds letters that no header can".to_owned()))?;
        Ok(Self { authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)), token, since })
    }

    /// Prints the changes until there were as many as `printer` wants.
    ///
    /// # Errors
    ///
    /// The server could not be reached at first, or refused; or the output failed.
    pub(super) fn follow(mut self, printer: &mut Printer<'_>) -> Result<Answer> {
        let mut pause = FIRST_PAUSE;
        let (mut was_there, mut is_gone) = (false, false);
        loop {
            let ended = match self.connect() {
                Ok(mut socket) => {
                    (was_there, pause) = (true, FIRST_PAUSE);
                    if is_gone {
                        remark("the server is there again");
                        is_gone = false;
                    }
                    self.print(&mut socket, printer)?
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Enough => return Ok(Answer::Yes),
                Ended::Refused(refusal) => return Err(refusal.into()),
                Ended::Gone(why) if !was_there => {
                    return Err(
                        Refusal::Store(format!("cannot reach http://{}: {why}", self.authority)).into()
                    );
                }
                Ended::Gone(why) => {
                    if !is_gone {
                        remark(&format!("the server is gone ({why}): going on when it is there again"));
                        is_gone = true;
                    }
                    thread::sleep(pause);
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    fn connect(&self) -> Result<WebSocket<TcpStream>, Ended> {
        let gone = |error: &dyn std::error::Error| Ended::Gone(error.to_string());
        let stream = TcpStream::connect(&self.authority).map_err(|error| gone(&error))?;
        stream.set_read_timeout(Some(SILENCE)).map_err(|error| gone(&error))?;
        let since = self.since.as_ref().map_or(String::new(), |since| format!("?since={since}"));
        let mut request =
            format!("ws://{}/v1/changes{since}", self.authority).into_client_request().map_err(|error| {
                Ended::Refused(Refusal::Usage(format!("the position cannot be asked for: {error}")))
            })?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        match tungstenite::client::client_with_config(request, stream, Some(config)) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let told: Option<Told<'_>> = serde_json::from_slice(body).ok();
                Err(refused(answer.status().as_u16(), told))
            }
            Err(HandshakeError::Failure(error)) => Err(gone(&error)),
            Err(HandshakeError::Interrupted(_)) => Err(Ended::Gone("it says nothing".to_owned())),
        }
    }

    /// Prints what comes over one connection.
    fn print(&mut self, socket: &mut WebSocket<TcpStream>, printer: &mut Printer<'_>) -> Result<Ended> {
        while !printer.has_enough() {
            let text = match socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(Message::Close(frame)) => {
                    let why = frame.map_or_else(String::new, |frame| frame.reason.to_string());
                    return Ok(Ended::Gone(if why.is_empty() { "it said goodbye".to_owned() } else { why }));
                }
                Ok(_) => continue,
                Err(tungstenite::Error::Io(error)) if is_silence(&error) => {
                    return Ok(Ended::Gone("it says nothing".to_owned()));
                }
                Err(error) => return Ok(Ended::Gone(error.to_string())),
            };
            let told: Told<'_> = serde_json::from_str(&text)
                .context("the server sends what is no change: is it a logladder server?")?;
            match (told.key, told.next.clone()) {
                (Some(key), Some(next)) => {
                    printer.print_text(key, told.value, &next)?;
                    self.since = Some(next);
                }
                _ if told.status.is_some() => {
                    return Ok(refused(told.status.unwrap_or_default(), Some(told)));
                }
                _ => self.since = told.position.or(self.since.take()),
            }
        }
        Ok(Ended::Enough)
    }
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn refused(status: u16, told: Option<Told<'_>>) -> Ended {
    let (why, earliest) = told.map_or((None, None), |told| (told.error, told.earliest));
    let why = why.unwrap_or_else(|| format!("the server answers {status}"));
    Ended::Refused(match status {
        // There is no room, or it is on its way out.
        503 => return Ended::Gone(why),
        400 | 401 | 403 | 404 => Refusal::Usage(why),
        410 => Refusal::Store(match earliest {
            Some(earliest) => format!("{why}; --since {earliest} is the earliest place now"),
            None => why,
        }),
        501 => Refusal::Lacks(why),
        _ => Refusal::Store(why),
    })
}
