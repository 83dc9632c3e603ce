//! `watch --url`: the changes of a store that a server has open, as it pushes them over a WebSocket.
//!
//! The place behind each change that was printed is kept, and a connection that ends is made again from there: nothing is
//! left out and nothing shown twice, whether the server was restarted or the network failed.

use std::thread;
use std::time::Duration;

use anyhow::Result;
use logladder_follower::{Ended, Leader, Message, Refused, Since, Subscription};

use super::Printer;
use crate::outcome::{Answer, Refusal};
use crate::remark;

/// How long a server that is gone is left alone before it is tried again: twice as long each time, up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A server, and where its changes are followed from.
#[derive(Debug)]
pub(super) struct Remote {
    server: Leader,
    /// A position or `start`; else from now on.
    since: Option<String>,
}

impl Remote {
    /// # Errors
    ///
    /// The address is none of a server without encryption.
    pub(super) fn new(url: &str, token: Option<&str>, since: Option<String>) -> Result<Self> {
        let server =
            Leader::new(url, token).map_err(|error| Refusal::Usage(format!("--url {url}: {error}")))?;
        Ok(Self { server, since })
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
            let since = self.since.as_deref().map_or(Since::Now, Since::Position);
            let ended = match Subscription::begin(&self.server, since, |_| {}) {
                Ok(mut subscription) => {
                    (was_there, pause) = (true, FIRST_PAUSE);
                    if is_gone {
                        remark("the server is there again");
                        is_gone = false;
                    }
                    match self.print(&mut subscription, printer)? {
                        None => return Ok(Answer::Yes),
                        Some(ended) => ended,
                    }
                }
                Err(ended) => ended,
            };
            match ended {
                Ended::Refused(said) => return Err(refusal(said).into()),
                Ended::Gone(why) if !was_there => {
                    let what = format!("cannot reach {}: {why}", self.server.url());
                    return Err(Refusal::Store(what).into());
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

    /// Prints what comes over one connection, and says why that ended; it did not if that was enough.
    fn print(&mut self, changes: &mut Subscription, printer: &mut Printer<'_>) -> Result<Option<Ended>> {
        while !printer.has_enough() {
            let since = &mut self.since;
            let outcome = changes.next(|message| match message {
                Message::Change { key, value, next, .. } => {
                    *since = Some(next.clone());
                    printer.print_text(key, value, &next)
                }
                Message::Position(position) => {
                    *since = Some(position);
                    Ok(())
                }
                // Nobody asked for every key.
                _ => Ok(()),
            });
            match outcome {
                Ok(done) => done?,
                Err(ended) => return Ok(Some(ended)),
            }
        }
        Ok(None)
    }
}

fn refusal(Refused { status, why, earliest }: Refused) -> Refusal {
    match status {
        400 | 401 | 403 | 404 => Refusal::Usage(why),
        410 => Refusal::Store(match earliest {
            Some(earliest) => format!("{why}; --since {earliest} is the earliest place now"),
            None => why,
        }),
        501 => Refusal::Lacks(why),
        _ => Refusal::Store(why),
    }
}
