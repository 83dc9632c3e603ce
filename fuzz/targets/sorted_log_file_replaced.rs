//! See `open_with_one_file_replaced` in `crates/stages/8-sorted-log/tests/hostile/mod.rs`.

#![no_main]

#[allow(dead_code, reason = "each target uses a part of it")]
#[path = "../../crates/stages/8-sorted-log/tests/hostile/mod.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::open_with_one_file_replaced(data));
