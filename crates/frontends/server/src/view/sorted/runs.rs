//! The fields of a log or a table put together: a write, an entry, the end of a block, a filter.

use logladder::Field;

use super::super::layout::shown;

/// Bytes of a frame of the log before its writes.
const FRAME_LEN: u64 = 16;

/// The keys of a table are put together again up to so many bytes. Every sixteenth entry has its whole key, so that those of a
/// table that was written as it should be, and is no longer than what is read, are fewer.
const MOST_KEY_BYTES: usize = 8 << 20;

/// Bytes that belong together.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) at: u64,
    pub(super) len: u64,
    pub(super) kind: &'static str,
    /// The key, and the value as it is shown; no value if it is a delete. None for what is no write.
    pub(super) write: Option<(Vec<u8>, Option<String>)>,
    pub(super) sequence: Option<u64>,
    /// Whether a checksum is another's, or it makes no sense.
    pub(super) is_damaged: bool,
}

impl Run {
    fn begun_by(field: &Field, kind: &'static str) -> Self {
        let at = field.bytes.start as u64;
        let is_damaged = kind == "unfinished or damaged";
        Self { at, len: field.bytes.len() as u64, kind, write: None, sequence: None, is_damaged }
    }

    fn end_with(&mut self, field: &Field) {
        self.len = (field.bytes.end as u64).saturating_sub(self.at);
    }
}

fn is_bad_sum(field: &Field) -> bool {
    field.name.ends_with("checksum") && field.meaning == "does not match"
}

/// The number that a meaning such as `7 bytes` begins with.
fn number(field: &Field) -> u64 {
    field.meaning.split([' ', ',']).next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Of a log: its header, then each write. One that is alone in its frame is a run with the head of it; the head of a
/// batch is a run of its own.
pub(super) fn of_log(fields: &[Field], bytes: &[u8]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    // Of the frame: the number of its next write, how many there were, whether its checksum is wrong.
    let (mut sequence, mut writes, mut is_damaged) = (0, 0_u32, false);
    for field in fields {
        let content = || bytes.get(field.bytes.clone()).unwrap_or_default();
        match field.name {
            "magic" => runs.push(Run::begun_by(field, "header")),
            "reserve" => runs.push(Run::begun_by(field, "reserve")),
            "rest" => runs.push(Run::begun_by(field, "unfinished or damaged")),
            "length" => {
                (writes, is_damaged) = (0, false);
                runs.push(Run::begun_by(field, "batch"));
            }
            "key length and kind" => {
                if writes == 1 {
                    part_from_head(&mut runs);
                }
                if writes > 0 {
                    runs.push(Run { is_damaged, ..Run::begun_by(field, "set") });
                }
                writes += 1;
                let Some(run) = runs.last_mut() else { continue };
                let is_set = field.meaning.ends_with("set");
                run.kind = if is_set { "set" } else { "delete" };
                run.write = Some((Vec::new(), is_set.then(String::new)));
                run.sequence = Some(sequence);
                sequence += 1;
                run.end_with(field);
            }
            _ => {
                let Some(run) = runs.last_mut() else { continue };
                run.end_with(field);
                run.is_damaged |= is_bad_sum(field);
                match (field.name, &mut run.write) {
                    ("checksum", _) => is_damaged = run.is_damaged,
                    ("sequence", _) => sequence = number(field),
                    ("key", Some((key, _))) => *key = content().to_vec(),
                    ("value", Some((_, value))) => *value = Some(shown(content())),
                    _ => {}
                }
            }
        }
    }
    runs
}

/// Makes two runs of the last: the head of its frame, and the first of its writes.
fn part_from_head(runs: &mut Vec<Run>) {
    let Some(first) = runs.pop() else { return };
    let is_damaged = first.is_damaged;
    runs.push(Run { at: first.at, len: FRAME_LEN, kind: "batch", write: None, sequence: None, is_damaged });
    runs.push(Run { at: first.at + FRAME_LEN, len: first.len.saturating_sub(FRAME_LEN), ..first });
}

/// Of a table: its header, each entry, the end of each block, the filter, the index, the footer.
pub(super) fn of_table(fields: &[Field], bytes: &[u8]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut before, mut block, mut key, mut key_bytes) = ("", 0, Vec::new(), 0);
    for field in fields {
        let content = bytes.get(field.bytes.clone()).unwrap_or_default();
        let within = runs.last().map_or("", |run| run.kind);
        if let Some(kind) = begins(field, within, before) {
            if matches!(kind, "set" | "compressed block") && matches!(within, "header" | "end of a block") {
                block = runs.len();
            }
            runs.push(Run::begun_by(field, kind));
        }
        before = field.name;
        let Some(run) = runs.last_mut() else { continue };
        run.end_with(field);
        match field.name {
            "shared" => key.truncate(usize::try_from(number(field)).unwrap_or(usize::MAX)),
            "value length and kind" => {
                let is_set = field.meaning != "a tombstone";
                run.kind = if is_set { "set" } else { "tombstone" };
                run.write = Some((key.clone(), is_set.then(String::new)));
            }
            "key tail" => {
                key.extend_from_slice(content);
                key_bytes += key.len();
                run.is_damaged |= key_bytes > MOST_KEY_BYTES;
                match &mut run.write {
                    Some((whole, _)) if !run.is_damaged => whole.clone_from(&key),
                    _ => {}
                }
            }
            "value" => {
                if let Some((_, value)) = &mut run.write {
                    *value = Some(shown(content));
                }
            }
            _ if is_bad_sum(field) && run.kind == "end of a block" => {
                // It covers all of the block.
                runs.iter_mut().skip(block).for_each(|run| run.is_damaged = true);
            }
            _ => run.is_damaged |= is_bad_sum(field),
        }
    }
    runs
}

/// Which run begins with this field, if one does: `within` which it else would be, and behind which field it stands.
fn begins(field: &Field, within: &str, before: &str) -> Option<&'static str> {
    match (field.name, within) {
        ("magic", "") => Some("header"),
        ("shared", _) => Some("set"),
        ("compressed entries", _) => Some("compressed block"),
        ("restart" | "restarts", "set" | "tombstone") | ("compression", "compressed block") => {
            Some("end of a block")
        }
        // One without a filter has its checksum all the same.
        ("filter", _) => Some("filter"),
        ("checksum", "end of a block") if before == "checksum" => Some("filter"),
        ("key length", "filter") => Some("index"),
        ("filter at", _) => Some("footer"),
        ("rest", _) => Some("unfinished or damaged"),
        _ => None,
    }
}
