//! What lies in the folder of a wreck, and is not of the store as its manifest tells it.
//!
//! ```text
//!   nothing speaks against the manifest          it is not used: a crash left it, or someone put it there
//!   an edit is torn                              a table that says what nothing else does is used
//!   a file is missing that the manifest names,   so is every table that is newer than what the manifest knows, and what
//!   a write, or the manifest is an older one     stands only in a log that should be in tables
//!   it was replaced, as the manifest says        it is not used: it would bring back what was overwritten or deleted
//! ```
//!
//! A crash in the middle of an edit leaves all that the edits before it name, and what it leaves beside that says nothing
//! more. So where something is missing, edits are.

use logladder_engine::{Result, Severity};

use super::logs::writes;
use super::{Part, Reader, Said};
use crate::files::{FileKind, HEADER_LEN, Header, MANIFEST};
use crate::frame::{Frame, Tail, judge_tail};
use crate::store::Tables;
use crate::table::look::{Look, look};

/// What is said of a file that is not used.
pub(super) const REPLACED: &str = "the manifest says that other files have taken its place: it is not used";
const UNUSED: &str = "the manifest does not name it: it is not used";
const NOTHING_MORE: &str = "the manifest does not name it, and nothing stands in it alone: it is not used";

impl Reader<'_> {
    /// Takes what the manifest has lost, as far as it can be told from what a crash leaves.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub(super) fn unlisted(&mut self) -> Result<()> {
        let mut tables = std::mem::take(&mut self.unlisted_tables);
        // The higher number is newer, as far as can be told.
        tables.sort_unstable_by(|a, b| b.cmp(a));
        let highest = self.found.highest;
        let is_newer = |number: u64| number > highest;
        // With a log that goes on from the manifest, no write is missing.
        let has_logs = self.has_logs;
        let is_suspicious = |number: u64| is_newer(number) && !has_logs;
        let is_torn = self.found.is_torn;
        if self.is_missing || is_torn || tables.iter().any(|number| is_suspicious(*number)) {
            let (looks, parts) = self.look_at(&tables);
            let says_more = self.wreck.says_more(&*self.folder.disk, &parts)?;
            let pairs = || looks.iter().zip(&says_more);
            let is_older = pairs().any(|((number, _), more)| *more && is_suspicious(*number));
            let is_lost = self.is_missing || is_older;
            let is_used: Vec<bool> = pairs()
                .map(|((number, _), more)| if is_lost { *more || is_newer(*number) } else { *more })
                .collect();
            let mut runs = Vec::new();
            for (((number, look), part), is_used) in looks.into_iter().zip(parts).zip(is_used) {
                let name = FileKind::Table(number).name();
                if !is_used {
                    self.unused.push((name, NOTHING_MORE));
                    continue;
                }
                if is_suspicious(number) {
                    let what = format!("it does not know of {name}, and is older than that file");
                    self.say(Severity::Damage, MANIFEST, self.found.end as u64, what);
                } else {
                    let what = "the manifest should name it: it is used, and taken to be newer than all that it names";
                    self.say(Severity::Damage, &name, 0, what);
                }
                self.wreck.report.records += look.entries;
                self.wreck.report.problems.extend(look.problems);
                runs.push(vec![part]);
            }
            runs.append(&mut self.wreck.runs);
            self.wreck.runs = runs;
        } else {
            self.unused.extend(tables.iter().map(|number| (FileKind::Table(*number).name(), UNUSED)));
        }
        self.earlier_logs();
        Ok(())
    }

    /// Those of `tables` of which something can be read, and that were not replaced.
    fn look_at(&mut self, tables: &[u64]) -> (Vec<(u64, Look)>, Vec<Part>) {
        let (mut looks, mut parts) = (Vec::new(), Vec::new());
        for &number in tables {
            let name = FileKind::Table(number).name();
            let path = self.folder.path(&name);
            let bytes = match self.folder.read(&name) {
                Ok(bytes) => bytes,
                Err(error) => {
                    self.say_error(&name, error);
                    continue;
                }
            };
            if self.found.replaced.has_table(&path, number, &bytes) {
                self.unused.push((name, REPLACED));
                continue;
            }
            // One of a newer version is not this store's.
            match look(&path, number, None, &bytes) {
                Ok(mut look) if !look.blocks.is_empty() => {
                    parts.push(Part { path, blocks: std::mem::take(&mut look.blocks), is_listed: false });
                    looks.push((number, look));
                }
                _ => self.unused.push((name, UNUSED)),
            }
        }
        (looks, parts)
    }

    /// Looks at the logs whose writes should be in tables. What they say is older than all else.
    fn earlier_logs(&mut self) {
        for number in std::mem::take(&mut self.earlier_logs) {
            let kind = FileKind::Log(number);
            let name = kind.name();
            let path = self.folder.path(&name);
            if !self.is_missing {
                self.unused.push((name, UNUSED));
                continue;
            }
            match self.folder.read(&name) {
                Ok(bytes) if self.found.replaced.has_log(&path, number, &bytes, &Tables::default()) => {
                    self.unused.push((name, REPLACED));
                }
                Ok(bytes) if Header::decode(&path, kind, &bytes).is_ok() => {
                    self.wreck.report.records += take_records(&bytes, &mut self.wreck.earlier);
                    let what = "the manifest says that it is in tables, of which some are missing: of what stands nowhere else, it is used";
                    self.say(Severity::Remark, &name, 0, what);
                }
                Ok(_) => self.unused.push((name, UNUSED)),
                Err(error) => self.say_error(&name, error),
            }
        }
    }
}

/// Takes every record of a log that is whole. Says how many writes that are.
fn take_records(bytes: &[u8], said: &mut Said) -> u64 {
    let (mut at, mut count, mut next) = (HEADER_LEN, 0, 1);
    loop {
        match Frame::decode(bytes.get(at..).unwrap_or_default()) {
            Ok(frame) => {
                for (key, value) in writes(frame.body).unwrap_or_default() {
                    said.entry(key).or_default().push(value);
                    count += 1;
                }
                next = frame.sequence;
                at += frame.len();
            }
            Err(_) => match judge_tail(bytes, at, next) {
                Tail::Damaged { follower } => at = follower,
                _ => return count,
            },
        }
    }
}
