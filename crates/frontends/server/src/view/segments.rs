//! The layout of a hash-log: its segments, and what the index points to.
//!
//! What counts is asked of the index itself, as a [`Reader`] builds it from the files.

use std::path::Path;
use std::sync::Arc;

use logladder::Field;
use logladder::hash_log::{self, Options, Reader, SegmentUsage};
use logladder_disk::{Disk, Entry};
use logladder_engine::Result;

use super::layout::{
    Class, FileView, Layout, MOST_FILES, MOST_PLACES, MOST_RECORDS, Newest, Place, Record, Totals, WINDOW,
    in_words, read_part, shown,
};

/// Bytes of a segment before its first record.
const HEADER_LEN: u64 = 32;
/// Bytes of the record that seals a segment.
const FOOTER_LEN: u64 = 44;
/// Of a segment with too many records to show, so many bytes are read to find some of its keys.
const SAMPLE: u64 = 8 << 10;
/// Bytes of a record before its key.
const RECORD_HEADER_LEN: u64 = 16;

/// A record as the fields of its segment have it.
struct Found {
    at: u64,
    len: u64,
    kind: &'static str,
    key: Vec<u8>,
    value: Vec<u8>,
    is_delete: bool,
    sequence: u64,
    /// How long it is by its own lengths.
    expected_len: u64,
    /// Whether its checksum is another's.
    is_damaged: bool,
}

pub(super) fn look(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    entries: &[Entry],
    reader: &mut Option<Reader>,
    recent: &[Vec<u8>],
) -> Layout {
    let mut layout = Layout::default();
    let has_manifest = entries.iter().any(|entry| entry.name == "MANIFEST");
    let usage = if has_manifest { usage(disk, dir, reader) } else { Ok(Vec::new()) };
    let index = match &usage {
        Ok(_) => reader.as_ref().filter(|_| has_manifest),
        Err(error) => {
            layout.trouble = Some(error.to_string());
            None
        }
    };
    let usage = usage.unwrap_or_default();
    layout.keys = index.map_or(0, Reader::live_keys);
    let mut places = Vec::new();
    let segments = entries.iter().filter(|entry| id_of(&entry.name).is_some()).count();
    for entry in entries {
        let Some(id) = id_of(&entry.name) else {
            layout.files.push(FileView::other(entry, role(&entry.name)));
            continue;
        };
        let is_shown = layout.files.len() + MOST_FILES >= segments;
        let state = State { index, usage: usage.iter().find(|usage| usage.id == id), id, is_shown };
        let found = state.segment(&**disk, dir, entry, &mut layout, &mut places);
        layout.files.push(found.unwrap_or_else(|error| {
            layout.trouble.get_or_insert_with(|| error.to_string());
            FileView::of_records(
                entry,
                "a segment",
                vec![Record::plain(0, entry.len, Class::Unread, "not read")],
            )
        }));
    }
    if !shows_the_newest(&layout, &usage) {
        layout.newest = None;
    }
    if let Some(index) = index {
        let newest = seek(index, &**disk, dir, recent, &mut places);
        layout.newest = layout.newest.or(newest);
    }
    places.sort_by_key(|(sequence, _)| std::cmp::Reverse(*sequence));
    places.truncate(MOST_PLACES);
    layout.places = places.into_iter().map(|(_, place)| place).collect();
    layout
}

/// Whether the newest record is among those that were looked at: all of them, or all of the segment that grows.
fn shows_the_newest(layout: &Layout, usage: &[SegmentUsage]) -> bool {
    let is_whole = |id| layout.files.iter().any(|file| file.is_whole && id_of(&file.name) == Some(id));
    let grows = |usage: &&SegmentUsage| !usage.is_sealed && usage.bytes > 0;
    layout.files.iter().all(|file| file.is_whole)
        || usage.iter().rfind(grows).is_some_and(|last| is_whole(last.id))
}

