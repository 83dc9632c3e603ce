//! The loader, by itself.

use super::*;
use crate::format::extra::Extra;
use crate::format::record;

/// A source with one record at offset 32.
fn source(key: &[u8], value: Option<&[u8]>, sequence: u64) -> Source {
    let mut bytes = vec![0; 32];
    record::encode(&mut bytes, key, value, Extra::default(), sequence).unwrap();
    Source::Records(Map::of_bytes(bytes.into()))
}

/// Every order in which so many things can come.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = orders(count - 1);
    let insert = |at: usize| {
        let with = move |order: &Vec<usize>| {
            let mut order = order.clone();
            order.insert(at, count - 1);
            order
        };
        shorter.iter().map(with).collect::<Vec<_>>()
    };
    (0..count).flat_map(insert).collect()
}

#[test]
fn in_whatever_order_segments_are_loaded_the_newest_records_of_a_key_win() {
    let sources = [
        source(b"set", Some(b"1"), 1),
        source(b"set", None, 2),
        source(b"set", Some(b"22"), 3),
        source(b"gone", Some(b"1"), 4),
        source(b"gone", Some(b"2"), 5),
        source(b"gone", None, 6),
    ];
    for (order, versions) in orders(6).iter().flat_map(|order| [(order, 1), (order, 2)]) {
        let loader = Loader::new(&sources, [3; 16], versions);
        for &place in order {
            let entry = sources[place].entry(32).unwrap();
            let mut intake = loader.intake(place).unwrap();
            intake.push(&entry).unwrap();
            intake.finish().unwrap();
        }
        let (index, live_bytes, live) = loader.finish().unwrap();
        let seats =
            |key| -> Vec<u16> { index.places_of(index.hash(key)).iter().map(|place| place.seat).collect() };
        let expected = if versions == 1 { (vec![3], vec![]) } else { (vec![3, 2], vec![6, 5]) };
        assert_eq!((seats(b"set"), seats(b"gone")), expected, "{order:?}");
        assert_eq!(live, Live { keys: 1, bytes: 5 }, "{order:?}");
        let len = |place: usize| sources[place].entry(32).unwrap().header.record_len();
        let lives = |place: usize| versions == 2 && [1, 2, 4, 5].contains(&place) || place == 2;
        let expected: Vec<u64> = (0..6).map(|place| if lives(place) { len(place) } else { 0 }).collect();
        assert_eq!(live_bytes, expected, "{order:?}");
    }
}

/// Some versions of one key among other keys, in one source, the oldest first.
fn versions_of_a_key(count: u32) -> Source {
    let mut bytes = vec![0; 32];
    for number in 0..count {
        let value = (number % 5 > 0).then_some(&b"value"[..]);
        record::encode(&mut bytes, b"key", value, Extra::default(), u64::from(number) + 1).unwrap();
    }
    Source::Records(Map::of_bytes(bytes.into()))
}

/// Whether they come one at a time, as from as many segments, or together.
#[test]
fn a_record_of_a_key_with_thousands_of_versions_is_looked_up_a_few_times_and_not_once_for_each_of_them() {
    const COUNT: u32 = 3_000;
    let sources = [versions_of_a_key(COUNT)];
    let mut offsets = vec![32];
    let Source::Records(bytes) = &sources[0] else { unreachable!() };
    let mut rest = &bytes[32..];
    while let Ok(record) = Record::unchecked(rest) {
        rest = &rest[record.bytes.len()..];
        offsets.push(offsets.last().unwrap() + u32::try_from(record.bytes.len()).unwrap());
    }
    offsets.pop();
    assert_eq!(offsets.len(), COUNT as usize);
    // In an order in which each that comes may be the newest, or not.
    let order: Vec<u32> = (0..COUNT).map(|n| offsets[(n * 1_009 % COUNT) as usize]).collect();
    for (at_once, versions) in
        [1, 7, 4_000].into_iter().flat_map(|n| [1, 2, 7, 9, 100, usize::MAX].map(|v| (n, v)))
    {
        let loader = Loader::new(&sources, [3; 16], versions);
        for batch in order.chunks(at_once) {
            let mut intake = loader.intake(0).unwrap();
            for &offset in batch {
                intake.push(&sources[0].entry(offset).unwrap()).unwrap();
            }
            intake.finish().unwrap();
        }
        let before = loader.looked_up.load(Ordering::Relaxed);
        let (index, live_bytes, live) = loader.finish().unwrap();
        let case = format!("{versions} versions, {at_once} at once");
        assert!(before <= 12 * u64::from(COUNT), "{case}: {before}");
        let found: Vec<u32> = index.places_of(index.hash(b"key")).iter().map(|place| place.offset).collect();
        let expected: Vec<u32> = offsets.iter().rev().copied().take(versions).collect();
        assert!(found == expected, "{case}: {found:?}");
        // The newest is a value.
        assert_eq!(live, Live { keys: 1, bytes: 8 }, "{case}");
        let of_use = |&offset: &u32| sources[0].entry(offset).unwrap().header.record_len();
        assert_eq!(live_bytes, [expected.iter().map(of_use).sum::<u64>()], "{case}");
    }
}
