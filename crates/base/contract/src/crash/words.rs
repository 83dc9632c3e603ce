//! What was done to the disk, in words.

use std::path::Path;

use logladder_disk::Op;

/// The operation with this index, in a few words. A file goes by the name that it has then.
#[must_use]
pub fn show_op(ops: &[Op], index: usize) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let file = |number: usize| {
        let mut named: Option<&Path> = None;
        for op in &ops[..index] {
            match op {
                Op::Create { path, file } if *file == number => named = Some(path),
                Op::Rename { from, to } if named == Some(from) => named = Some(to),
                _ => {}
            }
        }
        named.map_or_else(|| format!("file {number}"), name)
    };
    let Some(op) = ops.get(index) else { return "nothing".to_owned() };
    match op {
        Op::CreateDir(dir) => format!("make the folder {}", dir.display()),
        Op::Create { path, .. } => format!("create {}", name(path)),
        Op::Write { file: number, offset, bytes } => {
            format!("write {} bytes at {offset} of {}", bytes.len(), file(*number))
        }
        Op::SetLen { file: number, len } => format!("set the length of {} to {len}", file(*number)),
        Op::Sync { file: number } => format!("sync {}", file(*number)),
        Op::FailedSync { file: number } => format!("sync {}, which fails", file(*number)),
        Op::Rename { from, to } => format!("rename {} to {}", name(from), name(to)),
        Op::Remove(path) => format!("remove {}", name(path)),
        Op::SyncDir(dir) => format!("sync the folder {}", dir.display()),
        _ => format!("{op:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_goes_by_the_name_that_it_has_then() {
        let made = Op::Create { path: "/store/log.tmp".into(), file: 3 };
        let write = Op::Write { file: 3, offset: 7, bytes: vec![0; 5] };
        let renamed = Op::Rename { from: "/store/log.tmp".into(), to: "/store/log".into() };
        let ops = [made, write.clone(), renamed, write];
        assert_eq!(show_op(&ops, 1), "write 5 bytes at 7 of log.tmp");
        assert_eq!(show_op(&ops, 3), "write 5 bytes at 7 of log");
        assert_eq!(show_op(&ops[3..], 0), "write 5 bytes at 7 of file 3");
        assert_eq!(show_op(&ops, 4), "nothing");
    }
}