/// What the index says of each segment, after catching up.
fn usage(disk: &Arc<dyn Disk>, dir: &Path, reader: &mut Option<Reader>) -> Result<Vec<SegmentUsage>> {
    match reader {
        Some(known) => {
            if let Err(error) = known.refresh() {
                *reader = None;
                return Err(error);
            }
        }
        None => *reader = Some(Reader::open_on(Arc::clone(disk), dir, Options::default())?),
    }
    reader.as_ref().map_or_else(|| Ok(Vec::new()), Reader::segments)
}

/// What is known of a segment before its records are looked at.
struct State<'r> {
    /// None if it cannot be had.
    index: Option<&'r Reader>,
    /// None if the segment is no part of the store.
    usage: Option<&'r SegmentUsage>,
    id: u64,
    is_shown: bool,
}

impl State<'_> {
    fn role(&self) -> &'static str {
        match (self.index, self.usage) {
            (None, _) => "a segment",
            (_, None) => "not in the manifest: a copy under way, or left behind",
            (_, Some(usage)) if usage.is_sealed => "sealed: it never changes again",
            _ => "active: new records go here",
        }
    }

    fn class(&self, found: &Found) -> Class {
        match (self.index, self.usage) {
            _ if found.is_damaged => Class::Torn,
            (None, _) => Class::Unread,
            (_, None) => Class::Loose,
            _ if found.kind == "batch" || found.kind == "footer" => Class::Frame,
            _ if found.is_delete => Class::Tombstone,
            (Some(index), _) if index.points_to(&found.key, self.id, found.at) => Class::Live,
            _ => Class::Dead,
        }
    }

    /// The segment cut into records, as far as they are shown; and where keys lie, with the numbers of their records.
    fn segment(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        entry: &Entry,
        layout: &mut Layout,
        places: &mut Vec<(u64, Place)>,
    ) -> Result<FileView> {
        let used = self.usage.map_or(entry.len, |usage| HEADER_LEN + usage.bytes + FOOTER_LEN).min(entry.len);
        let is_whole = self.is_shown && used <= WINDOW;
        let window = match self.usage {
            // A little more, to see whether the rest is reserve.
            Some(_) if is_whole => used + HEADER_LEN,
            None if self.is_shown => WINDOW,
            _ => SAMPLE,
        };
        let bytes = read_part(disk, &dir.join(&entry.name), 0, window)?;
        let fields = hash_log::describe(&entry.name, &bytes);
        let (founds, rest) = records(&fields, &bytes);
        if fields.is_empty() && entry.len > 0 {
            let what = format!("{}: it does not begin as a segment does", entry.name);
            layout.trouble.get_or_insert(what);
            let torn = Record::plain(0, entry.len, Class::Torn, "unfinished or damaged");
            return Ok(FileView::of_records(entry, self.role(), vec![torn]));
        }
        let mut runs = Vec::new();
        let mut end = founds.first().map_or(rest.map_or(bytes.len() as u64, |(at, _)| at), |first| first.at);
        runs.push(Record::plain(0, end, Class::Frame, "header"));
        for found in &founds {
            end = found.at + found.len;
            let class = self.class(found);
            if class == Class::Torn {
                let what = format!("{}: the checksum of the record at {} is another's", entry.name, found.at);
                layout.trouble.get_or_insert(what);
            }
            if class == Class::Live && self.index.is_some_and(|index| is_newest(index, self.id, found)) {
                places.push((found.sequence, Place::new(&found.key, &entry.name, found.at, found.len)));
            }
            self.note_newest(entry, &bytes, found, layout);
            let has_key = !matches!(found.kind, "batch" | "footer");
            let value = (has_key && !found.is_delete).then(|| shown(&found.value));
            let key = has_key.then(|| shown(&found.key));
            let sequence = Some(found.sequence);
            runs.push(Record { at: found.at, len: found.len, class, kind: found.kind, key, value, sequence });
        }
        let left = entry.len.saturating_sub(end);
        match rest {
            Some((_, "reserve")) => runs.push(Record::plain(end, left, Class::Reserve, "reserve")),
            _ if left == 0 => {}
            _ if !is_whole => runs.push(Record::plain(end, left, Class::Unread, "not read")),
            _ => {
                let what = format!("{}: the {left} bytes from {end} on are no record", entry.name);
                layout.trouble.get_or_insert(what);
                runs.push(Record::plain(end, left, Class::Torn, "unfinished or damaged"));
            }
        }
        let ends_in_reserve = runs.last().is_some_and(|last| last.class == Class::Reserve);
        if (is_whole || self.usage.is_none() && ends_in_reserve) && runs.len() <= MOST_RECORDS {
            return Ok(FileView::of_records(entry, self.role(), runs));
        }
        Ok(self.sampled(entry))
    }

    /// A segment that has too many records to show. The index knows what of all of it counts.
    fn sampled(&self, entry: &Entry) -> FileView {
        let mut totals = Totals::default();
        match self.usage {
            Some(usage) => {
                let dead = usage.bytes.saturating_sub(usage.live_bytes).saturating_sub(usage.tombstone_bytes);
                totals.add(Class::Live, usage.live_bytes);
                totals.add(Class::Tombstone, usage.tombstone_bytes);
                totals.add(Class::Dead, dead);
                let around = entry.len.saturating_sub(usage.bytes);
                if usage.is_sealed {
                    totals.add(Class::Frame, around);
                } else {
                    totals.add(Class::Frame, around.min(HEADER_LEN));
                    totals.add(Class::Reserve, around.saturating_sub(HEADER_LEN));
                }
            }
            None => totals.add(Class::Unread, entry.len),
        }
        let (name, bytes) = (entry.name.clone(), entry.len);
        FileView {
            name,
            role: self.role(),
            group: None,
            note: None,
            is_log: true,
            bytes,
            totals,
            records: Vec::new(),
            is_whole: false,
        }
    }

    /// Keeps the record if it is newer than what is kept.
    fn note_newest(&self, entry: &Entry, bytes: &[u8], found: &Found, layout: &mut Layout) {
        let is_of_the_store = self.usage.is_some() || self.index.is_none();
        let is_written = !matches!(found.kind, "batch" | "footer");
        // Of a record that compaction has copied, the copy is no newer.
        if !is_of_the_store || !is_written || layout.newest_sequence >= Some(found.sequence) {
            return;
        }
        let Some(record) = part(bytes, found.at, found.len) else { return };
        let Some(header) = part(bytes, 0, HEADER_LEN) else { return };
        layout.newest_sequence = Some(found.sequence);
        layout.newest = Some(newest(&entry.name, header, record, found));
    }
}

