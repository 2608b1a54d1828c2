//! A list with a bound: what is more than that is dropped, the oldest first.

use std::{
    borrow::Cow,
    ops::{Deref, DerefMut},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

/// At most `MOST` entries, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Bounded<T, const MOST: usize>(Vec<T>);

impl<T, const MOST: usize> Bounded<T, MOST> {
    /// There is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry; the oldest goes where there are too many.
    pub fn push(&mut self, entry: T) {
        self.0.push(entry);
        self.cut();
    }

    /// Adds entries, oldest first.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = T>) {
        self.0.extend(entries);
        self.cut();
    }

    /// Removes and returns the newest entry.
    pub fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    /// Removes and returns the newest entry if it is so.
    pub fn pop_if(&mut self, is_so: impl FnOnce(&mut T) -> bool) -> Option<T> {
        self.0.pop_if(is_so)
    }

    /// Keeps only what is so.
    pub fn retain(&mut self, is_so: impl FnMut(&T) -> bool) {
        self.0.retain(is_so);
    }

    /// Keeps the newest `most`.
    pub fn keep_newest(&mut self, most: usize) {
        self.0.drain(..self.0.len().saturating_sub(most));
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn cut(&mut self) {
        self.keep_newest(MOST);
    }
}

impl<T, const MOST: usize> Default for Bounded<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T, const MOST: usize> From<Vec<T>> for Bounded<T, MOST> {
    fn from(entries: Vec<T>) -> Self {
        let mut list = Self(entries);
        list.cut();
        list
    }
}

impl<T, const MOST: usize> FromIterator<T> for Bounded<T, MOST> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        Vec::from_iter(entries).into()
    }
}

impl<T, const MOST: usize> IntoIterator for Bounded<T, MOST> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T, const MOST: usize> IntoIterator for &'a Bounded<T, MOST> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T, const MOST: usize> IntoIterator for &'a mut Bounded<T, MOST> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

impl<T, const MOST: usize> Deref for Bounded<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MOST: usize> DerefMut for Bounded<T, MOST> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// An entry of a list that somebody else may have written: what cannot be read is dropped, and the rest stays.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry<T> {
    Known(T),
    Unknown(IgnoredAny),
}

impl<T> Entry<T> {
    fn known(self) -> Option<T> {
        match self {
            Self::Known(entry) => Some(entry),
            Self::Unknown(_) => None,
        }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Bounded<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry<T>>::deserialize(deserializer)?;
        Ok(entries.into_iter().filter_map(Entry::known).collect())
    }
}

impl<T: JsonSchema, const MOST: usize> JsonSchema for Bounded<T, MOST> {
    fn schema_name() -> Cow<'static, str> {
        format!("Bounded{MOST}{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "maxItems": MOST,
            "x-kubernetes-list-type": "atomic",
            "items": generator.subschema_for::<T>(),
        })
    }
}
