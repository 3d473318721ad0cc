//! A map whose entries live as long as the scope they were made in.

use rustc_hash::FxHashMap as HashMap;
use std::hash::Hash;

/// A map with nested scopes.
pub(super) struct Scoped<K, V> {
    map: HashMap<K, V>,
    undo: Vec<Vec<(K, Option<V>)>>,
}

impl<K: Copy + Eq + Hash, V: Copy> Scoped<K, V> {
    pub(super) fn new() -> Scoped<K, V> {
        Scoped { map: HashMap::default(), undo: Vec::new() }
    }
    pub(super) fn get(&self, key: K) -> Option<V> {
        self.map.get(&key).copied()
    }
    pub(super) fn insert(&mut self, key: K, value: V) {
        let old = self.map.insert(key, value);
        if let Some(scope) = self.undo.last_mut() {
            scope.push((key, old));
        }
    }
    pub(super) fn enter(&mut self) {
        self.undo.push(Vec::new());
    }
    /// Forgets what was inserted since the matching `enter`.
    pub(super) fn leave(&mut self) {
        for (key, old) in self.undo.pop().unwrap_or_default().into_iter().rev() {
            match old {
                Some(value) => self.map.insert(key, value),
                None => self.map.remove(&key),
            };
        }
    }
}
