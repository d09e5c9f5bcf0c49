use std::{
    collections::{HashMap, HashSet},
    fmt,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

use redis::Value;
use sha2::{Digest, Sha256};

use super::{
    RedisStoreError, answer,
    connection::{Call, Connection},
    layout::Layout,
    packed::{Account, Place},
    script::Op,
};
use crate::{AccountSid, BaseUrl, store::Segment};

/// Where a message was created, and its segment.
pub(super) type Origin = (BaseUrl, Segment);

/// Accounts and origins under numbers of a few bytes: each record would repeat
/// them otherwise.
///
/// The numbers are kept in Redis, and here once they were met. A number is drawn
/// from a digest of the name, so that a name that a failover lost gets the same
/// number again, and no other name gets it meanwhile.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) accounts: Dictionary<AccountSid, 3>,
    pub(super) places: Dictionary<Origin, 2>,
}

pub(super) struct Dictionary<T, const N: usize> {
    known: RwLock<Known<T, N>>,
}

struct Known<T, const N: usize> {
    by_number: HashMap<[u8; N], T>,
    by_name: HashMap<T, [u8; N]>,
}

/// A name as Redis keeps it.
pub(super) trait Name: Clone + Eq + Hash {
    const KEY: &'static str;
    fn pack(&self) -> Vec<u8>;
    fn unpack(packed: &[u8]) -> Option<Self>;
}

impl Name for AccountSid {
    const KEY: &'static str = "accounts";

    fn pack(&self) -> Vec<u8> {
        (*self).pack()
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        Self::unpack(packed)
    }
}

impl Name for Origin {
    const KEY: &'static str = "places";

    fn pack(&self) -> Vec<u8> {
        let mut packed = self.0.as_str().as_bytes().to_vec();
        if let Some(segment) = self.1.stored() {
            packed.push(0);
            packed.extend(segment.as_bytes());
        }
        packed
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(packed).ok()?;
        let (base_url, segment) = text.split_once('\0').unwrap_or((text, ""));
        Some((base_url.parse().ok()?, Segment::from_stored(segment)))
    }
}

impl<T: Name, const N: usize> Dictionary<T, N> {
    /// The number of each name; `None` for one that there is no number left for.
    pub(super) async fn numbers<'a>(
        &self,
        connection: &Connection,
        layout: &Layout,
        names: impl Iterator<Item = &'a T>,
    ) -> Result<Vec<Option<[u8; N]>>, RedisStoreError>
    where
        T: 'a,
    {
        let names: Vec<&T> = names.collect();
        let unknown: HashSet<&T> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            names.iter().filter(|name| !known.by_name.contains_key(name)).copied().collect()
        };
        if !unknown.is_empty() {
            self.number(connection, layout, unknown.into_iter().cloned().collect()).await?;
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        Ok(names.into_iter().map(|name| known.by_name.get(name).copied()).collect())
    }

    /// Asks Redis for the numbers of names, which it gives out if it has to.
    async fn number(
        &self,
        connection: &Connection,
        layout: &Layout,
        names: Vec<T>,
    ) -> Result<(), RedisStoreError> {
        let mut call = Call::new(Op::Names, &layout.names(T::KEY));
        call.arg(N.to_string());
        for name in &names {
            let packed = name.pack();
            let digest = Sha256::digest(&packed);
            let wish =
                digest[..N].iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
            call.arg(wish.to_string());
            call.arg(packed);
        }
        let answers = connection.run(&[call]).await?.pop().unwrap_or(Value::Nil);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (name, number) in names.into_iter().zip(answer::strings(answers)?) {
            if let Ok(number) = number.try_into() {
                known.by_number.insert(number, name.clone());
                known.by_name.insert(name, number);
            }
        }
        Ok(())
    }

    /// The names of numbers, as far as anybody knows them.
    pub(super) async fn names(
        &self,
        connection: &Connection,
        layout: &Layout,
        numbers: impl Iterator<Item = [u8; N]>,
    ) -> Result<HashMap<[u8; N], T>, RedisStoreError> {
        let wanted: HashSet<[u8; N]> = numbers.collect();
        let mut found = HashMap::with_capacity(wanted.len());
        let mut unknown = Vec::new();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            for number in wanted {
                match known.by_number.get(&number) {
                    Some(name) => drop(found.insert(number, name.clone())),
                    None => unknown.push(number),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let [by_number, _] = layout.names(T::KEY);
        let mut command = redis::cmd("HMGET");
        command.arg(by_number);
        for number in &unknown {
            command.arg(&number[..]);
        }
        let names = answer::array(connection.command(&command).await?)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for (number, packed) in unknown.into_iter().zip(names) {
            let Value::BulkString(packed) = packed else { continue };
            let Some(name) = T::unpack(&packed) else { continue };
            known.by_number.insert(number, name.clone());
            known.by_name.insert(name.clone(), number);
            found.insert(number, name);
        }
        Ok(found)
    }

    /// Writes down again what is known here: a failover may have lost it.
    pub(super) async fn refresh(
        &self,
        connection: &Connection,
        layout: &Layout,
    ) -> Result<(), RedisStoreError> {
        let names: Vec<T> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.by_name.keys().cloned().collect()
        };
        for names in names.chunks(500) {
            self.number(connection, layout, names.to_vec()).await?;
        }
        Ok(())
    }
}

impl<T, const N: usize> Default for Dictionary<T, N> {
    fn default() -> Self {
        Self { known: RwLock::new(Known { by_number: HashMap::new(), by_name: HashMap::new() }) }
    }
}

impl<T, const N: usize> fmt::Debug for Dictionary<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Dictionary").field("known", &known.by_name.len()).finish()
    }
}

/// The numbers of a message's account and origin; without the label, if all
/// numbers are taken.
pub(super) fn numbered(
    account: Option<Account>,
    place: Option<Place>,
) -> Result<(Account, Place), RedisStoreError> {
    account.zip(place).ok_or(RedisStoreError::too_many_names())
}
