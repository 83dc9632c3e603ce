//! Opening the two files: every line is checked, and what a crash left unfinished is set right.
//!
//! First nothing is changed. [`examine`] reads the log once, line by line, beside its checksums:
//!
//! - A line that can be read and has its checksum, or has none yet, is sound. Only the last one may lack its
//!   line feed, which it then gets.
//! - A line whose checksum is another's is damaged: no crash does that, since zeros and missing bytes make a
//!   line unreadable or a checksum incomplete.
//! - A line that cannot be read, and has its line feed and no zeros, is damaged or was never an entry: a write
//!   ends with the line feed, so what a crash leaves of it has none, or zeros.
//! - Anything else that cannot be read is the unfinished last write, if no line after it can be read: that is
//!   the tail rule. But it holds for logs of ours only. One without checksums is taken for ours if there are
//!   lines before, all as this crate writes them; otherwise it is a stranger's file, and refused.
//!
//! Damage is an error, and the files stay as they are. Otherwise the folder is claimed, the unfinished line is
//! cut off, and then [`fit_checksums`] makes the other file fit. Each step leads back to the same place if a
//! crash interrupts it.

use std::path::Path;

use logladder_disk::sabotage::{self, Rule};
use logladder_disk::{Disk, File, StoreFolder, cut_torn_tail, end_without_zeros};
use logladder_engine::{Error, Repair, Result, SyncPolicy};

use crate::checksums::{self, CHECKSUM_FILE, Checksums, RECORD_LEN, Recorded};
use crate::line;
use crate::lines::{Line, Lines};

/// The name of the log.
pub const LOG_FILE: &str = "store.json";

/// How many bytes of checksums are appended at once.
const APPEND_LEN: usize = 64 * 1024;

/// The files of an open store, both sound.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) log: Box<dyn File>,
    pub(crate) checksums: Box<dyn File>,
    /// Every line that begins here or later begins as this crate writes it.
    pub(crate) canonical_from: u64,
    pub(crate) repairs: Vec<Repair>,
}

/// Opens the files of the store in `folder`, or makes them.
///
/// With [`SyncPolicy::Always`], what a reader is shown from now on is on the disk, whoever wrote it. Without,
/// that waits for the first sync of the store, which then also reports if the disk fails.
pub(crate) fn recover(folder: &StoreFolder, policy: SyncPolicy) -> Result<Recovered> {
    let disk = &**folder.disk();
    let (log_path, checksum_path) = (folder.path(LOG_FILE), folder.path(CHECKSUM_FILE));
    let checksums = open_if_there(disk, &checksum_path)?;
    let log = open_if_there(disk, &log_path)?;
    let mut found = match &log {
        Some(log) => examine(&**log, checksums.as_deref())?,
        None if checksums.as_ref().is_some_and(|checksums| !checksums.is_empty()) => {
            let what = format!(
                "it is missing, and {CHECKSUM_FILE} proves that it was there; to start empty, remove that file too"
            );
            return Err(Error::corrupt(&log_path, 0, what));
        }
        None => Found::default(),
    };
    folder.claim()?;
    let log = log.map_or_else(|| disk.create(&log_path), Ok)?;
    let has_checksums = checksums.is_some();
    let checksums = checksums.map_or_else(|| disk.create(&checksum_path), Ok)?;
    // The names first: nothing is written to a file that a loss of power could take away whole.
    disk.sync_dir(folder.dir())?;
    let mut repairs = Vec::new();
    if log.len() > found.end {
        repairs.push(cut_torn_tail(disk, &*log, found.end)?);
    }
    if has_checksums {
        rewrite_unrecorded_last_line(&*log, &found)?;
    }
    if found.lacks_line_feed {
        log.append(b"\n")?;
        // Whatever the policy: the line may have been brought from elsewhere, where it was safe. What is
        // appended next must not run into it.
        log.sync()?;
        found.end += 1;
    }
    if policy != SyncPolicy::Never {
        log.sync()?;
    }
    repairs.extend(fit_checksums(disk, &*log, &*checksums, &found)?);
    if policy != SyncPolicy::Never {
        checksums.sync()?;
    }
    Ok(Recovered { log, checksums, canonical_from: found.canonical_from, repairs })
}

fn open_if_there(disk: &dyn Disk, path: &Path) -> Result<Option<Box<dyn File>>> {
    match disk.entry(path)? {
        Some(_) => disk.open(path).map(Some),
        None => Ok(None),
    }
}

/// What the log and its checksums hold.
#[derive(Debug, Default)]
struct Found {
    /// How many lines are sound, and where they end: the log's length once it is repaired.
    lines: u64,
    end: u64,
    canonical_from: u64,
    /// The first sound line of which no checksum is known, and where it begins.
    first_unrecorded: Option<(u64, u64)>,
    /// Whether the last of them has no line feed yet.
    lacks_line_feed: bool,
}

/// A line that is not as it should be.
struct Bad {
    offset: u64,
    number: u64,
    why: String,
    /// Whether a crash could have left it so, if nothing sound follows.
    can_be_unfinished: bool,
}

impl Bad {
    fn error(&self, log: &dyn File) -> Error {
        Error::corrupt(log.path(), self.offset, format!("line {}: {}", self.number, self.why))
    }
}

