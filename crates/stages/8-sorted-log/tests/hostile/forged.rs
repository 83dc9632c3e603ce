//! One part of a file made of any bytes, with everything around it in order: a block, the sections of a table, the edits of a
//! manifest. A fuzzer that had to find a whole file first would not come so far. Checksums are not compared.

use logladder_disk::LOCK_FILE;

use super::{Files, STORES, open_and_use};

/// The number of the table.
const TABLE: u64 = 3;

/// The log that would come next.
const LOG: u64 = 4;

/// A table of one block: whether it is compressed, and its bytes.
pub(crate) fn read_any_block(data: &[u8]) {
    let Some((&kind, block)) = data.split_first() else { return };
    let blocks = [block, &[kind & 1], &[0; 4]].concat();
    // Where the first block starts is no key.
    let mut index = vec![0];
    put_varint(&mut index, blocks.len() as u64);
    open_and_use(&store_of(&table(&blocks, &[], &index)), true, None);
}

/// A table of any sections: how long the blocks are, and the filter, in two bytes each; then those, and the index.
pub(crate) fn read_any_table(data: &[u8]) {
    let Some((&[a, b, c, d], rest)) = data.split_first_chunk() else { return };
    let split = |bytes: &[u8], len: [u8; 2]| {
        let (one, other) = bytes.split_at(usize::from(u16::from_le_bytes(len)).min(bytes.len()));
        (one.to_vec(), other.to_vec())
    };
    let (blocks, rest) = split(rest, [a, b]);
    let (filter, index) = split(&rest, [c, d]);
    open_and_use(&store_of(&table(&blocks, &filter, &index)), true, None);
}

/// A manifest of any edits: the length of each in two bytes, and its body. The store is one of those that are in order, as the
/// first byte says, and the first edits are its own if the next byte is odd.
pub(crate) fn read_any_manifest(data: &[u8]) {
    let Some((&[store, own], mut rest)) = data.split_first_chunk() else { return };
    let mut files = STORES[usize::from(store) % STORES.len()].clone();
    let Some(manifest) = files.get_mut("MANIFEST") else { return };
    let mut number = 1;
    if own & 1 == 1 {
        number += edits_in(manifest);
    } else {
        manifest.truncate(32);
    }
    while let Some((&len, behind)) = rest.split_first_chunk() {
        let (body, behind) = behind.split_at(usize::from(u16::from_le_bytes(len)).min(behind.len()));
        put_frame(manifest, number, body);
        (number, rest) = (number + 1, behind);
    }
    open_and_use(&files, true, None);
}

/// The bytes from which [`read_any_manifest`] makes the edits of this one.
#[allow(dead_code, reason = "for the fuzzer's seeds")]
pub(crate) fn encode_edits(store: u8, manifest: &[u8]) -> Vec<u8> {
    let mut data = vec![store, 0];
    for body in bodies(manifest) {
        data.extend_from_slice(&u16::try_from(body.len()).unwrap_or(0).to_le_bytes());
        data.extend_from_slice(body);
    }
    data
}

/// How many edits a manifest has.
fn edits_in(manifest: &[u8]) -> u64 {
    bodies(manifest).count() as u64
}

/// The bodies of its edits.
fn bodies(manifest: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = manifest.get(32..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&len, behind) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_le_bytes(len)).ok()?;
        let body = behind.get(12..12 + len)?;
        rest = &behind[12 + len..];
        Some(body)
    })
}

fn put_varint(buffer: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        buffer.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    buffer.push(number.to_le_bytes()[0]);
}

fn header(magic: [u8; 8], number: u64) -> Vec<u8> {
    [&magic[..], &1_u32.to_le_bytes(), &[0; 4], &number.to_le_bytes(), &[0; 8]].concat()
}

fn put_frame(file: &mut Vec<u8>, number: u64, body: &[u8]) {
    file.extend_from_slice(&u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    file.extend_from_slice(&[0; 4]);
    file.extend_from_slice(&number.to_le_bytes());
    file.extend_from_slice(body);
}

fn table(blocks: &[u8], filter: &[u8], index: &[u8]) -> Vec<u8> {
    let mut table = header(*b"LLSLTAB\n", TABLE);
    table.extend_from_slice(blocks);
    let filter_at = table.len() as u64;
    table.extend_from_slice(&[filter, &[0; 4]].concat());
    let index_at = table.len() as u64;
    table.extend_from_slice(&[index, &[0; 4]].concat());
    for field in [filter_at, index_at, 1, TABLE] {
        table.extend_from_slice(&field.to_le_bytes());
    }
    // Neither the contents nor the checksum are compared.
    table.extend_from_slice(b"\0\0\0\0\0\0\0\0LLSL");
    table
}

/// A store with this table, which may have any key.
fn store_of(table: &[u8]) -> Files {
    let mut edit = Vec::new();
    for field in [1, LOG, 0, 100, 2, 1, TABLE, table.len() as u64, 1, 0, 0] {
        put_varint(&mut edit, field);
    }
    edit.push(0);
    edit.extend_from_slice(b"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    let mut manifest = header(*b"LLSLMAN\n", 0);
    put_frame(&mut manifest, 1, &edit);
    Files::from([
        (LOCK_FILE.to_owned(), b"logladder sorted-log 1\n".to_vec()),
        ("MANIFEST".to_owned(), manifest),
        (format!("{TABLE:010}.table"), table.to_vec()),
    ])
}
