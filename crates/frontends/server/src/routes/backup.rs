//! `POST /v1/backup`: a copy of the store while it is served, in a folder that the server was given for copies.

use std::path::Path;
use std::sync::{Arc, TryLockError};
use std::{fs, io};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use logladder_disk::{Disk, RealDisk};
use logladder_engine::{Engine, Error};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Problem, Refusal, json};
use crate::app::App;
use crate::capability::Capability;
use crate::document::{RefusedBody, RefusedFull, RefusedRequest};
use crate::json::parse;
use crate::request::{self, Parameters};

/// How many letters the name of a backup has at most.
const LONGEST_NAME: usize = 100;

/// What to call the copy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupBody {
    /// Letters, digits, `.`, `-` and `_` of ASCII, the first of them no `.`: it becomes a folder among the other backups.
    #[schema(min_length = 1, max_length = 100, pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$")]
    name: String,
}

/// What was written.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BackedUpBody {
    /// The folder of the copy, among the backups.
    name: String,
    files: u64,
    bytes: u64,
}

/// Copies the store as it is at one moment, while reads and writes go on. The copy is a store: it is opened, or served, or
/// given to `logladder restore`. When the answer comes it survives a loss of power; before that, nothing has its name.
#[utoipa::path(post, path = "/v1/backup", operation_id = "backup", tag = "store", request_body = BackupBody,
    responses((status = 201, description = "it is made", body = BackedUpBody),
        (status = 409, description = "there is a backup of this name, or another is being made", body = Problem),
        (status = 413, description = "the body is too long", body = Problem),
        RefusedRequest, RefusedBody, RefusedFull))]
pub(crate) async fn backup(
    State(app): State<Arc<App>>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    Parameters::read(&uri, &[])?;
    let body = request::body(&app.options, &headers, body).await?;
    let BackupBody { name } = parse(&body)?;
    check_name(&name)?;
    let shared = Arc::clone(&app);
    let made = app.run(move |engine| {
        // A copy reads and writes as much as the disk gives; two of them take no less time than one after the other.
        let _alone = match shared.backing_up.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(alone)) => alone.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let why = "another backup is being made: try again later";
                return Err(Refusal::new(StatusCode::CONFLICT, why));
            }
        };
        make(engine, shared.options.backups.as_deref(), name)
    });
    Ok(json(StatusCode::CREATED, &made.await?))
}

/// A name is never a path, and never hidden.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Refusal::bad(format!(
        "the name of a backup has 1 to {LONGEST_NAME} letters, digits, `.`, `-` or `_` of ASCII, and no `.` at the beginning"
    )))
}

/// Makes the copy beside its place, and moves it there when it is whole.
fn make(engine: &dyn Engine, backups: Option<&Path>, name: String) -> Result<BackedUpBody, Refusal> {
    let backup = engine.as_backup().ok_or_else(|| Capability::Backup.lacking(engine))?;
    let Some(backups) = backups else {
        let why = "this server has no folder for backups: start it with `--backups FOLDER`";
        return Err(Refusal::new(StatusCode::FORBIDDEN, why));
    };
    let disk = RealDisk::shared();
    let (whole, partial) = (backups.join(&name), backups.join(format!(".{name}.partial")));
    // A link that leads nowhere has the name as well.
    if fs::symlink_metadata(&whole).is_ok() {
        let why = format!("there is a backup {name} already: take another name");
        return Err(Refusal::new(StatusCode::CONFLICT, why));
    }
    if disk.entry(backups)?.is_none() {
        // An engine would make it, and what should be there may only be not mounted.
        let none = io::Error::from(io::ErrorKind::NotFound);
        return Err(Error::io("find the folder of the backups", backups, none).into());
    }
    remove(&partial)?;
    let made = backup.backup(&partial).and_then(|()| {
        let size = size_of(&*disk, &partial)?;
        disk.rename(&partial, &whole)?;
        disk.sync_dir(backups)?;
        Ok(size)
    });
    match made {
        Ok((files, bytes)) => Ok(BackedUpBody { name, files, bytes }),
        Err(error) => {
            // If it cannot be removed either, the next backup of this name says so.
            let _ = remove(&partial);
            Err(error.into())
        }
    }
}

/// Removes what a backup left behind that did not come to its end.
fn remove(partial: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove the unfinished backup", partial, error))
        }
        _ => Ok(()),
    }
}

/// How many files there are below `dir`, and how many bytes in them.
fn size_of(disk: &dyn Disk, dir: &Path) -> Result<(u64, u64), Error> {
    let (mut files, mut bytes) = (0, 0_u64);
    for entry in disk.list(dir)? {
        let (more_files, more_bytes) =
            if entry.is_dir { size_of(disk, &dir.join(&entry.name))? } else { (1, entry.len) };
        files += more_files;
        bytes = bytes.saturating_add(more_bytes);
    }
    Ok((files, bytes))
}
