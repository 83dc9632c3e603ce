//! The table of commands: what each is called, what it takes, where it runs, and what does it.

use super::refusal::Refused;
use super::request::Request;
use super::turn::Turn;
use super::{about, client, counters, expiry, keys, strings};

/// What a command does with the store, which decides where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Nothing.
    None,
    /// As many reads as it names keys.
    Read,
    /// The same, all of one moment.
    ReadTogether,
    /// As many writes.
    Write,
    /// A walk over all keys.
    Walk,
}

/// A command.
#[derive(Debug)]
pub(crate) struct Command {
    /// In small letters.
    pub(crate) name: &'static str,
    /// How many parts it has with its name; if below zero, so many or more. As Redis counts.
    pub(crate) arity: i32,
    pub(crate) work: Work,
    /// The places of its first key and its last, from the end if below zero, and the step from one to the next.
    pub(crate) keys: (i32, i32, i32),
    pub(crate) group: &'static str,
    /// The version of Redis that had it first.
    pub(crate) since: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) run: fn(&mut Turn<'_>, &Request<'_>) -> Result<(), Refused>,
}

impl Command {
    /// Whether it takes so many parts.
    pub(crate) fn takes(&self, parts: usize) -> bool {
        let parts = i32::try_from(parts).unwrap_or(i32::MAX);
        if self.arity < 0 { parts >= -self.arity } else { parts == self.arity }
    }

    /// Whether a client may use it that has not shown the token.
    pub(crate) fn is_for_strangers(&self) -> bool {
        matches!(self.name, "auth" | "hello" | "quit")
    }

    /// Its flags, in the words of Redis.
    pub(crate) fn flags(&self) -> &'static [&'static str] {
        match self.work {
            Work::None => &["loading", "stale", "fast"],
            Work::Read | Work::ReadTogether | Work::Walk => &["readonly"],
            Work::Write => &["write", "denyoom"],
        }
    }
}

/// Each with its place in [`COMMANDS`].
pub(crate) fn find(name: &[u8]) -> Option<(usize, &'static Command)> {
    const LONGEST: usize = 16;
    let mut small = [0; LONGEST];
    let small = small.get_mut(..name.len())?;
    small.copy_from_slice(name);
    small.make_ascii_lowercase();
    let place = COMMANDS.binary_search_by(|command| command.name.as_bytes().cmp(small)).ok()?;
    Some((place, &COMMANDS[place]))
}

const NO_KEYS: (i32, i32, i32) = (0, 0, 0);
const ONE_KEY: (i32, i32, i32) = (1, 1, 1);
const ALL_KEYS: (i32, i32, i32) = (1, -1, 1);

macro_rules! commands {
    ($($name:literal, $arity:literal, $work:ident, $keys:expr, $group:literal, $since:literal, $run:path, $summary:literal;)*) => {
        /// Every command, in the order of their names.
        pub(crate) static COMMANDS: &[Command] = &[$(Command {
            name: $name, arity: $arity, work: Work::$work, keys: $keys, group: $group, since: $since,
            summary: $summary, run: $run,
        },)*];
    };
}

