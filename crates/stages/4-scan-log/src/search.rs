//! Finding the newest line of a key: the log is read backwards, in blocks, and no line is parsed.
//!
//! ```text
//!   offset 0                                                    end
//!   ├──────────────────────┬──────────────────────┬──────────────┤
//!          ◄── third ───── │ ◄────── second ───── │ ◄── first ── │
//!                                                 │
//!                          two blocks share the few bytes in which a line
//!                          may begin on one side of the border and go on
//! ```
//!
//! The first block is small, since what was written last is often what is read next; each further one is
//! twice as large, up to a limit that fits a processor's cache. Within a block the search goes forwards,
//! since that is what processors and [`memchr`] are fast at, and takes the last line that it finds.

use logladder_disk::File;
use logladder_engine::Result;
use memchr::memmem;

const FIRST_BLOCK_LEN: usize = 8 * 1024;
const LARGEST_BLOCK_LEN: usize = 64 * 1024;

/// Where the last line begins that starts with `beginning` and lies between the two offsets, of which the
/// first is the beginning of a line and the second the end of one.
pub(crate) fn newest_line(file: &dyn File, from: u64, end: u64, beginning: &[u8]) -> Result<Option<u64>> {
    // A block must be longer than what it shares with the next.
    newest_line_in_blocks(file, from, end, beginning, FIRST_BLOCK_LEN.max(4 * beginning.len()))
}

fn newest_line_in_blocks(
    file: &dyn File,
    from: u64,
    end: u64,
    beginning: &[u8],
    first_block_len: usize,
) -> Result<Option<u64>> {
    // A line feed is never inside a line, so what follows one is the beginning of a line.
    let sought = [b"\n", beginning].concat();
    let finder = memmem::Finder::new(&sought);
    let mut block = Vec::new();
    let mut block_len = first_block_len;
    // Lines that begin at `right` or later have been searched.
    // ANCHOR: search
    let mut right = end;
    while right > from {
        let left = right.saturating_sub(block_len as u64).max(from);
        // The block holds the line feed before `left`, and the whole beginning of a line at `right - 1`.
        let block_end = (right - 1).saturating_add(beginning.len() as u64).min(end);
        block.clear();
        block.resize(1 + usize::try_from(block_end - left).unwrap_or(0), b'\n');
        match left {
            // Before the first line there is none, so the one that is there already stands for it.
            0 => file.read_at(0, &mut block[1..])?,
            _ => file.read_at(left - 1, &mut block)?,
        }
        if let Some(line_feed) = finder.find_iter(&block).last() {
            return Ok(Some(left + line_feed as u64));
        }
        right = left;
        block_len = (block_len * 2).min(LARGEST_BLOCK_LEN.max(first_block_len));
    }
    Ok(None)
    // ANCHOR_END: search
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line;
    use logladder_disk::{Disk, RecordingDisk};
    use std::path::Path;

    #[test]
    fn the_newest_line_is_found_wherever_the_borders_of_the_blocks_fall() {
        let disk = RecordingDisk::new();
        let file = disk.create(Path::new("/log")).unwrap();
        let keys = [&b"a"[..], b"b", b"a", b"[\"a\",1]", b"aa", b"a,", b"", b"b", b"[\"a\",1]"];
        let mut newest = std::collections::BTreeMap::new();
        let mut starts = vec![0];
        for (number, key) in keys.iter().enumerate() {
            // The value holds what looks like a line of every key.
            let value = format!("[[\"a\",[\"b\",{number}]]");
            newest.insert(key.to_vec(), file.append(&line::write(key, Some(value.as_bytes()))).unwrap());
            starts.push(file.len());
        }
        for block_len in 1..100 {
            for &from in &starts {
                for key in keys.iter().chain([&&b"c"[..], &&b"\n"[..]]) {
                    let beginning = line::beginning(key);
                    let found =
                        newest_line_in_blocks(&*file, from, file.len(), &beginning, block_len).unwrap();
                    let expected = newest.get(*key).copied().filter(|&offset| offset >= from);
                    assert_eq!(found, expected, "{} from {from}", key.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn only_lines_before_the_end_are_found() {
        let disk = RecordingDisk::new();
        let file = disk.create(Path::new("/log")).unwrap();
        file.append(&line::write(b"a", Some(b"1"))).unwrap();
        let end = file.len();
        file.append(&line::write(b"a", Some(b"2"))).unwrap();
        assert_eq!(newest_line(&*file, 0, end, &line::beginning(b"a")).unwrap(), Some(0));
        assert_eq!(newest_line(&*file, 0, file.len(), &line::beginning(b"a")).unwrap(), Some(end));
        assert_eq!(newest_line(&*file, 0, 0, &line::beginning(b"a")).unwrap(), None);
    }
}
