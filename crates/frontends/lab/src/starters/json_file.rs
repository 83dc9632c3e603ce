//! One JSON file, written anew on every set.
//!
//! ```text
//!   set("name", "anna")                               get("name")
//!        │ the map, changed                                ▲ from memory
//!        ▼                                                 │
//!   store.json     5d8e2a11                       ┌────────┴───────────┐
//!                  {"city":"Dhaka","name":"anna"} │ a map of all of it │
//!                                                 └────────────────────┘
//! ```
//!
//! The first line is the CRC-32 of the second, in eight hexadecimal digits. The second is one JSON object. How a byte string
//! becomes the name of a member, or its value, is said in `logladder_json`.
//!
//! Crash contract: an acknowledged write survives a loss of power, with [`SyncPolicy::Always`]: the file is replaced whole. A
//! damaged file is an error, and is left as it is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use logladder_disk::{Disk, OpenOn, Poison, RealDisk, StoreFolder, replace};
use logladder_engine::{
    Durability, Engine, Error, Field, Iterate, Open, Result, Stats, SyncPolicy, Visit, limits,
};
use logladder_json::{decode_name, decode_raw, encode, encode_name};
use serde_json::value::RawValue;

const NAME: &str = "mine";
const VERSION: u32 = 1;
/// The store's one file.
const FILE: &str = "store.json";

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store in memory, and the whole of it in one file.
#[derive(Debug)]
pub struct Store {
    folder: StoreFolder,
    sync: SyncPolicy,
    /// What is in the file.
    map: RwLock<Map>,
    /// One write at a time.
    writer: Mutex<()>,
    /// Refuses writes once one has failed.
    poison: Poison,
}

impl OpenOn for Store {
    fn open_on(disk: Arc<dyn Disk>, dir: &Path, sync: SyncPolicy) -> Result<Self> {
        //~ step 1 open: open
        //~ do Take the folder, sync it, and put it into a `Store` with what `load` gives. What is in a file that was there already
        //~ + is for `load` to say, which is written at the end.
        //~ hint `StoreFolder::open` makes the folder, locks it, and refuses it if it is another's. Its last argument says which
        //~ + file names are yours.
        //~ hint `folder.disk().sync_dir(folder.dir())` syncs the folder: the process that replaced the file last may have died
        //~ + before it could.
        //~ hint
        //~ + let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| name == FILE)?;
        //~ + folder.disk().sync_dir(folder.dir())?;
        //~ + let map = RwLock::new(load(&folder)?);
        //~ + Ok(Self { folder, sync, map, writer: Mutex::default(), poison: Poison::default() })
        let folder = StoreFolder::open(disk, dir, NAME, VERSION, |name| name == FILE)?;
        folder.disk().sync_dir(folder.dir())?;
        let map = RwLock::new(load(&folder)?);
        Ok(Self { folder, sync, map, writer: Mutex::default(), poison: Poison::default() })
        //~ end
    }
}

/// The text of the file that holds this map.
fn text_of(map: &Map) -> Vec<u8> {
    //~ step 3 text: set
    //~ checks written
    //~ do Write the two lines: the checksum of the second, and one JSON object of all keys and values.
    //~ hint `encode_name(key, &mut json)` appends a key as the name of a member, with its quotation marks; `encode(value, &mut
    //~ + json)` appends a value. Braces, colons and commas are yours.
    //~ hint The checksum of the second line is `crc32fast::hash(&json)`; `{:08x}` formats it as eight digits.
    //~ hint
    //~ + let mut json = vec![b'{'];
    //~ + for (number, (key, value)) in map.iter().enumerate() {
    //~ +     if number > 0 { json.push(b','); }
    //~ +     encode_name(key, &mut json);
    //~ +     json.push(b':');
    //~ +     encode(value, &mut json);
    //~ + }
    //~ + json.push(b'}');
    //~ + let mut text = format!("{:08x}\n", crc32fast::hash(&json)).into_bytes(); … then the JSON and a line feed
    let mut json = vec![b'{'];
    for (number, (key, value)) in map.iter().enumerate() {
        if number > 0 {
            json.push(b',');
        }
        encode_name(key, &mut json);
        json.push(b':');
        encode(value, &mut json);
    }
    json.push(b'}');
    let mut text = format!("{:08x}\n", crc32fast::hash(&json)).into_bytes();
    text.extend(json);
    text.push(b'\n');
    text
    //~ end
}

