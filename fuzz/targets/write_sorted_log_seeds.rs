//! Writes what the fuzzer begins with for stage 8: whole stores, each of their files, and parts of those.

#[allow(dead_code, reason = "each target uses a part of it")]
#[path = "../../crates/stages/8-sorted-log/tests/hostile/mod.rs"]
mod hostile;

use std::fs;
use std::io;
use std::path::Path;

use hostile::{NAMES, STORES, encode_edits, encode_folder};

fn main() -> io::Result<()> {
    for (store, files) in STORES.iter().enumerate() {
        for forged in [false, true] {
            let name = format!("store-{store}-{forged}");
            write("sorted_log_folder", &name, &encode_folder(files, forged))?;
        }
        for (place, (name, content)) in files.iter().enumerate() {
            if let Some(known) = NAMES.iter().position(|known| known == name) {
                let data = [&[small(known)], content.as_slice()].concat();
                write("sorted_log_describe", &format!("store-{store}-{name}"), &data)?;
            }
            for mode in 0..8 {
                let head = [small(store), small(place), mode];
                let rest = if mode / 2 == 0 { content.as_slice() } else { &[1, 0, 0, 0] };
                let name = format!("store-{store}-{name}-{mode}");
                write("sorted_log_file_replaced", &name, &[&head, rest].concat())?;
            }
            if name == "MANIFEST" {
                let data = encode_edits(small(store), content);
                write("sorted_log_manifest", &format!("store-{store}"), &data)?;
            }
            if name.ends_with(".table") {
                write_parts(&format!("store-{store}-{name}"), content)?;
            }
        }
    }
    Ok(())
}

/// The first block of a table, and its sections.
fn write_parts(name: &str, table: &[u8]) -> io::Result<()> {
    let footer = table.len() - 44;
    let place = |at: usize| {
        let bytes = table[footer + at..footer + at + 8].try_into().map_err(io::Error::other)?;
        usize::try_from(u64::from_le_bytes(bytes)).map_err(io::Error::other)
    };
    let (filter_at, index_at) = (place(0)?, place(8)?);
    let (blocks, filter) = (&table[32..filter_at], &table[filter_at..index_at - 4]);
    let index = &table[index_at..footer - 4];
    let len = |part: &[u8]| u16::try_from(part.len()).unwrap_or(u16::MAX).to_le_bytes();
    let data = [&len(blocks)[..], &len(filter), blocks, filter, index].concat();
    write("sorted_log_table", name, &data)?;
    // Of the index, the first length of a block stands behind an empty key. It is of one byte or two.
    let block_len = match index {
        [0, low @ 0..0x80, ..] => usize::from(*low),
        [0, low, high, ..] => usize::from(low & 0x7F) | usize::from(*high) << 7,
        _ => return Ok(()),
    };
    let block = &blocks[..block_len.min(blocks.len()).saturating_sub(5)];
    let kind = blocks.get(block.len()).copied().unwrap_or(0);
    write("sorted_log_block", name, &[&[kind], block].concat())
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn write(target: &str, name: &str, data: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), data)
}
