//! Values: `GET`, `SET` and their kin.

use std::collections::BTreeMap;

use logladder_engine::Batch;

use super::answers::Answers;
use super::expiry::{self, Unit};
use super::refusal::Refused;
use super::request::Request;
use super::turn::{End, Turn, Update};

/// How long the answer of one command may get before another value is added to it.
const MOST_ANSWER: usize = 64 << 20;

/// So many keys are looked for before the length of the answer is.
const AT_ONCE: usize = 64;

pub(crate) fn get(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let answers = &mut *turn.answers;
    let is_there = turn.port.app.engine().get_with(request.part(1), &mut |value| answers.bulk(value))?;
    if !is_there {
        turn.answers.null();
    }
    Ok(())
}

/// All values are those of one moment, beside whatever is written through this server.
pub(crate) fn mget(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let keys: Vec<&[u8]> = request.parts_from(1).collect();
    turn.at_one_moment(|turn| {
        let begin = turn.answers.len();
        turn.answers.array(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            // An engine may show the values in any order.
            let mut values = ValuesInOrder { next: 0, early: BTreeMap::new(), answers: &mut *turn.answers };
            turn.port.app.engine().get_many(keys, &mut |place, value| values.take(place, value))?;
            if turn.answers.len() - begin > MOST_ANSWER {
                let why =
                    format!("ERR these values are longer than {MOST_ANSWER} bytes together: ask for fewer");
                return Err(Refused::command(why));
            }
        }
        Ok(())
    })
}

/// Values that come in any order, and are answered in that of their places.
struct ValuesInOrder<'a> {
    next: usize,
    early: BTreeMap<usize, Option<Vec<u8>>>,
    answers: &'a mut Answers,
}

impl ValuesInOrder<'_> {
    fn take(&mut self, place: usize, value: Option<&[u8]>) {
        if place != self.next {
            self.early.insert(place, value.map(<[u8]>::to_vec));
            return;
        }
        self.answers.value(value);
        self.next += 1;
        while let Some(value) = self.early.remove(&self.next) {
            self.answers.value(value.as_deref());
            self.next += 1;
        }
    }
}

pub(crate) fn strlen(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let mut len = 0;
    turn.engine().get_with(request.part(1), &mut |value| len = value.len())?;
    turn.answers.count(len);
    Ok(())
}

/// What `SET` is asked for beside a key and a value.
#[derive(Debug)]
struct Manner {
    end: End,
    /// Only if the key has a value, or only if it has none.
    only_if: Option<bool>,
    says_old: bool,
}

impl Manner {
    fn read(request: &Request<'_>) -> Result<Self, Refused> {
        let mut manner = Self { end: End::None, only_if: None, says_old: false };
        let mut place = 3;
        while place < request.len() {
            let unit = Unit::of(request, place, ["EX", "PX", "EXAT", "PXAT"]);
            match unit {
                Some(unit) if manner.end == End::None && place + 1 < request.len() => {
                    place += 1;
                    let number = request.integer(place)?;
                    let end = unit.moment(number).filter(|_| number > 0);
                    manner.end = End::At(end.ok_or_else(|| expiry::invalid("set"))?);
                }
                None if request.is(place, "KEEPTTL") && manner.end == End::None => manner.end = End::Kept,
                None if request.is(place, "NX") && manner.only_if.is_none() => manner.only_if = Some(false),
                None if request.is(place, "XX") && manner.only_if.is_none() => manner.only_if = Some(true),
                None if request.is(place, "GET") => manner.says_old = true,
                _ => return Err(Refused::SYNTAX),
            }
            place += 1;
        }
        Ok(manner)
    }
}

pub(crate) fn set(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let manner = Manner::read(request)?;
    let (key, value) = (request.part(1), request.part(2));
    if manner.only_if.is_none() && !manner.says_old {
        turn.set(key, value, manner.end)?;
        turn.answers.ok();
        return Ok(());
    }
    let (is_set, old) = turn.change(key, manner.end, |found| {
        let old = found.filter(|_| manner.says_old).map(<[u8]>::to_vec);
        Ok(if manner.only_if.is_none_or(|wanted| wanted == found.is_some()) {
            (Update::Set(value.into()), (true, old))
        } else {
            (Update::Keep, (false, old))
        })
    })?;
    match (manner.says_old, is_set) {
        (true, _) => turn.answers.value(old.as_deref()),
        (false, true) => turn.answers.ok(),
        (false, false) => turn.answers.null(),
    }
    Ok(())
}

pub(crate) fn setnx(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let is_set = turn.change(request.part(1), End::None, |found| {
        Ok(match found {
            Some(_) => (Update::Keep, 0),
            None => (Update::Set(request.part(2).into()), 1),
        })
    })?;
    turn.answers.integer(is_set);
    Ok(())
}

pub(crate) fn setex(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    set_for(turn, request, Unit::Seconds, "setex")
}

pub(crate) fn psetex(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    set_for(turn, request, Unit::Milliseconds, "psetex")
}

fn set_for(turn: &mut Turn<'_>, request: &Request<'_>, unit: Unit, name: &str) -> Result<(), Refused> {
    let number = request.integer(2)?;
    let end = unit.moment(number).filter(|_| number > 0).ok_or_else(|| expiry::invalid(name))?;
    turn.set(request.part(1), request.part(3), End::At(end))?;
    turn.answers.ok();
    Ok(())
}

pub(crate) fn getset(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let old = turn.change(request.part(1), End::None, |found| {
        Ok((Update::Set(request.part(2).into()), found.map(<[u8]>::to_vec)))
    })?;
    turn.answers.value(old.as_deref());
    Ok(())
}

pub(crate) fn getdel(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let old = turn.change(request.part(1), End::None, |found| {
        Ok(match found {
            Some(value) => (Update::Delete, Some(value.to_vec())),
            None => (Update::Keep, None),
        })
    })?;
    turn.answers.value(old.as_deref());
    Ok(())
}

pub(crate) fn append(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let len = turn.change(request.part(1), End::Kept, |found| {
        let value = [found.unwrap_or_default(), request.part(2)].concat();
        let len = value.len();
        Ok((Update::from(value), len))
    })?;
    turn.answers.count(len);
    Ok(())
}

/// The keys and values of `MSET`.
pub(crate) fn pairs<'r>(
    request: &'r Request<'_>,
) -> Result<impl Iterator<Item = (&'r [u8], &'r [u8])>, Refused> {
    if request.len().is_multiple_of(2) {
        return Err(Refused::arguments("mset"));
    }
    Ok((1..request.len()).step_by(2).map(|place| (request.part(place), request.part(place + 1))))
}

/// All or nothing, in a stage that can; else one after the other.
pub(crate) fn mset(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let pairs = pairs(request)?;
    let _gate = turn.port.app.pass_gate();
    let engine = turn.engine();
    let _under_way = turn.port.app.together.begin(engine);
    if let Some(atomic) = engine.as_atomic() {
        let mut batch = Batch::new();
        for (key, value) in pairs {
            batch.set(key, value);
        }
        atomic.write(&batch)?;
    } else {
        for (key, value) in pairs {
            engine.set(key, value)?;
        }
    }
    turn.answers.ok();
    Ok(())
}
