//! Reads of a copy, and of a hash-log that follows nobody.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use logladder::hash_log::{HashLog, Options};
use logladder::{Engine, Open, SyncPolicy};
use logladder_bench::figures::per_second;
use logladder_bench::statistics::median;
use logladder_bench::{Target, TargetRow};
use logladder_follower::{Follower, Leader};

use crate::Scale;
use crate::lag::{Writer, synced_each_second, wait_for};
use crate::served::Served;

const VALUE: [u8; 100] = [b'v'; 100];

pub(crate) fn key(number: u32) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    let mut rest = number;
    for digit in key.iter_mut().rev().take(10) {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

pub(crate) fn rows(scale: Scale, folder: &Path) -> Result<Vec<TargetRow>> {
    let alone = HashLog::open(&folder.join("alone"), Options::default().with_sync(SyncPolicy::Never))?;
    let served = Served::start(&synced_each_second(), folder)?;
    let mut writer = Writer::connect(&served)?;
    for number in 0..scale.keys {
        alone.set(&key(number), &VALUE)?;
        writer.add(&key(number), &VALUE);
        if number % 500 == 499 {
            writer.send()?;
        }
    }
    writer.send()?;
    let leader = Leader::new(&format!("http://{}", served.http), None)?;
    let copy = Follower::open(&folder.join("copy"), logladder_follower::Options::new(leader))?;
    wait_for(&copy, u64::from(scale.keys));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        theirs.push(read(&alone, scale.keys, scale.round)?);
        ours.push(read(&copy, scale.keys, scale.round)?);
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    Ok(vec![TargetRow {
        what: "gets of a copy ÷ a hash-log that follows nobody",
        measured: format!("{}/s", per_second(ours)),
        against: format!("{}/s", per_second(theirs)),
        figure: ours / theirs,
        target: Target::AtLeast(0.9),
    }])
}

/// Gets a second, each of which is checked.
fn read(engine: &dyn Engine, keys: u32, round: Duration) -> Result<f64> {
    let (mut value, mut done, mut draw) = (Vec::new(), 0_u32, 1_u32);
    let begun = Instant::now();
    while begun.elapsed() < round {
        for _ in 0..1000 {
            // A walk in no order over all keys: a linear congruence, as in Numerical Recipes.
            draw = draw.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ensure!(engine.get_into(&key((draw >> 8) % keys), &mut value)?, "a key is missing");
            ensure!(value == VALUE, "a value is wrong");
        }
        done += 1000;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}
