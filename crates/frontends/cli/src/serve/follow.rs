//! `serve --follow`: a copy of what another server has.

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};
use logladder::{Engine, Stage, SyncPolicy};
use logladder_follower::{Follower, Leader, Options, Promoted, promote};
use tracing::{info, warn};

use crate::arguments::StoreArguments;
use crate::outcome::Refusal;

/// The stage that a copy is kept in.
const STAGE: &str = "hash-log";

/// Which server is followed, and what becomes of writes.
#[derive(Debug, Args)]
pub(super) struct Follow {
    /// Serve a copy of what the server at this address has, such as http://10.0.0.1:8080, and follow its changes; the copy
    /// lies in the folder
    #[arg(id = "follow", long = "follow", value_name = "URL")]
    url: Option<String>,
    /// What that server asks for [default: what clients send here]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "LOGLADDER_LEADER_TOKEN",
        hide_env_values = true,
        requires = "follow"
    )]
    leader_token: Option<String>,
    /// What becomes of writes to the copy
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Writes::Forward, requires = "follow")]
    writes: Writes,
}

/// What becomes of writes to a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Writes {
    /// They are sent on to the server that is followed, and answered as it answers.
    Forward,
    /// They are refused.
    Refuse,
}

/// A server that is followed, and whether writes go there.
#[derive(Debug)]
pub(super) struct Following {
    leader: Leader,
    writes: Writes,
}

impl Follow {
    /// The server to follow, if one is named. `token` is what clients send here.
    ///
    /// # Errors
    ///
    /// Its address is none.
    pub(super) fn leader(&self, token: Option<&str>) -> Result<Option<Following>> {
        let Some(url) = &self.url else { return Ok(None) };
        let leader = Leader::new(url, self.leader_token.as_deref().or(token))
            .map_err(|error| Refusal::Usage(format!("--follow {url}: {error}")))?;
        Ok(Some(Following { leader, writes: self.writes }))
    }
}

impl Following {
    /// Where writes are sent on to.
    pub(super) fn forward(&self) -> Option<Leader> {
        (self.writes == Writes::Forward).then(|| self.leader.clone())
    }

    /// The stage that the copy is kept in.
    ///
    /// # Errors
    ///
    /// None: there is such a stage.
    pub(super) fn stage() -> Result<&'static Stage> {
        logladder::stage(STAGE).ok_or_else(|| Refusal::Usage(format!("there is no stage {STAGE}")).into())
    }

    /// Opens the copy, or makes it.
    ///
    /// # Errors
    ///
    /// Another stage was asked for, or the folder holds no copy.
    pub(super) fn open(&self, arguments: &StoreArguments) -> Result<Arc<Box<dyn Engine>>> {
        if arguments.stage.as_deref().is_some_and(|stage| stage != STAGE && stage != "7") {
            let what = format!("a copy is kept in a {STAGE}: leave --stage out");
            return Err(Refusal::Usage(what).into());
        }
        if arguments.versions.is_some() {
            let what = "a copy counts no versions: ask the server that it follows, and leave --versions out";
            return Err(Refusal::Usage(what.to_owned()).into());
        }
        let sync = arguments.sync.unwrap_or(SyncPolicy::Never);
        let options = Options::new(self.leader.clone()).with_sync(sync);
        let copy = arguments.wait_for(|| Follower::open(&arguments.dir, options.clone()))?;
        Ok(Arc::new(Box::new(copy)))
    }
}

/// Who serves a copy without saying whom it follows wants it to follow nobody: it becomes a store of its own.
///
/// # Errors
///
/// It cannot be read or written.
pub(super) fn promote_copy(engine: &dyn Engine) -> Result<()> {
    if engine.name() != STAGE {
        return Ok(());
    }
    match promote(engine)? {
        None => {}
        Some(whole @ Promoted::Whole) => info!("Promoted: {whole}"),
        Some(part @ Promoted::InPart) => warn!("Promoted: {part}"),
    }
    Ok(())
}
