//! Checking a segment: its header, its records, its footer, and what opening would say of it.

use logladder_disk::Map;
use logladder_engine::{Problem, Result, Severity};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::Checker;
use crate::Hints;
use crate::evidence::Listed;
use crate::files::{MANIFEST, is_interrupted_copy, is_older_than, segment_name};
use crate::format::header::{FOOTER_LEN, SEGMENT_HEADER_LEN, SegmentHeader};
use crate::format::record::Record;
use crate::format::{Flaw, index};
use crate::runs::{Order, Run, RunStop, runs};
use crate::scan::{self, Stop, Survey, Tail};
use crate::tail::TailSegment;

impl Checker<'_> {
    /// Checks a segment, whether or not it is one of the store's.
    pub(super) fn segment(&mut self, id: u64, bytes: Vec<u8>) -> Result<()> {
        let (name, path) = (segment_name(id), self.folder.path(&segment_name(id)));
        let header = SegmentHeader::decode(&path, self.evidence.mark, id, &bytes);
        let listed = self.evidence.listed(id);
        let is_empty = scan::is_zero_from(&bytes, SEGMENT_HEADER_LEN as u64);
        if is_empty && matches!(listed, Listed::Nowhere | Listed::NoList) {
            self.say(Severity::Remark, &name, 0, "it is empty, and not part of the store");
            return Ok(());
        }
        let is_foreign = self.evidence.is_foreign(&bytes);
        let header = match header {
            Ok(header) => Some(header),
            Err(error) => {
                let severity = if listed == Listed::Before && !is_foreign {
                    Severity::Harmless
                } else {
                    Severity::Damage
                };
                self.report.problems.push(Problem::of_error(severity, &path, error));
                None
            }
        };
        if is_foreign {
            return Ok(());
        }
        match listed {
            Listed::Before => {
                let what =
                    "the manifest no longer lists it: compaction left it, and the next open removes it";
                self.say(Severity::Remark, &name, 0, what);
            }
            Listed::Nowhere if !self.is_interrupted_copy(header.as_ref(), &bytes) => {
                self.say(Severity::Damage, MANIFEST, 0, is_older_than(id));
            }
            Listed::Nowhere => {
                let what = "compaction was interrupted before it was listed, and the next open removes it";
                self.say(Severity::Remark, &name, 0, what);
            }
            Listed::Sealed | Listed::Tail | Listed::NoList => self.records(&name, listed, header, bytes)?,
        }
        Ok(())
    }

    fn is_interrupted_copy(&self, header: Option<&SegmentHeader>, bytes: &[u8]) -> bool {
        (header.zip(self.evidence.manifest.as_ref()))
            .is_some_and(|(header, manifest)| is_interrupted_copy(manifest, header, bytes))
    }

    /// Checks the records of a segment of the store, and counts them.
    fn records(
        &mut self,
        name: &str,
        listed: Listed,
        header: Option<SegmentHeader>,
        bytes: Vec<u8>,
    ) -> Result<()> {
        let runs = runs(&bytes, &Order::of(&bytes, header.as_ref()));
        let survey = header.map(|header| scan::survey(&bytes, &header, |_| Ok(()))).transpose()?;
        let first = survey.as_ref().and_then(|survey| first_problem(survey, &bytes, listed));
        let mut end = bytes.len();
        if let Some((severity, offset, what)) = &first {
            let what = format!("{what}{}", follower(&runs, *offset));
            self.say(*severity, name, *offset as u64, what);
            if *severity == Severity::Unfinished {
                end = *offset;
            }
        }
        let known = first.as_ref().map(|(_, offset, _)| *offset);
        for run in runs.iter().filter(|run| run.end < end && known.is_none_or(|known| run.end > known)) {
            if let RunStop::Flaw(flaw) = run.stop {
                let what = format!("{flaw}{}", follower(&runs, run.end));
                self.say(Severity::Damage, name, run.end as u64, what);
            }
        }
        for run in &runs {
            for (_, record) in run.records(&bytes).filter(|(offset, _)| *offset < end) {
                self.count(&record);
            }
        }
        if let Some(header) = header.filter(|_| listed == Listed::Tail) {
            // Its own problems have been said; this is for what it says together with the others.
            let map = Map::of_bytes(bytes.into());
            self.tail.extend(TailSegment::look(self.folder.path(name), header, map, Hints::WhereSmall).ok());
        }
        Ok(())
    }

    fn count(&mut self, record: &Record<'_>) {
        if !record.header.kind.has_key() {
            return;
        }
        self.report.records += 1;
        let mut hasher = SipHasher13::new_with_key(&self.evidence.hash_key());
        std::hash::Hasher::write(&mut hasher, record.key);
        let hash = hasher.finish128();
        let found = (record.header.sequence, record.live_value().is_some());
        let newest = self.newest.entry([hash.h1, hash.h2]).or_insert(found);
        *newest = found.max(*newest);
    }

    /// That the segments of the tail follow each other, as opening asks of them.
    pub(super) fn tail_as_a_whole(&mut self) {
        let tail = std::mem::take(&mut self.tail);
        if self.evidence.manifest.as_ref().is_none_or(|manifest| manifest.tail.len() != tail.len()) {
            // One is damaged or missing, which has been said: no wonder if it does not lead to the next.
            return;
        }
        let had_records: Vec<bool> = tail.iter().map(|segment| !segment.is_empty()).collect();
        match TailSegment::judge(tail) {
            Err(error) => {
                let path = self.folder.path(MANIFEST);
                self.report.problems.push(Problem::of_error(Severity::Damage, &path, error));
            }
            Ok(judged) => {
                for (segment, _) in
                    judged.iter().zip(had_records).filter(|(segment, had)| *had && segment.is_empty())
                {
                    let what = "a loss of power took records before these, and the next open cuts these off";
                    self.say(
                        Severity::Unfinished,
                        &segment_name(segment.header.id),
                        SEGMENT_HEADER_LEN as u64,
                        what,
                    );
                }
            }
        }
    }
}

