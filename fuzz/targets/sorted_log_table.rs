//! See `read_any_table` in `crates/stages/8-sorted-log/tests/hostile/forged.rs`.

#![no_main]

#[allow(dead_code, reason = "each target uses a part of it")]
#[path = "../../crates/stages/8-sorted-log/tests/hostile/mod.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::read_any_table(data));
