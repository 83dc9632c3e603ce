//! The layout of a log of lines: scan-log, and replay-log with its snapshots.
//!
//! The lines are read from the newest to the oldest. The first line met of a key is the one that counts, so what is said of
//! a line is right even where only the end of a long log is read.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use logladder::{Field, Stage, replay_log};
use logladder_disk::{Disk, Entry};
use logladder_engine::Result;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::layout::{
    Class, FileView, Layout, MOST_PLACES, Newest, Place, Record, WINDOW, in_words, read_part, shown,
};

/// A part of a file, before it is known what of it counts.
struct Piece {
    at: u64,
    bytes: Vec<u8>,
    kind: &'static str,
    /// None if it cannot be read.
    changes: Option<Vec<Change>>,
}

type Change = (Vec<u8>, Option<Vec<u8>>);

/// A file of the log, cut up.
struct Cut {
    /// Bytes before the first piece that were not read.
    unread: u64,
    pieces: Vec<Piece>,
    /// Runs that are no records: what a snapshot has around them.
    frame: Vec<(u64, u64)>,
}

pub(super) fn look(stage: &Stage, disk: &dyn Disk, dir: &Path, entries: &[Entry]) -> Layout {
    let mut layout = Layout::default();
    let logs = logs_of(stage, disk, dir, entries, &mut layout);
    let mut seen = HashSet::new();
    let mut budget = WINDOW;
    let mut cut_up = BTreeMap::new();
    for name in logs.iter().rev() {
        let Some(entry) = entries.iter().find(|entry| entry.name == *name) else {
            layout.trouble.get_or_insert_with(|| format!("{name} is missing"));
            continue;
        };
        let cut = match cut(stage, disk, dir, entry, budget) {
            Ok(cut) => cut,
            Err(error) => {
                layout.trouble.get_or_insert_with(|| error.to_string());
                Cut { unread: entry.len, pieces: Vec::new(), frame: Vec::new() }
            }
        };
        budget = budget.saturating_sub(entry.len - cut.unread.min(entry.len));
        if cut.unread > 0 {
            layout.left_out.push(format!("the first {} bytes of {name} were not read", cut.unread));
        }
        if layout.newest.is_none() {
            layout.newest = cut.pieces.last().and_then(|piece| newest(stage, name, piece));
        }
        cut_up.insert(name.as_str(), judged(name, cut, &mut seen, &mut layout));
    }
    for entry in entries {
        layout.files.push(match cut_up.remove(entry.name.as_str()) {
            Some(records) => FileView::of_records(entry, role(&entry.name), records),
            None => FileView::other(entry, role(&entry.name)),
        });
    }
    layout
}

/// Says of each piece whether it counts, from the newest on.
fn judged(name: &str, cut: Cut, seen: &mut HashSet<Vec<u8>>, layout: &mut Layout) -> Vec<Record> {
    let mut records = Vec::new();
    for piece in cut.pieces.into_iter().rev() {
        let len = piece.bytes.len() as u64;
        let Some(changes) = piece.changes else {
            let what = format!("{name}: the {len} bytes from {} on cannot be read", piece.at);
            layout.trouble.get_or_insert(what);
            records.push(Record::plain(piece.at, len, Class::Torn, "unfinished or damaged"));
            continue;
        };
        let mut class = Class::Dead;
        for (key, value) in changes.iter().rev() {
            if !seen.insert(key.clone()) {
                continue;
            }
            if value.is_none() {
                class = if class == Class::Live { class } else { Class::Tombstone };
                continue;
            }
            class = Class::Live;
            layout.keys += 1;
            if layout.places.len() < MOST_PLACES {
                layout.places.push(Place::new(key, name, piece.at, len));
            }
        }
        let (key, value) = match changes.as_slice() {
            [(key, value)] => (shown(key), value.as_deref().map(shown)),
            several => (format!("{} writes", several.len()), None),
        };
        let kind = piece.kind;
        records.push(Record { at: piece.at, len, class, kind, key: Some(key), value, sequence: None });
    }
    let frame = |&(at, len): &(u64, u64)| Record::plain(at, len, Class::Frame, "frame");
    records.extend(cut.frame.iter().map(frame));
    if cut.unread > 0 {
        records.push(Record::plain(0, cut.unread, Class::Unread, "not read"));
    }
    records.sort_by_key(|record| record.at);
    records
}