/// The first thing that is wrong with a segment whose header is right: how bad, where, what.
fn first_problem(survey: &Survey, bytes: &[u8], listed: Listed) -> Option<(Severity, usize, String)> {
    let end = index(survey.footer.data_len);
    let damage = |offset: usize, flaw: Flaw| Some((Severity::Damage, offset, flaw.to_string()));
    let behind = end.saturating_add(FOOTER_LEN);
    if listed == Listed::Sealed {
        return match survey.check_sealed() {
            Err(flaw) => damage(end, flaw),
            Ok(()) if behind < bytes.len() => damage(behind, Flaw::BehindFooter),
            Ok(()) => None,
        };
    }
    match survey.stop {
        Stop::End => None,
        Stop::Footer(_) => match survey.check_sealed() {
            Err(flaw) => damage(end, flaw),
            Ok(()) if !scan::is_zero_from(bytes, behind as u64) => damage(behind, Flaw::BehindFooter),
            Ok(()) => None,
        },
        Stop::Flaw(flaw @ (Flaw::Sequence { .. } | Flaw::Footer)) => damage(end, flaw),
        Stop::Flaw(flaw) => match scan::judge_tail(bytes, end, survey.footer.next_sequence) {
            Tail::Unused => None,
            Tail::Torn { .. } => {
                Some((Severity::Unfinished, end, format!("{flaw}: a write was not finished")))
            }
            Tail::Damaged { .. } => damage(end, flaw),
        },
    }
}

/// Where it goes on behind a flaw at `offset`.
fn follower(runs: &[Run], offset: usize) -> String {
    match runs.iter().find(|run| run.start > offset || run.start == offset && run.end > offset) {
        Some(next) => format!(", and a valid one follows at offset {}", next.start),
        None => String::new(),
    }
}
