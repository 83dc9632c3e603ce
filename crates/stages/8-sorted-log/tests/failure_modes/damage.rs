//! Damage that no crash explains: it is an error, or it has no effect. What a flipped bit or a cut does anywhere in any file,
//! the contract shows.

use logladder_disk::RecordingDisk;
use logladder_engine::{Compact, Engine, limits};
use logladder_sorted_log::{Compression, describe};

use crate::bench::{
    Contents, bytes, close, contents, damage, names, on_demand, open, open_with, path, refused, the, tiny,
    with_file,
};

/// Failure mode 19: whatever a value or a key looks like, it is nothing but that.
#[test]
fn values_and_keys_that_look_like_the_format_are_only_values_and_keys() {
    let sample = RecordingDisk::new();
    let store = open(&sample).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.delete(b"other").unwrap();
    store.flush().unwrap();
    store.set(b"name", b"bob").unwrap();
    close(store);
    let mut looks: Vec<Vec<u8>> =
        [&b"LLSL"[..], b"LLSLTAB\n", b"LLSLLOG\n", b"LLSLMAN\n", b"", &[0; 16], &[0; 4_096], &[0xFF; 16]]
            .into_iter()
            .map(<[u8]>::to_vec)
            .collect();
    for name in names(&sample, "") {
        let whole = bytes(&sample, &name);
        looks.extend(describe(&name, &whole).into_iter().map(|field| whole[field.bytes].to_vec()));
        looks.push(whole);
    }
    for compression in [Compression::None, Compression::Lz4] {
        let disk = RecordingDisk::new();
        let store = open_with(&disk, on_demand().with_compression(compression)).unwrap();
        let mut expected = Contents::new();
        for (key, value) in looks.iter().zip(looks.iter().rev()) {
            store.set(key, value).unwrap();
            expected.insert(key.clone(), value.clone());
        }
        assert_eq!(contents(&store), expected);
        drop(store);
        let store = open_with(&disk, on_demand().with_compression(compression)).unwrap();
        assert_eq!((contents(&store), store.repairs()), (expected.clone(), &[][..]), "from the log");
        store.flush().unwrap();
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!(contents(&store), expected, "from a table");
        store.compact().unwrap();
        assert_eq!(contents(&store), expected, "merged");
    }
}

/// Puts the right checksum over the bytes `start..end`, which stands behind them.
fn sign(file: &mut [u8], start: usize, end: usize) {
    let crc = crc32fast::hash(&file[start..end]);
    file[end..end + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Failure mode 25: a length in a file is not a reason to allocate. The test would need 3 GiB if it were.
#[test]
fn a_block_that_claims_to_decompress_to_three_gibibytes_is_refused() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, on_demand().with_compression(Compression::Lz4)).unwrap();
    for number in 0..100_u8 {
        store.set(&[number], &[b'x'; 30]).unwrap();
    }
    store.flush().unwrap();
    close(store);
    let name = the(&disk, ".table");
    let mut table = bytes(&disk, &name);
    let fields = describe(&name, &table);
    let block = fields.iter().find(|field| field.name == "compressed entries").unwrap().bytes.clone();
    table[block.start..block.start + 4].copy_from_slice(&(3_u32 << 30).to_le_bytes());
    // Behind the block stands how it is compressed, which the checksum covers.
    sign(&mut table, block.start, block.end + 1);
    let store = open(&with_file(&disk, &name, table)).unwrap();
    assert_eq!(damage(store.get(&[7]).unwrap_err()), (name, 32));
}

/// And so is that of a log.
#[test]
fn a_record_that_claims_a_value_of_one_gibibyte_is_refused() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"name", &vec![b'v'; 1 << 15]).unwrap();
    store.set(b"city", b"Rome").unwrap();
    close(store);
    let name = the(&disk, ".log");
    let mut log = bytes(&disk, &name);
    let fields = describe(&name, &log);
    let length = fields.iter().find(|field| field.name == "value length").unwrap().bytes.clone();
    // As a varint of as many bytes as that of 32 KiB: all that fits, which is more than the record has.
    log[length.clone()].copy_from_slice(&[0xFF, 0xFF, 0x7F]);
    let end = fields.iter().filter(|field| field.name == "length").nth(1).unwrap().bytes.start;
    let crc = {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&log[32..36]);
        hasher.update(&log[40..end]);
        hasher.finalize()
    };
    log[36..40].copy_from_slice(&crc.to_le_bytes());
    // And no more than a value may have: that is not what it is refused for.
    const { assert!(limits::MAX_VALUE_LEN > 0x1F_FFFF) };
    assert_eq!(refused(&with_file(&disk, &name, log)), (name, 32));
}