/// The files of the log, the oldest first.
fn logs_of(
    stage: &Stage,
    disk: &dyn Disk,
    dir: &Path,
    entries: &[Entry],
    layout: &mut Layout,
) -> Vec<String> {
    if stage.name == "scan-log" {
        let log = logladder::scan_log::LOG_FILE;
        return entries.iter().filter(|entry| entry.name == log).map(|entry| entry.name.clone()).collect();
    }
    let Some(manifest) = entries.iter().find(|entry| entry.name == "MANIFEST") else {
        let is_log = |entry: &&Entry| role(&entry.name) == LINES;
        return entries.iter().filter(is_log).map(|entry| entry.name.clone()).collect();
    };
    let bytes = match read_part(disk, &dir.join(&manifest.name), 0, WINDOW) {
        Ok(bytes) => bytes,
        Err(error) => {
            layout.trouble = Some(error.to_string());
            return Vec::new();
        }
    };
    let listed = |field: &Field| {
        let line = str::from_utf8(bytes.get(field.bytes.clone())?).ok()?;
        matches!(field.name, "base" | "log").then(|| line.split(' ').nth(1).map(str::to_owned))?
    };
    stage.describe(&manifest.name, &bytes).iter().filter_map(listed).collect()
}

const LINES: &str = "a line for each change";

/// What a file is, by its name.
fn role(name: &str) -> &'static str {
    let ends = |with: &str| name.ends_with(with);
    match name {
        "store.json" => "the log: a line for each set and delete",
        "store.json.crc32" => "a checksum for each line",
        "MANIFEST" => "which files are the store",
        "LOGLADDER" => "the lock",
        _ if name.contains(".torn-") => "what a repair cut off, kept",
        _ if ends(".sums") => "checksums of what was synced",
        _ if ends(".snapshot") => "the base: the store at one moment",
        _ if name.starts_with("base-") && ends(".aof") => "the base: lines of a rewrite",
        _ if ends(".aof") => LINES,
        _ => "another file",
    }
}

fn cut(stage: &Stage, disk: &dyn Disk, dir: &Path, entry: &Entry, budget: u64) -> Result<Cut> {
    let path = dir.join(&entry.name);
    let is_snapshot = Path::new(&entry.name).extension().is_some_and(|extension| extension == "snapshot");
    if is_snapshot && entry.len > budget {
        return Ok(Cut { unread: entry.len, pieces: Vec::new(), frame: Vec::new() });
    }
    let mut start = entry.len.saturating_sub(budget);
    let mut bytes = read_part(disk, &path, start, budget)?;
    if is_snapshot {
        return Ok(cut_snapshot(stage, &entry.name, &bytes));
    }
    if start > 0 {
        // It may begin in the middle of a line.
        let skipped = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes.drain(..skipped);
        start += skipped as u64;
    }
    let mut cut = Cut { unread: start, pieces: Vec::new(), frame: Vec::new() };
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let changes = changes_of(stage, line);
        let kind = match changes.as_deref() {
            Some([(_, Some(_))]) => "set",
            Some([(_, None)]) => "delete",
            _ => "batch",
        };
        cut.pieces.push(Piece { at: start, bytes: line.to_vec(), kind, changes });
        start += line.len() as u64;
    }
    Ok(cut)
}

/// What a line does.
fn changes_of(stage: &Stage, line: &[u8]) -> Option<Vec<Change>> {
    if stage.name == "replay-log" {
        let changes = replay_log::changes_of(line.strip_suffix(b"\n")?).ok()?;
        return Some(
            changes
                .into_iter()
                .map(|change| (change.key.into_owned(), change.value.map(Into::into)))
                .collect(),
        );
    }
    let fields = stage.describe(logladder::scan_log::LOG_FILE, line);
    let text = |name| {
        let field = fields.iter().find(|field| field.name == name)?;
        line.get(field.bytes.clone())
    };
    let key = logladder_json::decode(text("key")?).ok()?.into_owned();
    let value = match text("deleted")?.trim_ascii() {
        b"true" => None,
        _ => Some(logladder_json::decode(text("value")?).ok()?.into_owned()),
    };
    Some(vec![(key, value)])
}