commands! {
    "append", 3, Write, ONE_KEY, "string", "2.0.0", strings::append, "Adds bytes to the end of a value";
    "auth", -2, None, NO_KEYS, "connection", "1.0.0", client::auth, "Shows the token of the server";
    "client", -2, None, NO_KEYS, "connection", "2.4.0", client::client, "Names this connection, and says what is known of it";
    "command", -1, None, NO_KEYS, "server", "2.8.13", about::command, "Lists the commands";
    "config", -2, None, NO_KEYS, "server", "2.0.0", about::config, "Says how the server was started";
    "dbsize", 1, Walk, NO_KEYS, "server", "1.0.0", keys::dbsize, "Says how many keys there are";
    "decr", 2, Write, ONE_KEY, "string", "1.0.0", counters::decr, "Takes 1 from a number";
    "decrby", 3, Write, ONE_KEY, "string", "1.0.0", counters::decrby, "Takes from a number";
    "del", -2, Write, ALL_KEYS, "generic", "1.0.0", keys::del, "Deletes keys, and says how many were there";
    "echo", 2, None, NO_KEYS, "connection", "1.0.0", client::echo, "Says what it is told";
    "exists", -2, ReadTogether, ALL_KEYS, "generic", "1.0.0", keys::exists, "Says how many of the keys have a value";
    "expire", -3, Write, ONE_KEY, "generic", "1.0.0", expiry::expire, "Lets a value end after seconds";
    "expireat", -3, Write, ONE_KEY, "generic", "1.2.0", expiry::expireat, "Lets a value end at a moment, in seconds";
    "expiretime", 2, Read, ONE_KEY, "generic", "7.0.0", expiry::expiretime, "Says at what moment a value ends, in seconds";
    "get", 2, Read, ONE_KEY, "string", "1.0.0", strings::get, "Says the value of a key";
    "getdel", 2, Write, ONE_KEY, "string", "6.2.0", strings::getdel, "Says the value of a key, and deletes it";
    "getset", 3, Write, ONE_KEY, "string", "1.0.0", strings::getset, "Sets a key, and says the value before";
    "hello", -1, None, NO_KEYS, "connection", "6.0.0", client::hello, "Chooses the version of the protocol";
    "incr", 2, Write, ONE_KEY, "string", "1.0.0", counters::incr, "Adds 1 to a number";
    "incrby", 3, Write, ONE_KEY, "string", "1.0.0", counters::incrby, "Adds to a number";
    "info", -1, Walk, NO_KEYS, "server", "1.0.0", about::info, "Says how the server is";
    "keys", 2, Walk, NO_KEYS, "generic", "1.0.0", keys::keys, "Lists the keys that match a pattern";
    "mget", -2, ReadTogether, ALL_KEYS, "string", "1.0.0", strings::mget, "Says the values of several keys";
    "mset", -3, Write, (1, -1, 2), "string", "1.0.1", strings::mset, "Sets several keys";
    "persist", 2, Write, ONE_KEY, "generic", "2.2.0", expiry::persist, "Lets a value end no more";
    "pexpire", -3, Write, ONE_KEY, "generic", "2.6.0", expiry::pexpire, "Lets a value end after milliseconds";
    "pexpireat", -3, Write, ONE_KEY, "generic", "2.6.0", expiry::pexpireat, "Lets a value end at a moment, in milliseconds";
    "pexpiretime", 2, Read, ONE_KEY, "generic", "7.0.0", expiry::pexpiretime, "Says at what moment a value ends, in milliseconds";
    "ping", -1, None, NO_KEYS, "connection", "1.0.0", client::ping, "Answers";
    "psetex", 4, Write, ONE_KEY, "string", "2.6.0", strings::psetex, "Sets a key for milliseconds";
    "pttl", 2, Read, ONE_KEY, "generic", "2.6.0", expiry::pttl, "Says how many milliseconds a value has left";
    "quit", -1, None, NO_KEYS, "connection", "1.0.0", client::quit, "Ends the connection";
    "scan", -2, Walk, NO_KEYS, "generic", "2.8.0", keys::scan, "Lists the keys, some at a time";
    "select", 2, None, NO_KEYS, "connection", "1.0.0", client::select, "Chooses the database: there is one, number 0";
    "set", -3, Write, ONE_KEY, "string", "1.0.0", strings::set, "Sets a key";
    "setex", 4, Write, ONE_KEY, "string", "2.0.0", strings::setex, "Sets a key for seconds";
    "setnx", 3, Write, ONE_KEY, "string", "1.0.0", strings::setnx, "Sets a key that has no value";
    "strlen", 2, Read, ONE_KEY, "string", "2.2.0", strings::strlen, "Says how long a value is";
    "time", 1, None, NO_KEYS, "server", "2.6.0", about::time, "Says what time it is";
    "touch", -2, ReadTogether, ALL_KEYS, "generic", "3.2.1", keys::exists, "Says how many of the keys have a value";
    "ttl", 2, Read, ONE_KEY, "generic", "1.0.0", expiry::ttl, "Says how many seconds a value has left";
    "type", 2, Read, ONE_KEY, "generic", "1.0.0", keys::kind, "Says whether a key has a value: all are strings";
    "unlink", -2, Write, ALL_KEYS, "generic", "4.0.0", keys::del, "Deletes keys, and says how many were there";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_found_in_letters_of_any_case() {
        assert!(COMMANDS.is_sorted_by(|one, next| one.name < next.name));
        for command in COMMANDS {
            let (place, found) = find(command.name.to_ascii_uppercase().as_bytes()).unwrap();
            assert_eq!((COMMANDS[place].name, found.name), (command.name, command.name));
        }
        assert!(find(b"").is_none() && find(b"getx").is_none() && find(&[b'x'; 100]).is_none());
    }
}