/// A record that is missing leaves a gap in the numbers, even if every checksum is right.
#[test]
fn a_record_that_is_missing_from_the_middle_is_noticed() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for key in [b"a", b"b", b"c"] {
        store.set(key, b"value").unwrap();
    }
    close(store);
    let name = the(&disk, ".log");
    let mut log = bytes(&disk, &name);
    let record = 16 + 2 + 1 + 5;
    log.drain(32 + record..32 + 2 * record);
    assert_eq!(refused(&with_file(&disk, &name, log)), (name, 32 + record as u64));
}

/// Failure mode 20: the numbers in headers and footers that have a right checksum and contradict the name, or the manifest.
#[test]
fn a_whole_file_in_the_place_of_another_is_noticed() {
    let disk = RecordingDisk::new();
    let store = open_with(&disk, tiny()).unwrap();
    for number in 0..60_u8 {
        store.set(&[number], &[number; 20]).unwrap();
    }
    close(store);
    let all = names(&disk, "");
    assert!(names(&disk, ".table").len() > 3, "{all:?}");
    for (name, other) in all.iter().flat_map(|name| all.iter().map(move |other| (name, other))) {
        if name != other && name != "LOGLADDER" {
            assert_eq!(
                refused(&with_file(&disk, name, bytes(&disk, other))).0,
                *name,
                "{other} in place of it"
            );
        }
    }
}

/// A store with one table, in which every key has this value.
fn one_table_of(value: &[u8]) -> RecordingDisk {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    for number in 0..100_u8 {
        store.set(&[number], value).unwrap();
    }
    store.flush().unwrap();
    close(store);
    disk
}

/// Failure mode 6: as many bytes, as many entries, the same keys, in blocks of the same lengths. Only the values differ.
#[test]
fn a_table_of_the_same_shape_from_another_store_is_refused_and_left_as_it_is() {
    let (ours, other) = (one_table_of(b"the red one"), one_table_of(b"the old one"));
    let name = the(&ours, ".table");
    let (own, strange) = (bytes(&ours, &name), bytes(&other, &name));
    let shape = |table: &[u8]| -> Vec<String> {
        let is_shape =
            |name| matches!(name, "filter at" | "index at" | "entries" | "table number" | "block length");
        let fields = describe(&name, table).into_iter().filter(|field| is_shape(field.name));
        fields.map(|field| field.meaning).collect()
    };
    assert!(own != strange && shape(&own) == shape(&strange));
    let footer = describe(&name, &own).iter().find(|field| field.name == "filter at").unwrap().bytes.start;
    let disk = with_file(&ours, &name, strange.clone());
    let told = open(&disk).unwrap_err().to_string();
    assert!(told.contains(&name) && told.contains("another table") && told.contains("copy"), "{told}");
    assert_eq!(refused(&disk), (name.clone(), footer as u64));
    assert_eq!(bytes(&disk, &name), strange);
    // The store with its own table opens.
    assert_eq!(open(&ours).unwrap().get(&[7]).unwrap().unwrap(), b"the red one");
}

/// A table is never cut, nor lengthened.
#[test]
fn a_table_that_was_cut_or_lengthened_anywhere_is_damage() {
    let disk = RecordingDisk::new();
    let store = open(&disk).unwrap();
    store.set(b"name", b"anna").unwrap();
    store.flush().unwrap();
    close(store);
    let name = the(&disk, ".table");
    let table = bytes(&disk, &name);
    for len in 0..table.len() {
        assert_eq!(refused(&with_file(&disk, &name, table[..len].to_vec())).0, name, "cut to {len}");
    }
    for longer in [vec![0], vec![0; 5_000], table.clone()] {
        assert_eq!(refused(&with_file(&disk, &name, [&table[..], &longer].concat())).0, name);
    }
    assert!(
        open(&disk).unwrap().left_alone().is_empty() && disk.tree().files().any(|(at, _)| at == path(&name))
    );
}
