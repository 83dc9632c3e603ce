//! Numbers: `INCR` and its kin. A number is a value that holds its digits.

use super::refusal::Refused;
use super::request::{Request, integer};
use super::turn::{End, Turn, Update};

pub(crate) fn incr(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    add(turn, request, 1)
}

pub(crate) fn decr(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    add(turn, request, -1)
}

pub(crate) fn incrby(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    add(turn, request, request.integer(2)?)
}

pub(crate) fn decrby(turn: &mut Turn<'_>, request: &Request<'_>) -> Result<(), Refused> {
    let overflows = || Refused::command("ERR decrement would overflow");
    add(turn, request, request.integer(2)?.checked_neg().ok_or_else(overflows)?)
}

fn add(turn: &mut Turn<'_>, request: &Request<'_>, difference: i64) -> Result<(), Refused> {
    let number = turn.change(request.part(1), End::Kept, |found| {
        let number = found.map_or(Some(0), integer).ok_or(Refused::NO_INTEGER)?;
        let overflows = || Refused::command("ERR increment or decrement would overflow");
        let sum = number.checked_add(difference).ok_or_else(overflows)?;
        Ok((Update::from(sum.to_string().into_bytes()), sum))
    })?;
    turn.answers.integer(number);
    Ok(())
}
