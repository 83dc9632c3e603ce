//! Writing: the line first, the map after.

use std::sync::MutexGuard;

use logladder_engine::{Batch, Error, Result, Write, limits};

use crate::entry::Entry;
use crate::line;
use crate::store::{Made, Store, Writer};

impl Store {
    // ANCHOR: set
    pub(crate) fn set(&self, key: &[u8], value: &[u8]) -> Result<()> {
        limits::check_entry(key, value)?;
        let place = self.map.place(key);
        if self.options.syncs_each_write() {
            // Before the lock is taken.
            let made = Made::Set(Entry::new(place, key, value));
            let mut writer = self.writer()?;
            line::write_set(key, value, &mut writer.line);
            return self.make(writer, made);
        }
        let mut writer = self.writer()?;
        if self.options.has_log() {
            line::write_set(key, value, &mut writer.line);
        }
        self.append_line(&mut writer, 1)?;
        writer.show_appended();
        writer.newest.count(key);
        self.map.set(place, key, value, &writer.views)
    }
    // ANCHOR_END: set

    /// A key that has no value is left alone: it needs no line.
    pub(crate) fn delete(&self, key: &[u8]) -> Result<()> {
        limits::check_key(key)?;
        let writer = self.writer()?;
        if self.has_value(&writer, key)? {
            self.delete_present(writer, key)
        } else {
            self.settle(writer, key)
        }
    }

    fn delete_present(&self, mut writer: MutexGuard<'_, Writer>, key: &[u8]) -> Result<()> {
        if self.options.has_log() {
            line::write_delete(key, &mut writer.line);
        }
        self.make(writer, Made::Deleted(self.map.place(key), Box::from(key)))
    }

    fn has_value(&self, writer: &Writer, key: &[u8]) -> Result<bool> {
        match writer.pending_write(key) {
            Some(made) => Ok(made.value().is_some()),
            None => Ok(self.map.get(key, |_| ())?.is_some()),
        }
    }

    /// Returns when what was found of `key` is no longer in doubt.
    fn settle(&self, writer: MutexGuard<'_, Writer>, key: &[u8]) -> Result<()> {
        if writer.pending_write(key).is_none() {
            return Ok(());
        }
        let sequence = writer.sequence;
        drop(writer);
        self.commit(sequence)
    }

    /// Appends the line under way, and does what it says.
    fn make(&self, mut writer: MutexGuard<'_, Writer>, made: Made) -> Result<()> {
        self.append_line(&mut writer, 1)?;
        if self.options.syncs_each_write() {
            writer.pending.push(made);
            let sequence = writer.sequence;
            drop(writer);
            return self.commit(sequence);
        }
        writer.show_appended();
        let Writer { views, newest, .. } = &mut *writer;
        self.show(views, newest, made)
    }

    pub(crate) fn write(&self, batch: &Batch) -> Result<()> {
        // All limits first: once a write is done, the others must be.
        let (mut bytes, mut count) = (0_u64, 0_u64);
        for write in batch.iter() {
            let (key, value) = match write {
                Write::Set(key, value) => (key, value),
                Write::Delete(key) => (key, &[][..]),
            };
            limits::check_entry(key, value)?;
            bytes += (key.len() + value.len()) as u64;
            count += 1;
        }
        let limit = limits::MAX_VALUE_LEN as u64;
        if bytes > limit {
            return Err(Error::TooLarge { what: "the batch", len: bytes, limit });
        }
        if count == 0 {
            return self.poison.check();
        }
        let made = batch.iter().map(|write| match write {
            Write::Set(key, value) => Made::Set(Entry::new(self.map.place(key), key, value)),
            Write::Delete(key) => Made::Deleted(self.map.place(key), Box::from(key)),
        });
        let made: Vec<Made> = made.collect();
        let mut writer = self.writer()?;
        if self.options.has_log() {
            line::write_batch(batch, &mut writer.line);
        }
        self.append_line(&mut writer, count)?;
        if self.options.syncs_each_write() {
            writer.pending.extend(made);
            let sequence = writer.sequence;
            drop(writer);
            return self.commit(sequence);
        }
        writer.show_appended();
        let Writer { views, newest, .. } = &mut *writer;
        made.into_iter().try_for_each(|made| self.show(views, newest, made))
    }

    pub(crate) fn compare_and_set(
        &self,
        key: &[u8],
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<bool> {
        limits::check_entry(key, new.unwrap_or_default())?;
        let mut writer = self.writer()?;
        let is_expected = match writer.pending_write(key) {
            Some(made) => made.value() == expected,
            None => match self.map.get(key, |value| Some(value) == expected)? {
                Some(is_expected) => is_expected,
                None => expected.is_none(),
            },
        };
        match (is_expected, new) {
            // Nothing is there, and nothing shall be.
            (true, None) if expected.is_none() => self.settle(writer, key).map(|()| true),
            (true, None) => self.delete_present(writer, key).map(|()| true),
            (true, Some(value)) => {
                if self.options.has_log() {
                    line::write_set(key, value, &mut writer.line);
                }
                let made = Made::Set(Entry::new(self.map.place(key), key, value));
                self.make(writer, made).map(|()| true)
            }
            (false, _) => self.settle(writer, key).map(|()| false),
        }
    }
}
