//! [`Failover`]: the process that pings the servers and names another primary when the one it had named does not answer.

use crate::server::{Message, Place, Wish};
use crate::{Millis, SERVERS, name_of};

/// The time between two pings. Who has not answered one by the next is taken for dead.
pub const PERIOD: Millis = 1000;

/// What it remembers.
#[derive(Debug, Clone)]
pub struct Failover {
    named: usize,
    answered: [bool; SERVERS],
    deposed: [bool; SERVERS],
    tells_the_deposed: bool,
}

impl Failover {
    /// Begins with the server 0 as the primary.
    #[must_use]
    pub fn new(tells_the_deposed: bool) -> Self {
        Self { named: 0, answered: [true; SERVERS], deposed: [false; SERVERS], tells_the_deposed }
    }

    /// Whom it names if it is asked for the primary.
    #[must_use]
    pub fn named(&self) -> usize {
        self.named
    }

    /// A period has gone by.
    pub fn tick(&mut self) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let next = (0..SERVERS).find(|&server| server != self.named && self.answered[server]);
        if let (false, Some(next)) = (self.answered[self.named], next) {
            let (old, new) = (name_of(self.named), name_of(next));
            wishes.push(Wish::Note(format!("{old} is silent: {new} shall be primary")));
            self.deposed[self.named] = true;
            self.deposed[next] = false;
            wishes.push(Wish::Send(Place::Server(next), Message::Promote));
            let others = (0..SERVERS).filter(|&server| server != next && server != self.named);
            wishes.extend(others.map(|other| Wish::Send(Place::Server(other), Message::Follow(next))));
            self.named = next;
        }
        self.answered = [false; SERVERS];
        wishes.extend((0..SERVERS).map(|server| Wish::Send(Place::Server(server), Message::Ping)));
        wishes
    }

    /// A server has answered a ping.
    pub fn answer(&mut self, server: usize) -> Vec<Wish> {
        self.answered[server] = true;
        if self.tells_the_deposed && self.deposed[server] && server != self.named {
            self.deposed[server] = false;
            let note = Wish::Note(format!("{} is back, and is told", name_of(server)));
            return vec![note, Wish::Send(Place::Server(server), Message::Follow(self.named))];
        }
        Vec::new()
    }

    /// A server was started again by hand, as a replica.
    pub fn forget(&mut self, server: usize) {
        self.deposed[server] = false;
    }
}
