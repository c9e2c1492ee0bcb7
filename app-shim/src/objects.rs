// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tables of objects that programs create, and the identifiers that name them. Under the kernel lock.
//!
//! An identifier holds the kind (4 bits), how many objects have been at the place (14 bits), and the place plus 1 (13
//! bits): one of a deleted object names nothing until the place has been used 16384 times more. It fits into a
//! positive `int`, since old programs keep it in one.

use crate::error::{Error, Result};

/// Names an object; 0 names none.
pub(crate) type Id = u64;

/// What has a table.
pub(crate) trait Object {
    /// Differs between kinds, 1 to 15.
    const KIND: u8;
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    object: Option<T>,
}

#[derive(Debug)]
pub(crate) struct Table<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

/// Objects of one kind at most.
const MOST: usize = 8191;

/// The identifier of the object at a place.
pub(crate) fn id(kind: u8, index: u32, generation: u32) -> Id {
    Id::from(kind) << 27 | Id::from(generation & 0x3fff) << 13 | Id::from(index + 1)
}

/// The place that an identifier would name; whether it does is to be seen by comparing.
pub(crate) fn place_of(id: Id) -> Result<usize> {
    (id as usize & 0x1fff).checked_sub(1).ok_or(Error::NoSuch)
}

impl<T: Object> Table<T> {
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    fn id(index: u32, generation: u32) -> Id {
        id(T::KIND, index, generation)
    }

    fn place(&self, id: Id) -> Result<usize> {
        let index = place_of(id)?;
        let place = self.places.get(index).ok_or(Error::NoSuch)?;
        if place.object.is_some() && Self::id(index as u32, place.generation) == id {
            Ok(index)
        } else {
            Err(Error::NoSuch)
        }
    }

    /// Puts an object in; not from service routines, since the table may grow.
    pub(crate) fn insert(&mut self, object: T) -> Result<Id> {
        let index = if let Some(index) = self.free.pop() {
            index
        } else {
            if self.places.len() >= MOST {
                return Err(Error::NoMemory);
            }
            self.places.push(Place {
                generation: 0,
                object: None,
            });
            // Taking an object out then needs no memory.
            self.free.reserve(self.places.len());
            self.places.len() as u32 - 1
        };
        let place = self.places.get_mut(index as usize).ok_or(Error::NoMemory)?;
        place.object = Some(object);
        Ok(Self::id(index, place.generation))
    }

    pub(crate) fn get(&mut self, id: Id) -> Result<&mut T> {
        let index = self.place(id)?;
        self.places
            .get_mut(index)
            .and_then(|p| p.object.as_mut())
            .ok_or(Error::NoSuch)
    }

    pub(crate) fn remove(&mut self, id: Id) -> Result<T> {
        let index = self.place(id)?;
        let place = self.places.get_mut(index).ok_or(Error::NoSuch)?;
        let object = place.object.take().ok_or(Error::NoSuch)?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(index as u32);
        Ok(object)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Id, &T)> {
        (0..).zip(&self.places).filter_map(|(index, place)| {
            let id = Self::id(index, place.generation);
            Some((id, place.object.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Object for &str {
        const KIND: u8 = 15;
    }

    #[test]
    fn identifiers_of_what_is_gone_name_nothing() {
        let mut table = Table::new();
        let a = table.insert("a").unwrap();
        let b = table.insert("b").unwrap();
        assert_eq!(table.get(a), Ok(&mut "a"));
        assert_eq!(table.remove(a), Ok("a"));
        assert_eq!(table.get(a), Err(Error::NoSuch));
        assert_eq!(table.remove(a), Err(Error::NoSuch));
        let c = table.insert("c").unwrap();
        assert_ne!(a, c);
        assert_eq!(place_of(c), place_of(a), "the place is used again");
        assert!(i32::try_from(c).is_ok());
        assert_eq!(table.get(a), Err(Error::NoSuch));
        assert_eq!(table.iter().count(), 2);
        assert_eq!(table.get(b), Ok(&mut "b"));
        assert_eq!(table.get(0), Err(Error::NoSuch));
        assert_eq!(table.get(b & !(0xf << 27)), Err(Error::NoSuch), "kind");
    }
}
