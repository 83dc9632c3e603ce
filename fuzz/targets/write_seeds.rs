//! Writes what the fuzzer begins with: whole stores, and each of their files.

#[allow(dead_code, reason = "each target uses a part of it")]
#[path = "../../crates/stages/7-hash-log/tests/hostile/mod.rs"]
mod hostile;

use std::fs;
use std::io;
use std::path::Path;

use hostile::{STORES, encode_folder, names};

fn main() -> io::Result<()> {
    for (store, files) in STORES.iter().enumerate() {
        for forged in [false, true] {
            write("open_any_folder", &format!("store-{store}-{forged}"), &encode_folder(files, forged))?;
        }
        for (place, (name, content)) in files.iter().enumerate() {
            if let Some(known) = names().position(|known| known == name) {
                let data = [&[small(known)], content.as_slice()].concat();
                write("describe_any_bytes", &format!("store-{store}-{name}"), &data)?;
            }
            for mode in 0..8 {
                let head = [small(store), small(place), mode];
                let rest = if mode / 2 == 0 { content.as_slice() } else { &[1, 0, 0, 0] };
                let name = format!("store-{store}-{name}-{mode}");
                write("open_with_one_file_replaced", &name, &[&head, rest].concat())?;
            }
        }
    }
    Ok(())
}

fn small(number: usize) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn write(target: &str, name: &str, data: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), data)
}
