//! How many files this process may have open: a connection is one, and so is each file of the store.

/// Asks the system for as many as `connections` and a store need. If it grants less, how many connections there is room
/// for.
#[cfg(unix)]
pub(super) fn room_for(connections: usize) -> Option<usize> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    /// For the files of the store and of the process itself.
    const OTHERS: u64 = 256;
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let granted = match (limit.current, limit.maximum) {
        (None, _) => return None,
        (Some(now), _) if now >= wanted => return None,
        (Some(now), maximum) => {
            let most = maximum.unwrap_or(u64::MAX).min(wanted);
            let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
            if raised.is_ok() { most } else { now }
        }
    };
    let room = granted.saturating_sub(OTHERS.min(granted / 2));
    usize::try_from(room).ok().filter(|room| *room < connections)
}

/// Other systems have no such limit, or none that is reached.
#[cfg(not(unix))]
pub(super) fn room_for(_: usize) -> Option<usize> {
    None
}