fn part(bytes: &[u8], at: u64, len: u64) -> Option<&[u8]> {
    let at = usize::try_from(at).ok()?;
    bytes.get(at..at.checked_add(usize::try_from(len).ok()?)?)
}

fn is_newest(index: &Reader, id: u64, found: &Found) -> bool {
    matches!(index.place_of(&found.key), Ok(Some(place)) if place == (id, found.at))
}

/// The fields of one record: it is described behind the header of its segment, as if it were the first.
fn newest(file: &str, header: &[u8], record: &[u8], found: &Found) -> Newest {
    let alone = [header, record].concat();
    let shift = header.len();
    let within = |field: Field| {
        let start = field.bytes.start.checked_sub(shift)?;
        Some(Field { bytes: start..field.bytes.end - shift, ..field })
    };
    let fields = hash_log::describe(file, &alone).into_iter().filter_map(within).collect();
    let value = (!found.is_delete).then(|| shown(&found.value));
    Newest::of(file, found.at, record, in_words(&shown(&found.key), value.as_deref()), fields)
}

/// Adds where the keys lie that were written last, in segments of which not every record is shown. Gives the record of the
/// first of them.
fn seek(
    index: &Reader,
    disk: &dyn Disk,
    dir: &Path,
    recent: &[Vec<u8>],
    places: &mut Vec<(u64, Place)>,
) -> Option<Newest> {
    let mut first = None;
    for (age, key) in recent.iter().take(MOST_PLACES).enumerate() {
        let Ok(Some((segment, at))) = index.place_of(key) else { continue };
        let name = format!("segment-{segment:010}.log");
        let path = dir.join(&name);
        let (Ok(header), Ok(bytes)) =
            (read_part(disk, &path, 0, HEADER_LEN), read_part(disk, &path, at, SAMPLE))
        else {
            continue;
        };
        let alone = [&*header, &*bytes].concat();
        let Some(found) = records(&hash_log::describe(&name, &alone), &alone).0.into_iter().next() else {
            continue;
        };
        let Some(record) = part(&bytes, 0, found.len) else { continue };
        let found = Found { at, ..found };
        if age == 0 {
            first = Some(newest(&name, &header, record, &found));
        }
        if !places.iter().any(|(_, place)| place.file == name && place.at == at) {
            places.push((found.sequence, Place::new(key, &name, at, found.len)));
        }
    }
    first
}