/// Reads everything and changes nothing.
fn examine(log: &dyn File, checksums: Option<&dyn File>) -> Result<Found> {
    let mut found = Found::default();
    let mut bad: Option<Bad> = None;
    let mut recorded = Checksums::of(checksums);
    // What a crash left of a file that had grown already; there may be any number of them.
    let zeros_start = end_without_zeros(log, 0)?;
    let mut lines = Lines::new(log, 0, zeros_start);
    // ANCHOR: tail_rule
    while let Some(line) = lines.next_line()? {
        match &bad {
            None => match found.take(line, recorded.next()?) {
                Ok(()) => {}
                Err(refused) if !refused.can_be_unfinished => return Err(refused.error(log)),
                Err(_) if sabotage::skips(Rule::TailRule) => return Ok(found),
                Err(refused) => bad = Some(refused),
            },
            // A whole line follows: it is not the last write. What follows a stranger's line proves nothing.
            Some(bad) if !line.is_cut_short() => return Err(bad.error(log)),
            Some(_) => {}
        }
    }
    // ANCHOR_END: tail_rule
    if bad.is_none() && zeros_start < log.len() {
        bad = Some(Bad {
            offset: zeros_start,
            number: found.lines + 1,
            why: "from here on there are only zeros".into(),
            can_be_unfinished: true,
        });
    }
    let is_ours = checksums.is_some() || (found.lines > 0 && found.canonical_from == 0);
    match bad {
        Some(bad) if !is_ours => Err(bad.error(log)),
        _ => Ok(found),
    }
}

impl Found {
    /// Counts `line`, if it is sound.
    fn take(&mut self, line: Line<'_>, recorded: Recorded) -> std::result::Result<(), Bad> {
        let bad = |why, can_be_unfinished| Bad {
            offset: line.offset,
            number: self.lines + 1,
            why,
            can_be_unfinished,
        };
        if let Some(why) = line.not_held {
            return Err(bad(why.into(), line.is_cut_short()));
        }
        let text = line.bytes.strip_suffix(b"\n").unwrap_or(line.bytes);
        let crc_with_line_feed = |text: &[u8]| {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(text);
            hasher.update(b"\n");
            hasher.finalize()
        };
        let entry = line::parse_text(text).map_err(|why| {
            // A crash takes bytes or leaves zeros. It puts no other byte in the place of the line feed.
            let lost_its_end_alone = match (recorded, text.split_last()) {
                (Recorded::Crc(crc), Some((last, rest))) => *last != 0 && crc == crc_with_line_feed(rest),
                _ => false,
            };
            if lost_its_end_alone {
                bad(format!("by its checksum its last byte was a line feed: {why}"), false)
            } else {
                bad(why, line.is_cut_short())
            }
        })?;
        match recorded {
            Recorded::Crc(crc)
                if crc != crc_with_line_feed(text) && !sabotage::skips(Rule::ChecksumCheck) =>
            {
                return Err(bad(format!("its checksum is not the one in {CHECKSUM_FILE}"), false));
            }
            Recorded::Crc(_) => {}
            Recorded::Nothing => {
                self.first_unrecorded.get_or_insert((self.lines, line.offset));
            }
        }
        if !line.bytes.starts_with(&line::beginning(&entry.key)) {
            self.canonical_from = line.end() + u64::from(!line.has_end());
        }
        self.lines += 1;
        self.end = line.end();
        self.lacks_line_feed = !line.has_end();
        Ok(())
    }
}

/// Writes the last line once more, if its checksum alone is missing: then it is the write that a crash or a
/// failed sync interrupted. After a failed sync the kernel may hold a line in memory that is not on the disk
/// and that no later sync will bring there, since it takes it for written. It was never acknowledged, so
/// nothing is at stake while it is gone.
fn rewrite_unrecorded_last_line(log: &dyn File, found: &Found) -> Result<()> {
    let Some((number, offset)) = found.first_unrecorded else { return Ok(()) };
    if number + 1 != found.lines {
        return Ok(());
    }
    let line = match Lines::new(log, offset, found.end).next_line()? {
        Some(line) => line.bytes.to_vec(),
        None => return Ok(()),
    };
    log.truncate(offset)?;
    log.append(&line)?;
    Ok(())
}

/// Gives every sound line its checksum, and takes away those of lines that the log no longer has.
fn fit_checksums(
    disk: &dyn Disk,
    log: &dyn File,
    checksums: &dyn File,
    found: &Found,
) -> Result<Option<Repair>> {
    let expected_len = found.lines * RECORD_LEN;
    let mut lost_lines = None;
    if checksums.len() > expected_len {
        // They, or whatever else it is, are all that is left of lines that were there. That is worth a report.
        lost_lines = Some(cut_torn_tail(disk, checksums, expected_len)?);
    }
    let (known_lines, known_end) = found.first_unrecorded.unwrap_or((found.lines, found.end));
    let known_len = known_lines * RECORD_LEN;
    if checksums.len() > known_len {
        checksums.truncate(known_len)?;
        // On the disk before anything is appended, or the old bytes might come back behind the new ones.
        checksums.sync()?;
    }
    append_checksums(log, checksums, known_end, found.end)?;
    Ok(lost_lines)
}

/// Appends the checksums of the lines between two offsets of the log.
fn append_checksums(log: &dyn File, checksums: &dyn File, from: u64, end: u64) -> Result<()> {
    let mut missing = Vec::new();
    let mut lines = Lines::new(log, from, end);
    while let Some(line) = lines.next_line()? {
        checksums::write(line.bytes, &mut missing);
        if missing.len() >= APPEND_LEN {
            checksums.append(&missing)?;
            missing.clear();
        }
    }
    if !missing.is_empty() {
        checksums.append(&missing)?;
    }
    Ok(())
}
