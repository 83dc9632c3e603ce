//! See `describe_any_bytes` in `crates/stages/8-sorted-log/tests/hostile/mod.rs`.

#![no_main]

#[allow(dead_code, reason = "each target uses a part of it")]
#[path = "../../crates/stages/8-sorted-log/tests/hostile/mod.rs"]
mod hostile;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hostile::describe_any_bytes(data));