/// The number of a segment, by the name of its file.
fn id_of(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.strip_suffix(".log")?.parse().ok()
}

fn role(name: &str) -> &'static str {
    match name {
        "MANIFEST" => "which segments are the store",
        "CHECKPOINT" => "the index of a store that was closed",
        "LOGLADDER" => "the lock",
        _ if name.contains(".torn-") => "what a repair cut off, kept",
        _ if Path::new(name).extension().is_some_and(|extension| extension == "hint") => {
            "the keys of a segment"
        }
        _ => "another file",
    }
}

/// The whole records among the fields of a segment; and what stands behind them, by its place and name.
fn records(fields: &[Field], bytes: &[u8]) -> (Vec<Found>, Option<(u64, &'static str)>) {
    let mut founds: Vec<Found> = Vec::new();
    let mut rest = None;
    let starts_record = |place: usize| {
        let next = fields.get(place + 1).map(|next| next.name);
        fields.get(place).is_some_and(|field| field.name == "checksum") && next == Some("kind, value length")
    };
    for (place, field) in fields.iter().enumerate() {
        if matches!(field.name, "reserve" | "unknown" | "cut") {
            rest = Some((field.bytes.start as u64, field.name));
            if let Some(cut) = founds.pop_if(|last| last.len < last.expected_len) {
                rest = Some((cut.at, "cut"));
            }
            break;
        }
        if starts_record(place) {
            let at = field.bytes.start as u64;
            founds.push(Found {
                at,
                len: 0,
                kind: "set",
                key: Vec::new(),
                value: Vec::new(),
                is_delete: false,
                sequence: 0,
                expected_len: RECORD_HEADER_LEN,
                is_damaged: field.meaning.contains("not that of"),
            });
        }
        let Some(found) = founds.last_mut() else { continue };
        found.len = field.bytes.end as u64 - found.at;
        let content = || bytes.get(field.bytes.clone()).unwrap_or_default().to_vec();
        match field.name {
            "kind, value length" => found.set_kind(&field.meaning),
            "key length" => found.expected_len += field.meaning.parse().unwrap_or(0),
            "more" => found.is_delete = field.meaning.ends_with("tombstone"),
            "sequence" => found.sequence = field.meaning.parse().unwrap_or(0),
            "key" => found.key = content(),
            "value" => found.value = content(),
            _ => {}
        }
    }
    (founds, rest)
}

impl Found {
    /// Takes in `tombstone, 0`: the kind, and how long the value is.
    fn set_kind(&mut self, meaning: &str) {
        let (kind, value_len) = meaning.split_once(", ").unwrap_or((meaning, "0"));
        self.kind = match kind {
            "tombstone" => "tombstone",
            "with more" => "set with more",
            "batch" => "batch",
            "footer" => "footer",
            _ => "set",
        };
        self.expected_len += value_len.parse().unwrap_or(0);
        self.is_delete = self.kind == "tombstone";
    }
}
