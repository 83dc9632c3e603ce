//! Keys: `DEL`, `EXISTS`, `SCAN` and their kin.

use std::ops::ControlFlow;

use logladder_engine::{Batch, Iterate};

use super::glob;
use super::refusal::Refused;
use super::request::Request;
use super::turn::Turn;
use crate::capability::Capability;

/// How long the answer to `KEYS` may get, in bytes.
const MOST_LISTED: usize = 64 << 20;

/// Deletes those that are there, all of them or none in a stage that can. No other write through this server comes between the look and
/// the delete.
pub(crate) fn del(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let engine = turn.engine();
    let _gate = turn.port.app.close_gate();
    let mut present: Vec<&[u8]> = Vec::new();
    for key in request.parts_from(1) {
        if engine.get_with(key, &mut |_| ())? {
            present.push(key);
        }
    }
    present.sort_unstable();
    present.dedup();
    match (present.as_slice(), engine.as_atomic()) {
        ([], _) => {}
        ([_, _, ..], Some(atomic)) => {
            let mut batch = Batch::new();
            for key in &present {
                batch.delete(key);
            }
            let _under_way = turn.port.app.together.begin(engine);
            atomic.write(&batch)?;
        }
        (keys, _) => {
            let _under_way = turn.port.app.together.begin(engine);
            keys.iter().try_for_each(|key| engine.delete(key))?;
        }
    }
    turn.answers.count(present.len());
    Ok(())
}

/// A key that is named twice counts twice.
pub(crate) fn exists(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let keys: Vec<&[u8]> = request.parts_from(1).collect();
    let count = turn.at_one_moment(|turn| {
        let mut count = 0;
        turn.engine().get_many(&keys, &mut |_, value| count += usize::from(value.is_some()))?;
        Ok(count)
    })?;
    turn.answers.count(count);
    Ok(())
}

pub(crate) fn kind(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let is_there = turn.engine().get_with(request.part(1), &mut |_| ())?;
    turn.answers.word(if is_there { "string" } else { "none" });
    Ok(())
}

pub(crate) fn dbsize(turn: &mut Turn<'_>, _request: &Request<'_>) -> Result<(), Refused> {
    let keys = turn.engine().stats()?.live_keys;
    turn.answers.integer(i64::try_from(keys).unwrap_or(i64::MAX));
    Ok(())
}

fn iterate<'s>(turn: &Turn<'s>) -> Result<&'s dyn Iterate, Refused> {
    let engine = turn.engine();
    Ok(engine.as_iterate().ok_or_else(|| Capability::Iterate.lacking(engine))?)
}

pub(crate) fn keys(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let (store, pattern) = (iterate(turn)?, request.part(1));
    let (mut found, mut bytes) = (Vec::<Box<[u8]>>::new(), 0);
    store.for_each(&mut |key, _| {
        if glob::matches(pattern, key) {
            bytes += key.len();
            found.push(Box::from(key));
        }
        if bytes > MOST_LISTED { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if bytes > MOST_LISTED {
        let why = format!("ERR these keys are longer than {MOST_LISTED} bytes together: use SCAN");
        return Err(Refused::command(why));
    }
    turn.answers.array(found.len());
    for key in &found {
        turn.answers.bulk(key);
    }
    Ok(())
}

pub(crate) fn scan(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let cursor = str::from_utf8(request.part(1)).ok().and_then(|cursor| cursor.parse().ok());
    let cursor = cursor.ok_or_else(|| Refused::command("ERR invalid cursor"))?;
    let (mut pattern, mut count, mut shows_strings) = (None, 10, true);
    let mut options = 2;
    while options < request.len() {
        let value = options + 1;
        if value == request.len() {
            return Err(Refused::SYNTAX);
        }
        if request.is(options, "MATCH") {
            pattern = Some(request.part(value));
        } else if request.is(options, "COUNT") {
            count = usize::try_from(request.integer(value)?).unwrap_or(0);
            if count == 0 {
                return Err(Refused::SYNTAX);
            }
        } else if request.is(options, "TYPE") {
            shows_strings = request.is(value, "string");
        } else {
            return Err(Refused::SYNTAX);
        }
        options += 2;
    }
    let mut page = turn.port.shelves.page(iterate(turn)?, cursor, count)?;
    page.keys.retain(|key| shows_strings && pattern.is_none_or(|pattern| glob::matches(pattern, key)));
    turn.answers.array(2);
    turn.answers.text(&page.cursor.to_string());
    turn.answers.array(page.keys.len());
    page.keys.iter().for_each(|key| turn.answers.bulk(key));
    Ok(())
}
