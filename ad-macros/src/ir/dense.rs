//! A map from values, which are numbered: looked up by number. Users build the macro unoptimised, and then a hash map costs many
//! times this.

use super::types::Value;

/// What is known of some values.
#[derive(Clone, Debug)]
pub(crate) struct ValueMap<T> {
    /// One more than where the entry of each value is; 0 of those that have none.
    places: Vec<u32>,
    entries: Vec<T>,
}

impl<T> Default for ValueMap<T> {
    fn default() -> Self {
        ValueMap { places: Vec::new(), entries: Vec::new() }
    }
}

impl<T> ValueMap<T> {
    fn place(&self, v: Value) -> Option<usize> {
        let at = v.0 as usize;
        if at >= self.places.len() {
            return None;
        }
        match self.places[at] {
            0 => None,
            place => Some(place as usize - 1),
        }
    }

    // By reference, as of the maps of std.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn get(&self, v: &Value) -> Option<&T> {
        match self.place(*v) {
            None => None,
            Some(place) => Some(&self.entries[place]),
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn contains_key(&self, v: &Value) -> bool {
        self.place(*v).is_some()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn insert(&mut self, v: Value, entry: T) {
        if let Some(place) = self.place(v) {
            self.entries[place] = entry;
            return;
        }
        let at = v.0 as usize;
        if at >= self.places.len() {
            // Zeros come from the allocator as they are.
            let mut longer = vec![0; (2 * at).max(64)];
            longer[..self.places.len()].copy_from_slice(&self.places);
            self.places = longer;
        }
        self.entries.push(entry);
        self.places[at] = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
    }
}

/// Some values.
pub(crate) type ValueSet = ValueMap<()>;

impl ValueSet {
    pub(crate) fn contains(&self, v: Value) -> bool {
        self.place(v).is_some()
    }

    pub(crate) fn add_all(&mut self, values: &[Value]) {
        for v in values {
            self.insert(*v, ());
        }
    }
}

impl<T: Default> ValueMap<T> {
    /// The entry of a value, made where there is none.
    pub(crate) fn or_default(&mut self, v: Value) -> &mut T {
        let place = self.place(v).unwrap_or_else(|| {
            self.insert(v, T::default());
            self.entries.len() - 1
        });
        &mut self.entries[place]
    }
}

impl ValueMap<Value> {
    /// What stands for a value: itself, where nothing else does.
    pub(crate) fn or_itself(&self, v: Value) -> Value {
        match self.place(v) {
            None => v,
            Some(place) => self.entries[place],
        }
    }
}

impl<T> std::ops::Index<&Value> for ValueMap<T> {
    type Output = T;

    fn index(&self, v: &Value) -> &T {
        let place = self.places[v.0 as usize] as usize;
        &self.entries[place - 1]
    }
}
