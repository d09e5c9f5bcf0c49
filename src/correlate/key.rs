use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::CorrelationId;

/// What stands for a correlation id at rest: the first 128 bits of its
/// HMAC-SHA256 under the builder's correlation key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CorrelationKey([u8; 16]);

impl CorrelationKey {
    /// The key as a store keeps it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The key as a store keeps it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for CorrelationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrelationKey").finish_non_exhaustive()
    }
}

/// The keys under which an id may be at rest: the current one, and while a
/// rotation is under way the previous one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CorrelationKeys {
    /// The key that new records are written under.
    pub current: CorrelationKey,
    /// The key that older records may be found under.
    pub previous: Option<CorrelationKey>,
}

impl CorrelationKeys {
    /// The keys, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = CorrelationKey> + use<> {
        [Some(self.current), self.previous].into_iter().flatten()
    }
}

impl From<CorrelationKey> for CorrelationKeys {
    fn from(current: CorrelationKey) -> Self {
        Self { current, previous: None }
    }
}

/// The secrets that turn ids into keys.
#[derive(Clone)]
pub(crate) struct Keyring {
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

impl Keyring {
    pub(crate) fn new(current: &[u8], previous: Option<&[u8]>) -> Self {
        Self { current: keyed(current), previous: previous.map(keyed) }
    }

    /// Secrets that end with the process: enough for a store that does, too.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::getrandom(&mut secret)?;
        Ok(Self::new(&secret, None))
    }

    /// The keys of `id`; `None` for one that cannot match anything.
    pub(crate) fn keys(&self, id: &CorrelationId) -> Option<CorrelationKeys> {
        id.is_valid().then(|| CorrelationKeys {
            current: key(&self.current, id),
            previous: self.previous.as_ref().map(|secret| key(secret, id)),
        })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

fn key(secret: &Hmac<Sha256>, id: &CorrelationId) -> CorrelationKey {
    let mut mac = secret.clone();
    mac.update(&[id.kind() as u8]);
    mac.update(id.value());
    let digest = mac.finalize().into_bytes();
    let mut key = [0; 16];
    key.copy_from_slice(&digest[..16]);
    CorrelationKey(key)
}
