use std::{error::Error, fmt, io};

use redis::{ErrorKind, RedisError};

use crate::store::StoreError;

/// Why a [`RedisStore`](super::RedisStore) could not be opened, or could not
/// answer: it is the source of its [`StoreError`]s.
///
/// The text names no key, id or credential: what Redis says beyond the code of
/// its error is left out, because it may quote a command's arguments.
#[derive(Debug, Clone)]
pub struct RedisStoreError(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Setting(&'static str),
    Unreachable(Option<io::ErrorKind>),
    TimedOut,
    Answered(Box<str>),
    Eviction(Box<str>),
    TooOld(Box<str>),
    NotMigrated,
    OldSchema { found: u64, needs: u64 },
    NewSchema { found: u64, knows: u64 },
    Replicas { wanted: u32, acknowledged: u64 },
    Unreadable(&'static str),
    TooManyNames,
    Contended,
}

impl RedisStoreError {
    pub(super) const fn setting(problem: &'static str) -> Self {
        Self(Kind::Setting(problem))
    }

    pub(super) const fn timed_out() -> Self {
        Self(Kind::TimedOut)
    }

    pub(super) fn eviction(policy: &str) -> Self {
        Self(Kind::Eviction(policy.into()))
    }

    pub(super) fn too_old(version: &str) -> Self {
        Self(Kind::TooOld(version.into()))
    }

    pub(super) const fn not_migrated() -> Self {
        Self(Kind::NotMigrated)
    }

    pub(super) const fn old_schema(found: u64, needs: u64) -> Self {
        Self(Kind::OldSchema { found, needs })
    }

    pub(super) const fn new_schema(found: u64, knows: u64) -> Self {
        Self(Kind::NewSchema { found, knows })
    }

    pub(super) const fn replicas(wanted: u32, acknowledged: u64) -> Self {
        Self(Kind::Replicas { wanted, acknowledged })
    }

    /// An answer, or something at rest, that is not what it should be.
    pub(super) const fn unreadable(what: &'static str) -> Self {
        Self(Kind::Unreadable(what))
    }

    pub(super) const fn too_many_names() -> Self {
        Self(Kind::TooManyNames)
    }

    pub(super) const fn contended() -> Self {
        Self(Kind::Contended)
    }

    /// Whether the data has to be created or upgraded with
    /// [`migrate`](super::RedisStore::migrate) first.
    #[must_use]
    pub fn needs_migration(&self) -> bool {
        matches!(self.0, Kind::NotMigrated | Kind::OldSchema { .. })
    }

    /// Whether Redis refused because its memory is full: `maxmemory` is reached.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        matches!(&self.0, Kind::Answered(code) if **code == *"OOM")
    }

    /// Whether Redis did not answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Kind::TimedOut)
    }

    /// Whether a confirm took place and too few replicas said that they have it.
    #[must_use]
    pub fn lacks_replicas(&self) -> bool {
        matches!(self.0, Kind::Replicas { .. })
    }
}

impl fmt::Display for RedisStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Setting(problem) => f.write_str(problem),
            Kind::Unreachable(None) => f.write_str("Redis cannot be reached"),
            Kind::Unreachable(Some(kind)) => write!(f, "Redis cannot be reached: {kind}"),
            Kind::TimedOut => f.write_str("Redis did not answer in time"),
            Kind::Answered(code) if **code == *"OOM" => f.write_str(
                "Redis is out of memory (OOM): raise its maxmemory, or shorten what is kept",
            ),
            Kind::Answered(code) => write!(f, "Redis answered an error: {code}"),
            Kind::Eviction(policy) => write!(
                f,
                "Redis may evict what is not delivered yet: set maxmemory-policy to noeviction (it is {policy})"
            ),
            Kind::TooOld(version) => {
                write!(f, "Redis 6.2 or later is needed, and this is {version}")
            }
            Kind::NotMigrated => {
                f.write_str("there is no feedback store under this prefix: call migrate() first")
            }
            Kind::OldSchema { found, needs } => write!(
                f,
                "the data has version {found} and version {needs} is needed: call migrate() first"
            ),
            Kind::NewSchema { found, knows } => write!(
                f,
                "the data has version {found}, which this release cannot read (it knows {knows}): upgrade tower-message-feedback"
            ),
            Kind::Replicas { wanted, acknowledged } => write!(
                f,
                "the confirm took place, and {acknowledged} of {wanted} replicas acknowledged it in time"
            ),
            Kind::Unreadable(what) => write!(f, "not what this release reads: {what}"),
            Kind::Contended => f.write_str("others keep claiming the same message"),
            Kind::TooManyNames => {
                f.write_str("there are too many accounts or origins to number them")
            }
        }
    }
}

impl Error for RedisStoreError {}

/// The code of an error that the server answered.
///
/// Before Redis 7 a script that fails has the code `ERR`, and that of the command
/// in it stands in the text: `Error running script (…): @user_script:1:
/// @user_script: 1: -READONLY You can't write …`.
pub(super) fn code(error: &RedisError) -> Option<&str> {
    match (error.code(), error.detail()) {
        (Some("ERR"), Some(detail)) => Some(code_in_script(detail).unwrap_or("ERR")),
        (code, _) => code,
    }
}

fn code_in_script(detail: &str) -> Option<&str> {
    let (_, answer) = detail.strip_prefix("Error running script")?.split_once(": -")?;
    let code = answer.split(' ').next()?;
    (!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase())).then_some(code)
}

impl From<RedisError> for RedisStoreError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            return Self(Kind::TimedOut);
        }
        Self(match error.kind() {
            ErrorKind::Io => Kind::Unreachable(
                error
                    .source()
                    .and_then(|source| source.downcast_ref::<io::Error>())
                    .map(io::Error::kind),
            ),
            ErrorKind::ClusterConnectionNotFound => Kind::Unreachable(None),
            kind => Kind::Answered(match code(&error) {
                Some(code) => code.into(),
                None => format!("{kind:?}").into(),
            }),
        })
    }
}

impl From<RedisStoreError> for StoreError {
    fn from(error: RedisStoreError) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> RedisError {
        let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes());
        answer.and_then(redis::Value::extract_error).unwrap_err()
    }

    #[test]
    fn the_code_is_the_commands_also_where_redis_6_names_the_script_first() {
        let script = "ERR Error running script (call to f_0a): @user_script:7: ";
        for (said, expected) in [
            ("READONLY You can't write against a read only replica.", "READONLY"),
            (
                &format!("{script}@user_script: 7: -READONLY You can't write against it. "),
                "READONLY",
            ),
            (&format!("{script}@user_script: 7: -OOM command not allowed"), "OOM"),
            (&format!("{script}user_script:7: attempt to index a nil value"), "ERR"),
            (&format!("{script}what is that: -Secret 7"), "ERR"),
            ("ERR something: -READONLY that no script said", "ERR"),
        ] {
            let error = answered(said);
            assert_eq!(code(&error), Some(expected), "{said}");
            let error = RedisStoreError::from(error);
            assert_eq!(error.is_out_of_memory(), expected == "OOM", "{said}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
