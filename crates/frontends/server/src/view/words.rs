//! What a disk was asked to do, in words.

use logladder_disk::Op;
use logladder_disk::crash::Tree;

use super::layout::MOST_RECORDS;

/// What was done, a line each. Files that were there `before` and are there `after` have their names from these.
pub(super) fn deeds(ops: &[Op], before: &Tree, after: &Tree) -> Vec<String> {
    ops.iter().take(MOST_RECORDS).map(|op| deed(op, ops, before, after)).collect()
}

fn deed(op: &Op, ops: &[Op], before: &Tree, after: &Tree) -> String {
    let made = |file: usize| {
        ops.iter().find_map(|op| match op {
            Op::Create { path, file: made } if *made == file => Some(path.as_path()),
            _ => None,
        })
    };
    let name = |file: usize| {
        let path = made(file).or_else(|| before.name_of(file)).or_else(|| after.name_of(file));
        path.map_or_else(|| "a file without a name".to_owned(), last_part)
    };
    match op {
        Op::CreateDir(path) => format!("make the folder {}", last_part(path)),
        Op::Create { path, .. } => format!("make {}", last_part(path)),
        Op::Write { file, offset, bytes } => {
            format!("write {} to {} at {offset}", count(bytes.len()), name(*file))
        }
        Op::SetLen { file, len } => format!("let {} be {len} bytes long", name(*file)),
        Op::Sync { file } => format!("sync {}", name(*file)),
        Op::FailedSync { file } => format!("sync {}, which failed", name(*file)),
        Op::Rename { from, to } => format!("rename {} to {}", last_part(from), last_part(to)),
        Op::Remove(path) => format!("remove {}", last_part(path)),
        Op::SyncDir(_) => "sync the folder".to_owned(),
        _ => "something else".to_owned(),
    }
}

fn count(bytes: usize) -> String {
    if bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

fn last_part(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Behind which operations the files are worth a look: where a file has been synced, a name has changed, or files have gone.
/// There are a dozen at most.
pub(super) fn milestones(ops: &[Op]) -> Vec<usize> {
    const MOST: usize = 12;
    let is_one = |place: usize, op: &Op| match op {
        Op::Sync { .. } | Op::Rename { .. } => true,
        // Of several in a row, the last.
        Op::Remove(_) => !matches!(ops.get(place + 1), Some(Op::Remove(_))),
        _ => false,
    };
    let ends = ops.iter().enumerate().filter(|(place, op)| is_one(*place, op)).map(|(place, _)| place + 1);
    // The last one is the end itself.
    ends.filter(|end| *end < ops.len()).take(MOST).collect()
}