/// What the file holds, if there is one.
fn load(folder: &StoreFolder) -> Result<Map> {
    let (disk, path) = (folder.disk(), folder.path(FILE));
    if disk.entry(&path)?.is_none() {
        return Ok(Map::new());
    }
    let file = disk.read(&path)?;
    //~ step 6 load: reopen
    //~ checks model crash flips cuts faults
    //~ do Check the checksum, and make a map of the JSON. A file that is not as `text_of` wrote it is damaged: an error, with its path.
    //~ hint Whatever is in the file, this must not panic: `split_once` and `strip_suffix` of a slice of bytes, or of a text from
    //~ + `str::from_utf8`, say None where the line feed is missing.
    //~ hint `serde_json::from_str::<BTreeMap<String, Box<RawValue>>>` parses the object, and leaves each value as its own text.
    //~ + `decode_name` and `decode_raw` give the bytes that were written.
    //~ hint
    //~ + let damaged = |what: &str| Error::corrupt(&path, 0, what);
    //~ + let text = str::from_utf8(&file).map_err(|_| damaged("it is no text"))?;
    //~ + let (checksum, json) = text.split_once('\n').ok_or_else(|| damaged("it has no second line"))?;
    //~ + let json = json.strip_suffix('\n').ok_or_else(|| damaged("its second line has no end"))?;
    //~ + … damaged, unless checksum == format!("{:08x}", crc32fast::hash(json.as_bytes())) …
    //~ + … parse; for each member: map.insert(decode_name(&name)….into_owned(), decode_raw(&value)….into_owned())
    let damaged = |what: &str| Error::corrupt(&path, 0, what);
    let text = str::from_utf8(&file).map_err(|_| damaged("it is no text"))?;
    let (checksum, json) = text.split_once('\n').ok_or_else(|| damaged("it has no second line"))?;
    let json = json.strip_suffix('\n').ok_or_else(|| damaged("its second line has no end"))?;
    if checksum != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
        return Err(damaged("its checksum is not that of its second line"));
    }
    let members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))?;
    let mut map = Map::new();
    for (name, value) in members {
        let key = decode_name(&name).map_err(|error| damaged(&error.to_string()))?;
        let value = decode_raw(&value).map_err(|error| damaged(&error.to_string()))?;
        map.insert(key.into_owned(), value.into_owned());
    }
    Ok(map)
    //~ end
}

impl Store {
    /// Makes a change: to a copy of the map, then to the file, and only then to the map that readers see.
    fn write(&self, change: impl FnOnce(&mut Map)) -> Result<()> {
        let _one_at_a_time = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        let mut map = self.map.read().map_err(|_| Error::panicked())?.clone();
        change(&mut map);
        //~ step 2 write:
        //~ do Put the text of the new map in the place of the file, so that a crash leaves the old one or the new one, whole. When
        //~ + that has succeeded, let readers see the new map.
        //~ hint Writing over the file would leave half of it behind. `replace` writes a new one, syncs it, and renames it.
        //~ hint `self.poison.guard(outcome)?` remembers a failure: nobody knows which of the two files is there then.
        //~ hint
        //~ + let (disk, path) = (self.folder.disk(), self.folder.path(FILE));
        //~ + self.poison.guard(replace(&**disk, &path, &[&text_of(&map)], self.sync))?;
        //~ + *self.map.write().map_err(|_| Error::panicked())? = map;
        //~ + Ok(())
        let (disk, path) = (self.folder.disk(), self.folder.path(FILE));
        self.poison.guard(replace(&**disk, &path, &[&text_of(&map)], self.sync))?;
        *self.map.write().map_err(|_| Error::panicked())? = map;
        Ok(())
        //~ end
    }
}

