//! Crashes: every state that one could leave behind is opened, and must hold what was promised.
//!
//! ```text
//!   Script ──► Run: the script on the recording disk, and what was begun and acknowledged when
//!          ──► the disk's Recording ──► CrashImages, at each operation
//!          ──► examine: open, read, open again, crash inside the recovery, write, open again
//!          ──► Promise: what each key may hold in that image
//!          ──► copies: what is left of the copies that the script made
//!          ──► restart: the process dies, the store is opened and written to, and then the power fails
//! ```

mod copies;
mod examine;
mod promise;
mod restart;
mod run;
mod script;
mod scripts;
mod words;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use logladder_disk::Filter;
use logladder_disk::crash::{CrashImage, Loss, Recording};
use logladder_engine::Durability;

use crate::case::quietly;
use crate::show::panic_message;
use crate::{Subject, Violation};

pub(crate) use copies::{Opened, check as check_copies};
use examine::is_telling;
pub(crate) use examine::{Examiner, State};
pub(crate) use promise::Promise;
use promise::Write;
pub(crate) use run::{DIR, Run, write};
pub use script::{End, Script, Step};
pub use scripts::scripts;
pub use words::show_op;

/// How many crashes a store came through.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrashSummary {
    /// The scripts that were run.
    pub scripts: usize,
    /// The operations on the disk that they amounted to.
    pub operations: usize,
    /// The images that were built of crashes at those operations.
    pub images: usize,
    /// Those with everything that was done.
    pub whole: usize,
    /// Those that tore the write under way.
    pub torn: usize,
    /// Those with only what was synced.
    pub unsynced: usize,
    /// Those that lack one operation that was not synced.
    pub dropped: usize,
    /// Those with zeros in place of a write that was not synced.
    pub zeroed: usize,
    /// How many of the images differ from all others.
    pub distinct: usize,
    /// Images of crashes that came while the store recovered from one of those.
    pub during_recovery: usize,
    /// Images of a power loss that came when the process had died and the store had been opened again.
    pub after_restart: usize,
    /// How often a copy was found in an image, and opened or refused as it should be.
    pub copies: usize,
    /// Images of a power loss that a store refused with an error which does not claim to survive one, and had
    /// not been synced.
    pub refused: usize,
}

impl CrashSummary {
    fn count(&mut self, image: &CrashImage) {
        self.images += 1;
        *match image.loss {
            Loss::Nothing => &mut self.whole,
            Loss::Torn { .. } => &mut self.torn,
            Loss::Unsynced => &mut self.unsynced,
            Loss::Dropped { .. } => &mut self.dropped,
            Loss::Zeroed { .. } => &mut self.zeroed,
        } += 1;
    }
}

impl fmt::Display for CrashSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scripts == 0 {
            return f.write_str("no crash images: it has no files");
        }
        let Self { scripts, operations, images, whole, torn, unsynced, dropped, zeroed, .. } = self;
        let of_scripts = if *scripts == 1 { "script" } else { "scripts" };
        write!(
            f,
            "{images} crash images of {operations} operations in {scripts} {of_scripts} ({whole} whole, {torn} torn, \
             {unsynced} unsynced, {dropped} with one operation dropped, {zeroed} zeroed; {} distinct); {} of crashes \
             during recovery; {} of a power loss after a restart",
            self.distinct, self.during_recovery, self.after_restart
        )?;
        if self.copies > 0 {
            write!(f, "; {} copies in them", self.copies)?;
        }
        if self.refused > 0 {
            write!(f, "; {} refused with an error", self.refused)?;
        }
        Ok(())
    }
}

/// Which images are built, and how far each is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Of a torn write three, not one for each byte. Each is opened, written to and opened again.
    Few,
    /// Each. Another crash comes while it recovers, and a loss of power after a restart.
    Everything,
}

/// Runs every script on the recording disk, builds every image of a crash at every operation, and opens each.
///
/// # Errors
///
/// The first image that does not hold what was promised.
pub fn crash_images(subject: &Subject) -> Result<CrashSummary, Box<Violation>> {
    crash_images_of(subject, &scripts(subject), None)
}

/// The same with some scripts, on a disk that forgets a kind of operation while they run.
///
/// # Errors
///
/// As [`crash_images`].
pub fn crash_images_of(
    subject: &Subject,
    scripts: &[Script],
    forgotten: Option<Filter>,
) -> Result<CrashSummary, Box<Violation>> {
    crash_images_to(Depth::Everything, subject, scripts, forgotten)
}

