//! The logs of a wreck: every record that is whole, and on behind each that is not.

use logladder_engine::{Error, Result, Severity, Write};

use super::{Entry, Reader};
use crate::bytes;
use crate::files::{FileKind, HEADER_LEN, Header};
use crate::frame::{Frame, Tail, judge_tail};
use crate::log::take_write;
use crate::manifest::Manifest;

impl Reader<'_> {
    /// Reads the logs in the order of their numbers.
    ///
    /// # Errors
    ///
    /// One is of a newer version.
    pub(super) fn logs(&mut self) -> Result<()> {
        let logs = std::mem::take(&mut self.logs);
        let known: Vec<u64> = self.found.manifest.known_logs().collect();
        let is_whole = self.is_manifest_whole;
        for &log in known.iter().filter(|log| is_whole && !logs.contains_key(log)) {
            let name = FileKind::Log(log).name();
            self.is_missing = true;
            // One that cannot be read has been said to be.
            if !self.folder.entries.iter().any(|entry| entry.name == name) {
                self.say(Severity::Damage, &name, 0, "it is missing, and what it says is in no table");
            }
        }
        let mut expected = self.is_manifest_whole.then(|| self.found.manifest.last_sequence + 1);
        let newest = logs.last_key_value().map(|(number, _)| *number);
        for (number, bytes) in &logs {
            if known.contains(number) || !Header::is_unfinished(FileKind::Log(*number), bytes) {
                self.has_logs = true;
                expected = Some(self.log(*number, bytes, expected, newest == Some(*number))?);
            }
        }
        Ok(())
    }

    /// Reads one, which should begin with the write `expected`. Says which write comes next.
    fn log(&mut self, number: u64, bytes: &[u8], expected: Option<u64>, is_newest: bool) -> Result<u64> {
        let kind = FileKind::Log(number);
        let name = kind.name();
        let mut next = match Header::decode(&self.folder.path(&name), kind, bytes) {
            Ok(header) => {
                let found = header.first_sequence;
                if let Some(expected) = expected.filter(|expected| *expected != found) {
                    let what = format!("write {expected} belongs here, and this log begins with {found}");
                    self.say(Severity::Damage, &name, 0, what);
                    self.is_missing = true;
                }
                found
            }
            Err(error @ Error::UnsupportedVersion { .. }) => return Err(error),
            Err(error) => {
                self.say_error(&name, error);
                expected.unwrap_or(1)
            }
        };
        let mut at = HEADER_LEN;
        loop {
            match Frame::decode(bytes.get(at..).unwrap_or_default()) {
                Ok(frame) => {
                    if frame.sequence != next {
                        let what = format!("write {next} belongs here, and this is {}", frame.sequence);
                        self.say(Severity::Damage, &name, at as u64, what);
                    }
                    match writes(frame.body) {
                        Some(writes) if frame.sequence >= next => {
                            next = frame.sequence.saturating_add(writes.len() as u64);
                            let Manifest { log, last_sequence, .. } = self.found.manifest;
                            // What is in tables already is older than other tables, perhaps.
                            let said = if frame.sequence > last_sequence {
                                &mut self.wreck.memory
                            } else {
                                &mut self.wreck.earlier
                            };
                            if frame.sequence > last_sequence || number >= log {
                                self.wreck.report.records += writes.len() as u64;
                                for (key, value) in writes {
                                    said.entry(key).or_default().push(value);
                                }
                            }
                        }
                        Some(_) => {}
                        None => {
                            let what = "a write makes no sense, though its checksum matches";
                            self.say(Severity::Damage, &name, at as u64, what);
                        }
                    }
                    at += frame.len();
                }
                Err(flaw) => {
                    let tail = judge_tail(bytes, at, next);
                    if let Tail::Damaged { follower } = tail {
                        let what = format!(
                            "{flaw}, and a valid record follows at offset {follower}: what stands between is lost"
                        );
                        self.say(Severity::Damage, &name, at as u64, what);
                        at = follower;
                        // The frame there says how many writes are missing.
                        next = Frame::decode(&bytes[at..]).map_or(next, |frame| frame.sequence);
                        continue;
                    }
                    let is_whole = tail == Tail::Unused && (is_newest || at == bytes.len());
                    let synced = self.found.manifest.synced_len(number);
                    if (at as u64) < synced {
                        let what = format!(
                            "the manifest says that {synced} bytes of it were on the disk, and from here on they are not right"
                        );
                        self.say(Severity::Damage, &name, at as u64, what);
                    } else if !is_whole && is_newest {
                        let what = "a write was not finished; the next open cuts it off and keeps it beside the file";
                        self.say(Severity::Unfinished, &name, at as u64, what);
                    } else if !is_whole {
                        let what = "it is damaged: a log that another follows has no unfinished end";
                        self.say(Severity::Damage, &name, at as u64, what);
                    }
                    return Ok(next);
                }
            }
        }
    }
}

/// The writes of a record. `None` if they make no sense.
pub(super) fn writes(body: &[u8]) -> Option<Vec<Entry>> {
    let mut fields = bytes::Reader::new(body);
    let mut writes = Vec::new();
    while !fields.is_empty() {
        writes.push(match take_write(&mut fields)? {
            Write::Set(key, value) => (key.to_vec(), Some(value.to_vec())),
            Write::Delete(key) => (key.to_vec(), None),
        });
    }
    (!writes.is_empty()).then_some(writes)
}
