//! [`Turn`]: what a command has at hand while it runs, and writes that depend on what is there.

use std::borrow::Cow;
use std::time::SystemTime;

use logladder_engine::{Engine, Expire, Expiry};

use super::answers::Answers;
use super::client::Client;
use super::port::Port;
use super::refusal::Refused;
use crate::capability::Capability;
use crate::entry;

pub(crate) use crate::entry::Update;

/// What a command has at hand while it runs.
#[derive(Debug)]
pub(crate) struct Turn<'s> {
    pub(crate) port: &'s Port,
    pub(crate) client: &'s mut Client,
    pub(crate) answers: &'s mut Answers,
}

/// What becomes of the moment at which a value ends, when the value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It has none from then on.
    None,
    /// It stays as it is.
    Kept,
    At(SystemTime),
}

impl<'s> Turn<'s> {
    pub(crate) fn engine(&self) -> &'s dyn Engine {
        self.port.app.engine()
    }

    /// The engine's values that end, if it has them.
    pub(crate) fn expire(&self) -> Result<&'s dyn Expire, Refused> {
        let engine = self.engine();
        Ok(engine.as_expire().ok_or_else(|| Capability::Expire.lacking(engine))?)
    }

    /// Until when a key has its value. In a stage without ends none has one.
    pub(crate) fn expiry(&self, key: &[u8]) -> Result<Expiry, Refused> {
        let engine = self.engine();
        Ok(match engine.as_expire() {
            Some(expire) => expire.expiry(key)?,
            None if engine.get_with(key, &mut |_| ())? => Expiry::Never,
            None => Expiry::Absent,
        })
    }

    /// Does what reads several keys so that it sees no half of what another command writes to several. If it is disturbed, what it
    /// answered is taken back and it begins again, in the end with all writes held up.
    pub(crate) fn at_one_moment<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        const TRIES: usize = 3;
        let (app, begin) = (&self.port.app, self.answers.len());
        for _ in 0..TRIES {
            let Some(quiet) = app.together.quiet() else { break };
            let outcome = read(self);
            if app.together.is_still(quiet) {
                return outcome;
            }
            self.answers.truncate(begin);
        }
        let _gate = app.close_gate();
        read(self)
    }

    /// Sets a key, whatever it has.
    pub(crate) fn set(&self, key: &[u8], value: &[u8], end: End) -> Result<(), Refused> {
        match end {
            End::At(end) => {
                let _gate = self.port.app.pass_gate();
                Ok(self.expire()?.set_until(key, value, end)?)
            }
            End::Kept if self.engine().as_expire().is_some() => {
                self.change(key, end, |_| Ok((Update::Set(value.into()), ())))
            }
            End::Kept | End::None => {
                let _gate = self.port.app.pass_gate();
                Ok(self.engine().set(key, value)?)
            }
        }
    }

    /// Does to a key what `decide` makes of its value, and no other write through this server comes between. It may be asked
    /// several times.
    ///
    /// A stage writes a value that ends only unconditionally. So where an end is to be written or kept, the gate is closed to all other
    /// writes meanwhile; else the engine compares, as for the conditions of HTTP.
    pub(crate) fn change<'v, T>(
        &self,
        key: &[u8],
        end: End,
        mut decide: impl FnMut(Option<&[u8]>) -> Result<(Update<'v>, T), Refused>,
    ) -> Result<T, Refused> {
        let engine = self.engine();
        if engine.as_atomic().is_none() {
            return Err(Capability::Atomic.lacking(engine).into());
        }
        if let End::At(_) = end {
            self.expire()?;
        }
        {
            let _gate = self.port.app.pass_gate();
            // Nobody gives it an end while the gate is held.
            if end == End::None || (end == End::Kept && !matches!(self.expiry(key)?, Expiry::At(_))) {
                return entry::update(engine, key, |found| decide(found.map(|found| &*found.value)));
            }
        }
        let _gate = self.port.app.close_gate();
        let found = engine.get(key)?;
        let (update, outcome) = decide(found.as_deref())?;
        match update {
            Update::Keep => {}
            Update::Delete => engine.delete(key)?,
            Update::Set(value) => match self.end(key, end)? {
                Some(end) => self.expire()?.set_until(key, &value, end)?,
                None => engine.set(key, &value)?,
            },
        }
        Ok(outcome)
    }

    fn end(&self, key: &[u8], end: End) -> Result<Option<SystemTime>, Refused> {
        Ok(match end {
            End::None => None,
            End::At(end) => Some(end),
            End::Kept => match self.expiry(key)? {
                Expiry::At(end) => Some(end),
                _ => None,
            },
        })
    }
}

impl From<Vec<u8>> for Update<'_> {
    fn from(value: Vec<u8>) -> Self {
        Self::Set(Cow::Owned(value))
    }
}
