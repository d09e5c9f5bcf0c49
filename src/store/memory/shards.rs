use std::hash::Hash;

use dashmap::{DashMap, mapref::entry::Entry};

/// A sharded map whose guards never leave it: each lock lasts as long as one
/// closure, so none is ever held over an await.
#[derive(Debug)]
pub(super) struct Shards<K: Eq + Hash, V>(DashMap<K, V>);

/// A value that is worth no entry once it holds nothing.
pub(super) trait IsEmpty {
    fn is_empty(&self) -> bool;
}

impl<K: Eq + Hash, V> Shards<K, V> {
    pub(super) fn new() -> Self {
        Self(DashMap::new())
    }

    /// Looks at the value under `key`.
    pub(super) fn read<R>(&self, key: &K, read: impl FnOnce(&V) -> R) -> Option<R> {
        self.0.get(key).map(|value| read(&value))
    }

    /// Puts `value` under `key` if there is none yet, and looks at what is there.
    pub(super) fn insert_or_read<R>(&self, key: K, value: V, read: impl FnOnce(&V) -> R) -> R {
        read(&self.0.entry(key).or_insert(value))
    }

    pub(super) fn remove(&self, key: &K) {
        self.0.remove(key);
    }
}

impl<K: Clone + Eq + Hash, V: IsEmpty> Shards<K, V> {
    /// Changes the value under `key`, if there is one.
    pub(super) fn update<R>(&self, key: K, update: impl FnOnce(&mut V) -> R) -> Option<R> {
        match self.0.entry(key) {
            Entry::Occupied(mut occupied) => {
                let result = update(occupied.get_mut());
                if occupied.get().is_empty() {
                    occupied.remove();
                }
                Some(result)
            }
            Entry::Vacant(_) => None,
        }
    }

    /// Changes the value under `key`, an empty one if there was none.
    pub(super) fn update_or_default<R>(&self, key: K, update: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        let mut occupied = match self.0.entry(key) {
            Entry::Occupied(occupied) => occupied,
            Entry::Vacant(vacant) => vacant.insert_entry(V::default()),
        };
        let result = update(occupied.get_mut());
        if occupied.get().is_empty() {
            occupied.remove();
        }
        result
    }
}
