//! The golden scripts in `scripts/`, which every stage runs: see the page there for their commands.

use std::error::Error;
use std::path::Path;

use goldenscript::{ArgumentConsumer, Context, Runner};
use logladder_engine::Engine;

use crate::show::{show, show_value};
use crate::{Bench, Capability, Place, Store, Subject};

/// Hands the list of scripts to a macro, after whatever else that one is to get.
#[doc(hidden)]
#[macro_export]
macro_rules! __every_script {
    ([$($callback:tt)*] $($given:tt)*) => {
        $($callback)*! {
            $($given)*
            every::values_come_back;
            every::deleted_keys_are_gone;
            every::empty_is_not_absent;
            every::json_is_only_text;
            every::nothing_means_deleted;
            every::newlines_end_nothing;
            every::paths_are_only_keys;
            every::stats_count_what_is_live;
            iterating::a_scan_shows_what_is_live;
            persistent::a_reopened_store_is_the_same;
            persistent::deletes_outlive_the_store;
            with_files::one_owner_at_a_time;
            with_files::a_strangers_folder_is_left_alone;
            with_files::unfinished_files_are_ignored;
            compacting::compaction_changes_nothing_but_size;
        }
    };
}

/// Where the scripts are: in this crate, whoever runs them.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts");

/// Runs the script `folder/name`, as a test: panics if its output differs from the golden one. Does nothing if
/// the subject cannot do what the scripts of that folder need.
#[doc(hidden)]
pub fn assert_script(subject: &Subject, folder: &str, name: &str) {
    let applies = match folder {
        "iterating" => subject.can(Capability::Iterate),
        "persistent" => subject.persists(),
        "with_files" => subject.has_files(),
        "compacting" => subject.can(Capability::Compact) && subject.persists(),
        _ => true,
    };
    if !applies {
        return;
    }
    let mut runner = ScriptRunner { bench: Bench::new(subject, Place::RecordingDisk), store: None };
    let path = Path::new(SCRIPTS).join(folder).join(name);
    if let Err(error) = goldenscript::run(&mut runner, &path) {
        panic!("the script {folder}/{name} failed: {error}");
    }
}

struct ScriptRunner {
    bench: Bench,
    /// Opened by the first command that needs it.
    store: Option<Store>,
}

type Output = Result<String, Box<dyn Error>>;

impl ScriptRunner {
    fn engine(&mut self) -> Result<&dyn Engine, Box<dyn Error>> {
        if self.store.is_none() {
            self.open()?;
        }
        Ok(self.store.as_ref().ok_or("the store is not open")?.engine())
    }

    fn open(&mut self) -> Result<(), Box<dyn Error>> {
        match self.bench.try_open() {
            Ok(engine) => {
                self.store = Some(Store::new(engine));
                Ok(())
            }
            Err(error) => Err(self.anonymous(&error.to_string()).into()),
        }
    }

    fn close(&mut self) -> Result<(), Box<dyn Error>> {
        let store = self.store.take().ok_or("the store is not open")?;
        Ok(store.into_engine().close()?)
    }

    /// The same for every stage.
    fn anonymous(&self, text: &str) -> String {
        text.replace(self.bench.subject().name(), "STAGE")
    }

    fn scan(&mut self) -> Output {
        self.engine()?;
        let contents = self.store.as_ref().map(Store::contents).unwrap_or_default();
        let lines = contents.iter().map(|(key, value)| format!("{} = {}\n", show(key), show(value)));
        Ok(if contents.is_empty() { "nothing".to_owned() } else { lines.collect() })
    }
}

impl Runner for ScriptRunner {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _context: &Context) -> Output {
        let mut args = command.consume_args();
        let mut output = String::new();
        match command.name.as_str() {
            "set" => self.engine()?.set(&bytes(&mut args)?, &bytes(&mut args)?)?,
            "delete" => self.engine()?.delete(&bytes(&mut args)?)?,
            "get" => {
                let key = bytes(&mut args)?;
                let value = self.engine()?.get(&key)?;
                output = format!("{} = {}", show(&key), show_value(value.as_deref()));
            }
            "scan" => output = self.scan()?,
            "stats" => {
                let stats = self.engine()?.stats()?;
                output = format!("live keys: {}, live bytes: {}", stats.live_keys, stats.live_bytes);
            }
            "sync" => self.engine()?.sync()?,
            "compact" => {
                self.engine()?.as_compact().ok_or("it cannot compact")?.compact()?;
            }
            "open" => self.open()?,
            "close" => self.close()?,
            "reopen" => {
                self.engine()?;
                self.close()?;
                self.open()?;
            }
            "drop" => {
                self.store = None;
                self.open()?;
            }
            "open-twice" => {
                self.engine()?;
                drop(self.bench.try_open()?);
            }
            "put" => {
                let name = args.next_pos().ok_or("which file?")?;
                self.bench.put(&self.bench.path(name), &bytes(&mut args)?);
            }
            "take" => {
                let path = self.bench.path(args.next_pos().ok_or("which file?")?);
                output = show(&self.bench.disk().read(&path)?);
                self.bench.disk().remove(&path)?;
            }
            other => return Err(format!("there is no command `{other}`").into()),
        }
        args.reject_next()?;
        Ok(output)
    }
}

/// The next argument: text, or bytes in hexadecimal after `0x`.
fn bytes(args: &mut ArgumentConsumer<'_>) -> Result<Vec<u8>, Box<dyn Error>> {
    let text = args.next_pos().ok_or("a key or value is missing")?;
    let Some(digits) = text.strip_prefix("0x") else { return Ok(text.as_bytes().to_vec()) };
    let digits: Vec<char> = digits.chars().collect();
    digits.chunks(2).map(|pair| Ok(u8::from_str_radix(&pair.iter().collect::<String>(), 16)?)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    macro_rules! names {
        ($($folder:ident::$name:ident;)*) => { [$((stringify!($folder), stringify!($name))),*] };
    }

    #[test]
    fn every_script_in_the_folders_is_in_the_list() {
        let listed: BTreeSet<PathBuf> = crate::__every_script! { [names] }
            .into_iter()
            .map(|(folder, name)| Path::new(SCRIPTS).join(folder).join(name))
            .collect();
        let mut found = BTreeSet::new();
        for folder in ["every", "iterating", "persistent", "with_files", "compacting"] {
            for entry in std::fs::read_dir(Path::new(SCRIPTS).join(folder)).unwrap() {
                found.insert(entry.unwrap().path());
            }
        }
        assert_eq!(listed, found);
    }
}