/// The same, as far as `depth` says.
pub(crate) fn crash_images_to(
    depth: Depth,
    subject: &Subject,
    scripts: &[Script],
    forgotten: Option<Filter>,
) -> Result<CrashSummary, Box<Violation>> {
    let mut summary = CrashSummary::default();
    if !subject.has_files() {
        return Ok(summary);
    }
    for script in scripts {
        let check = || check_script(depth, subject, script, forgotten, &mut summary);
        quietly(|| catch_unwind(AssertUnwindSafe(check)))
            .unwrap_or_else(|panic| {
                let found = format!("a panic: {}", panic_message(&*panic));
                Err(Violation::new("no engine panics", found))
            })
            .map_err(|violation| Box::new(violation.in_script(script)))?;
    }
    Ok(summary)
}

fn check_script(
    depth: Depth,
    subject: &Subject,
    script: &Script,
    forgotten: Option<Filter>,
    summary: &mut CrashSummary,
) -> Result<(), Violation> {
    let run = Run::of(subject, script, forgotten)?;
    let recording = Recording::of(&run.disk);
    let keys = script.keys();
    let mut examiner = Examiner::new(subject, script);
    let mut opened = Opened::new();
    summary.scripts += 1;
    summary.operations += recording.ops.len();
    for after in 0..=recording.ops.len() {
        for image in recording.images_at(after) {
            let is_telling = is_telling(&image, &recording);
            if depth == Depth::Few && !is_telling {
                continue;
            }
            summary.count(&image);
            let place = || describe(&image, &recording);
            let second_crashes = depth == Depth::Everything && is_telling;
            let states =
                examiner.examine(&image.tree, second_crashes).map_err(|violation| violation.at(&place()))?;
            let refused =
                judge(subject, &run, &image, &keys, states).map_err(|violation| violation.at(&place()))?;
            summary.refused += usize::from(refused);
            summary.copies += check_copies(&run, &image, &examiner, &mut opened)
                .map_err(|violation| violation.at(&place()))?;
        }
    }
    if depth == Depth::Everything {
        for after in 0..=recording.ops.len() {
            summary.after_restart += restart::check(subject, &run, &recording, after, &mut examiner)?;
        }
    }
    summary.distinct += examiner.distinct();
    summary.during_recovery += examiner.during_recovery();
    Ok(())
}

/// Whether everything that the image showed is what was promised. Says whether it was refused, and may be: after
/// a loss of power, by a store that does not claim to survive one, if not everything had been synced.
pub(crate) fn judge(
    subject: &Subject,
    run: &Run,
    image: &CrashImage,
    keys: &[Vec<u8>],
    states: &[State],
) -> Result<bool, Violation> {
    let promise = run.promise(subject.durability(), image);
    let mut refused = false;
    for state in states {
        let broken = |violation: Violation| violation.with_files(&image.tree).at(&state.moment);
        let power_loss = image.loss.needs_power_loss() || state.power_loss;
        match &state.reading {
            Ok(values) => promise.check(keys, values).map_err(broken)?,
            Err(_)
                if power_loss
                    && subject.durability() < Durability::PowerLoss
                    && promise.has_unsynced_writes() =>
            {
                refused = true;
            }
            Err(error) => {
                return Err(broken(Violation::new("the store opens after a crash", error.clone())));
            }
        }
    }
    Ok(refused)
}

/// The moment and the loss, in words.
pub(crate) fn describe(image: &CrashImage, recording: &Recording) -> String {
    let op = |index: usize| show_op(&recording.ops, index);
    let moment = match image.after.checked_sub(1) {
        None => "a crash before the first operation".to_owned(),
        Some(last) => format!("a crash after operation {last}, {}", op(last)),
    };
    match image.loss {
        Loss::Nothing => format!("{moment}; nothing that was done is lost"),
        Loss::Torn { bytes } => {
            format!("{moment}; {bytes} bytes of the next one were done, {}", op(image.after))
        }
        Loss::Unsynced => format!("{moment}; power loss, only what was synced is left"),
        Loss::Dropped { op: lost } => format!("{moment}; power loss, operation {lost} is lost, {}", op(lost)),
        Loss::Zeroed { op: lost } => {
            format!("{moment}; power loss, the bytes of operation {lost} are zeros, {}", op(lost))
        }
    }
}