/// The entries of a snapshot, each from the length of its key to its value.
fn cut_snapshot(stage: &Stage, name: &str, bytes: &[u8]) -> Cut {
    let fields = stage.describe(name, bytes);
    let mut cut = Cut { unread: 0, pieces: Vec::new(), frame: Vec::new() };
    let mut start = 0;
    let mut covered = 0;
    let part = |range: std::ops::Range<usize>| bytes.get(range).unwrap_or_default().to_vec();
    let mut frame = |from: usize, to: usize, pieces: &mut Vec<Piece>| {
        if pieces.is_empty() && from == 0 && fields.len() == 1 {
            return pieces.push(Piece { at: 0, bytes: part(0..to), kind: "", changes: None });
        }
        if to > from {
            cut.frame.push((from as u64, (to - from) as u64));
        }
    };
    for (place, field) in fields.iter().enumerate() {
        if field.name == "key length" {
            start = field.bytes.start;
        }
        let is_entry = field.name == "key" && fields.get(place + 1).is_some_and(|next| next.name == "value");
        // An empty value has no field of its own.
        let lengths = place.checked_sub(1).and_then(|before| fields.get(before));
        let is_empty = lengths.is_some_and(|before| before.name == "value length" && before.meaning == "0");
        if !(is_entry || field.name == "key" && is_empty) {
            continue;
        }
        let value = if is_empty { field.bytes.end..field.bytes.end } else { fields[place + 1].bytes.clone() };
        frame(covered, start, &mut cut.pieces);
        covered = value.end;
        let changes = Some(vec![(part(field.bytes.clone()), Some(part(value.clone())))]);
        cut.pieces.push(Piece { at: start as u64, bytes: part(start..value.end), kind: "entry", changes });
    }
    frame(covered, bytes.len(), &mut cut.pieces);
    cut
}

/// The members of a line of an append-only file.
#[derive(Deserialize)]
struct Members<'l> {
    #[serde(borrow)]
    operation: &'l RawValue,
    #[serde(borrow)]
    key: Option<&'l RawValue>,
    #[serde(borrow)]
    value: Option<&'l RawValue>,
    #[serde(borrow)]
    writes: Option<&'l RawValue>,
}

fn newest(stage: &Stage, file: &str, piece: &Piece) -> Option<Newest> {
    let changes = piece.changes.as_deref()?;
    let text = match changes {
        [(key, Some(value))] if piece.kind == "entry" => {
            format!(
                "the last entry of the base, {} = {}, since the log behind it is empty",
                shown(key),
                shown(value)
            )
        }
        [(key, value)] => in_words(&shown(key), value.as_deref().map(shown).as_deref()),
        several => format!("{} writes in one batch", several.len()),
    };
    let line = &piece.bytes;
    let fields = match stage.name {
        "scan-log" => stage.describe(logladder::scan_log::LOG_FILE, line),
        _ if piece.kind == "entry" => entry_fields(changes)?,
        _ => members(line).unwrap_or_default(),
    };
    Some(Newest::of(file, piece.at, line, text, fields))
}

/// The fields of an entry of a snapshot: see `formats/replay-log.md`.
fn entry_fields(changes: &[Change]) -> Option<Vec<Field>> {
    let [(key, Some(value))] = changes else { return None };
    let behind_key = 6 + key.len();
    Some(vec![
        Field::new(0..2, "key length", key.len().to_string()),
        Field::new(2..6, "value length", value.len().to_string()),
        Field::new(6..behind_key, "key", shown(key)),
        Field::new(behind_key..behind_key + value.len(), "value", shown(value)),
    ])
}

fn members(line: &[u8]) -> Option<Vec<Field>> {
    let members: Members<'_> = serde_json::from_slice(line).ok()?;
    let field = |name, part: &RawValue, meaning: String| {
        let start = part.get().as_ptr().addr().checked_sub(line.as_ptr().addr())?;
        Some(Field::new(start..start + part.get().len(), name, meaning))
    };
    let does = match members.operation.get() {
        r#""SET""# => "the key has this value from here on",
        r#""DEL""# => "the key has no value from here on",
        _ => "several writes, all or none",
    };
    let mut fields = vec![field("operation", members.operation, does.to_owned())?];
    let others = [("key", members.key), ("value", members.value), ("writes", members.writes)];
    for (name, part) in others {
        if let Some(part) = part {
            fields.push(field(name, part, shown(part.get().as_bytes()))?);
        }
    }
    if line.ends_with(b"\n") {
        fields.push(Field::new(line.len() - 1..line.len(), "end", "a line feed"));
    }
    fields.sort_by_key(|field| field.bytes.start);
    Some(fields)
}
