//! What has been computed where we are: a hash table with scopes, which ends as it began when a scope is left.
//!
//! Users build the macro unoptimised, and then a map of std's takes ten times as long.

use super::Key;
use crate::ir::Value;

/// Keys, and the value that each has now.
#[derive(Default)]
pub(super) struct Table {
    /// One more than the newest entry of each bucket; 0 where there is none.
    heads: Vec<u32>,
    entries: Vec<Entry>,
}

struct Entry {
    hash: u64,
    key: Key,
    value: Value,
    /// One more than the entry before it in its bucket.
    next: u32,
}

impl Table {
    fn bucket(&self, hash: u64) -> usize {
        // The number of buckets is a power of two; the upper half of a product is mixed best.
        (hash >> 32) as usize & (self.heads.len() - 1)
    }

    pub(super) fn get(&self, key: &Key) -> Option<Value> {
        if self.heads.is_empty() {
            return None;
        }
        let hash = key.digest();
        let mut at = self.heads[self.bucket(hash)];
        while at != 0 {
            let entry = &self.entries[at as usize - 1];
            if entry.hash == hash && entry.key == *key {
                return Some(entry.value);
            }
            at = entry.next;
        }
        None
    }

    /// The newest of equal keys is found.
    pub(super) fn insert(&mut self, key: Key, value: Value) {
        if self.entries.len() >= self.heads.len() {
            self.grow();
        }
        let hash = key.digest();
        let bucket = self.bucket(hash);
        let next = self.heads[bucket];
        self.entries.push(Entry { hash, key, value, next });
        self.heads[bucket] = u32::try_from(self.entries.len()).unwrap_or(0);
    }

    fn grow(&mut self) {
        self.heads = vec![0; (2 * self.heads.len()).max(64)];
        for k in 0..self.entries.len() {
            let bucket = self.bucket(self.entries[k].hash);
            self.entries[k].next = self.heads[bucket];
            self.heads[bucket] = k as u32 + 1;
        }
    }

    /// Where a scope begins.
    pub(super) fn enter(&self) -> usize {
        self.entries.len()
    }

    /// Forgets what has been inserted since a scope began.
    pub(super) fn leave(&mut self, began: usize) {
        while self.entries.len() > began {
            self.take();
        }
    }

    /// As [`Table::leave`], and gives what it forgets.
    pub(super) fn take_from(&mut self, began: usize) -> Table {
        let mut taken = Vec::new();
        while self.entries.len() > began {
            taken.extend(self.take());
        }
        let mut table = Table::default();
        while let Some(entry) = taken.pop() {
            table.insert(entry.key, entry.value);
        }
        table
    }

    /// The newest entry: the first of its bucket.
    fn take(&mut self) -> Option<Entry> {
        let entry = self.entries.pop()?;
        let bucket = self.bucket(entry.hash);
        self.heads[bucket] = entry.next;
        Some(entry)
    }
}