impl Engine for Store {
    fn name(&self) -> &'static str {
        NAME
    }

    fn durability(&self) -> Durability {
        self.sync.durability()
    }

    fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        self.write(|map| drop(map.insert(key.to_vec(), value.to_vec())))
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        limits::check_key(key)?;
        //~ step 4 get: get visit
        //~ do Give a copy of the key's value, or None. No file is read.
        //~ hint `self.map.read()` lets many threads look at once. It fails if a thread panicked while it wrote: that is
        //~ + `Error::panicked()`.
        //~ hint A `BTreeMap<Vec<u8>, _>` can be asked for a `&[u8]`. What it gives must be copied: `cloned`.
        //~ hint Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        Ok(self.map.read().map_err(|_| Error::panicked())?.get(key).cloned())
        //~ end
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        //~ step 5 delete: delete
        //~ do Write the map without the key. That it was not there is fine.
        //~ hint A delete is a write like `set`; only the change is another one.
        //~ hint `self.write` takes the change as a closure, which gives nothing back: `drop` what `remove` gives.
        //~ hint self.write(|map| drop(map.remove(key)))
        self.write(|map| drop(map.remove(key)))
        //~ end
    }

    /// Each write was synced before it was acknowledged, unless the policy is `Never`.
    fn sync(&self) -> Result<()> {
        let _one_at_a_time = self.writer.lock().map_err(|_| Error::panicked())?;
        self.poison.check()?;
        self.poison.guard(self.folder.disk().sync_files(self.folder.dir()))
    }

    fn stats(&self) -> Result<Stats> {
        let mut stats = Stats::default();
        let map = self.map.read().map_err(|_| Error::panicked())?;
        stats.live_keys = map.len() as u64;
        stats.live_bytes = map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum();
        stats.disk_bytes = self.folder.disk_bytes()?;
        Ok(stats)
    }

    fn as_iterate(&self) -> Option<&dyn Iterate> {
        Some(self)
    }
}

impl Iterate for Store {
    /// Copies the list of keys first, so that no lock is held while the visitor runs.
    fn for_each(&self, visit: &mut Visit<'_>) -> Result<()> {
        let keys: Vec<Vec<u8>> = self.map.read().map_err(|_| Error::panicked())?.keys().cloned().collect();
        for key in keys {
            let Some(value) = self.get(&key)? else { continue };
            if visit(&key, &value) == ControlFlow::Break(()) {
                break;
            }
        }
        Ok(())
    }
}

impl Open for Store {
    type Options = SyncPolicy;

    fn open(dir: &Path, sync: SyncPolicy) -> Result<Self> {
        Self::open_on(RealDisk::shared(), dir, sync)
    }
}

/// Names the bytes of the file, for whoever looks at them. It says what is there, sound or not.
#[must_use]
pub fn describe(_file: &str, bytes: &[u8]) -> Vec<Field> {
    let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
        return vec![Field::new(0..bytes.len(), "rest", "no line")];
    };
    let (checksum, json) = (&bytes[..end], &bytes[end + 1..]);
    let json = json.strip_suffix(b"\n").unwrap_or(json);
    let matches = *checksum == *format!("{:08x}", crc32fast::hash(json)).as_bytes();
    vec![
        Field::new(0..end, "checksum", if matches { "matches" } else { "does not match" }),
        Field::new(end..end + 1, "line feed", ""),
        Field::new(end + 1..end + 1 + json.len(), "object", String::from_utf8_lossy(json)),
        Field::new(end + 1 + json.len()..bytes.len(), "line feed", ""),
    ]
}
