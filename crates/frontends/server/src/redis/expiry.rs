//! Values that end: `EXPIRE`, `TTL` and their kin.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use logladder_engine::Expiry;

use super::refusal::Refused;
use super::request::Request;
use super::turn::Turn;

/// What the number of a time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    /// Since 1970.
    SecondOfAllTime,
    MillisecondOfAllTime,
}

impl Unit {
    /// The unit of the word at this place, in the order of the variants.
    pub(crate) fn of(request: &Request<'_>, place: usize, words: [&str; 4]) -> Option<Self> {
        let units = [Self::Seconds, Self::Milliseconds, Self::SecondOfAllTime, Self::MillisecondOfAllTime];
        words.into_iter().zip(units).find(|(word, _)| request.is(place, word)).map(|(_, unit)| unit)
    }

    /// The moment, if there is one so far away. One before 1970 is 1970.
    pub(crate) fn moment(self, number: i64) -> Option<SystemTime> {
        let millis = match self {
            Self::Seconds | Self::SecondOfAllTime => number.checked_mul(1000)?,
            Self::Milliseconds | Self::MillisecondOfAllTime => number,
        };
        let millis = match self {
            Self::Seconds | Self::Milliseconds => millis_of(SystemTime::now()).checked_add(millis)?,
            Self::SecondOfAllTime | Self::MillisecondOfAllTime => millis,
        };
        UNIX_EPOCH.checked_add(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }
}

/// Milliseconds since 1970.
pub(crate) fn millis_of(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn invalid(command: &str) -> Refused {
    Refused::command(format!("ERR invalid expire time in '{command}' command"))
}

pub(crate) fn expire(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let_end(turn, request, Unit::Seconds, "expire")
}

pub(crate) fn pexpire(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let_end(turn, request, Unit::Milliseconds, "pexpire")
}

pub(crate) fn expireat(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let_end(turn, request, Unit::SecondOfAllTime, "expireat")
}

pub(crate) fn pexpireat(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let_end(turn, request, Unit::MillisecondOfAllTime, "pexpireat")
}

/// `NX`, `XX`, `GT` and `LT`: whether the end may change, from what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    First,
    Again,
    Later,
    Sooner,
}

impl Condition {
    const WORDS: [(&str, Self); 4] =
        [("NX", Self::First), ("XX", Self::Again), ("GT", Self::Later), ("LT", Self::Sooner)];

    /// All that the request names, each once.
    fn read(request: &Request<'_>) -> Result<Vec<Self>, Refused> {
        let mut conditions = Vec::new();
        for place in 3..request.len() {
            let Some((_, condition)) = Self::WORDS.into_iter().find(|(word, _)| request.is(place, word))
            else {
                let option = String::from_utf8_lossy(request.part(place));
                return Err(Refused::command(format!("ERR Unsupported option {option}")));
            };
            if !conditions.contains(&condition) {
                conditions.push(condition);
            }
        }
        if conditions.contains(&Self::First) && conditions.len() > 1 {
            let why = "ERR NX and XX, GT or LT options at the same time are not compatible";
            return Err(Refused::command(why));
        }
        if conditions.contains(&Self::Later) && conditions.contains(&Self::Sooner) {
            return Err(Refused::command("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(conditions)
    }

    /// A value without an end counts as one that ends last.
    fn holds(self, now: Option<SystemTime>, then: SystemTime) -> bool {
        match self {
            Self::First => now.is_none(),
            Self::Again => now.is_some(),
            Self::Later => now.is_some_and(|now| then > now),
            Self::Sooner => now.is_none_or(|now| then < now),
        }
    }
}

fn let_end(turn: &mut Turn<'_>, request: &Request<'_>, unit: Unit, name: &str) -> Result<(), Refused> {
    let number = request.integer(2)?;
    let end = unit.moment(number).ok_or_else(|| invalid(name))?;
    let conditions = Condition::read(request)?;
    let (expire, engine, key) = (turn.expire()?, turn.engine(), request.part(1));
    let _gate = turn.port.app.close_gate();
    let now = match expire.expiry(key)? {
        Expiry::At(now) => Some(now),
        Expiry::Never => None,
        _ => {
            turn.answers.integer(0);
            return Ok(());
        }
    };
    let holds = conditions.iter().all(|condition| condition.holds(now, end));
    if holds && end <= SystemTime::now() {
        engine.delete(key)?;
    } else if holds && let Some(value) = engine.get(key)? {
        expire.set_until(key, &value, end)?;
    }
    turn.answers.integer(i64::from(holds));
    Ok(())
}

pub(crate) fn persist(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let key = request.part(1);
    let engine = turn.engine();
    let _gate = turn.port.app.close_gate();
    let had_end = matches!(turn.expiry(key)?, Expiry::At(_));
    if had_end && let Some(value) = engine.get(key)? {
        engine.set(key, &value)?;
    }
    turn.answers.integer(i64::from(had_end));
    Ok(())
}

pub(crate) fn ttl(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    // Rounded as Redis does.
    say(turn, request, |end| (left(end) + 500) / 1000)
}

pub(crate) fn pttl(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    say(turn, request, left)
}

pub(crate) fn expiretime(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    say(turn, request, |end| millis_of(end) / 1000)
}

pub(crate) fn pexpiretime(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    say(turn, request, millis_of)
}

/// Milliseconds from now to then.
fn left(end: SystemTime) -> i64 {
    millis_of(end).saturating_sub(millis_of(SystemTime::now())).clamp(0, i64::MAX - 500)
}

fn say(
    turn: &mut Turn<'_>,
    request: &Request<'_>,
    number: impl Fn(SystemTime) -> i64,
) -> Result<(), Refused> {
    let number = match turn.expiry(request.part(1))? {
        Expiry::At(end) => number(end),
        Expiry::Never => -1,
        _ => -2,
    };
    turn.answers.integer(number);
    Ok(())
}
