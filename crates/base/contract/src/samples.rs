//! Byte strings that have broken storage engines: as keys, and as values.

/// Keys that look like something else: a path, a format's own words, a number that means "deleted".
pub(crate) fn odd_strings() -> Vec<Vec<u8>> {
    let mut strings: Vec<Vec<u8>> = paths();
    strings.extend(format_words());
    strings.extend(not_text());
    strings.push(Vec::new());
    strings.sort();
    strings.dedup();
    strings
}

/// What a file system would take for more than a name, or for another name.
pub(crate) fn paths() -> Vec<Vec<u8>> {
    let names: [&[u8]; 31] = [
        b".",
        b"..",
        b"/",
        b"//",
        b"../x",
        b"../../x",
        b"/etc/x",
        b"a/b",
        b"a/../b",
        b"a\\b",
        b"C:\\x",
        b"CON",
        b"con",
        b"nul.txt",
        b"x.",
        b"x ",
        b" ",
        b"~",
        b"$HOME",
        b"*",
        b"?",
        b"a:b",
        b"LOGLADDER",
        b"x.tmp",
        b"x.torn-1",
        b"store.json",
        b"database.json",
        b"-rf",
        b"\0",
        b"x\0y",
        b"a\nb",
    ];
    names.map(<[u8]>::to_vec).to_vec()
}

/// What a text or binary format might use for itself.
pub(crate) fn format_words() -> Vec<Vec<u8>> {
    let words: [&[u8]; 32] = [
        b"null",
        b"true",
        b"\"\"",
        b"\"",
        b"\\",
        b"\\u0000",
        b"{}",
        b"[]",
        b"[",
        b"}",
        br#"{"$base64":"AAEC"}"#,
        br#"{"$base64":"not base64!"}"#,
        br#"{"$base64":1}"#,
        br#"{ "a": 1 }"#,
        br#"{"a":1}"#,
        br#"{"a":1,"a":2}"#,
        br#"{"b":1,"a":2}"#,
        br"[1.0,1e5,-0,100000000000000000001]",
        br#"["k","v",false]"#,
        b"[\"k\",null,true]\n",
        br#"{"operation":"DEL","key":"k"}"#,
        b"__tombstone__",
        b"TOMBSTONE",
        b"deleted",
        b"\n",
        b"\r\n",
        b"x\n",
        b"\n\n",
        b",",
        b"\xEF\xBB\xBFx",
        b"\x7F",
        b"k\tv",
    ];
    words.map(<[u8]>::to_vec).to_vec()
}

/// What is not text, and numbers that a binary format might give a meaning.
pub(crate) fn not_text() -> Vec<Vec<u8>> {
    let strings: [&[u8]; 14] = [
        b"\xFF",
        b"\xFF\xFF\xFF\xFF",
        b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x00\x00\x00\x80",
        b"\xFF\xFF\xFF\x7F",
        b"\xDE\xAD\xBE\xEF",
        b"\xC3\x28",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\x80",
        b"PK\x03\x04",
        b"\x89PNG\r\n\x1A\n",
    ];
    strings.map(<[u8]>::to_vec).to_vec()
}

/// Bytes without a pattern that compresses or repeats, the same each time.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    (0..len).map(|_| numbers.byte()).collect()
}

/// A sequence of numbers that looks random and is the same for the same seed: SplitMix64 (Steele, Lea and
/// Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014).
#[derive(Debug)]
pub(crate) struct Numbers {
    state: u64,
}

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A number below `limit`, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        // Below `limit`, and so a usize as well.
        usize::try_from(self.next() % limit).unwrap_or(0)
    }
}
