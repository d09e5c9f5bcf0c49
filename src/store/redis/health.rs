use redis::{Value, from_redis_value};
use tracing::warn;

use super::{RedisStoreError, connection::Connection};

/// How Redis keeps what it has written, as far as it says.
///
/// In a cluster it is the weakest of its masters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Persistence {
    /// There is no append-only file: snapshots at most. A crash of the server
    /// loses what was written since the last one.
    Off,
    /// There is an append-only file; how often it is synced cannot be read,
    /// because `CONFIG` is forbidden.
    Unproven,
    /// The append-only file is synced when the operating system thinks fit
    /// (`appendfsync no`).
    System,
    /// The append-only file is synced once a second (`appendfsync everysec`): a
    /// crash of the machine loses up to two seconds.
    EverySecond,
    /// The append-only file is synced before each answer (`appendfsync always`).
    Always,
}

/// Fewer fields than a bucket may have, and listpacks become hash tables.
const LISTPACK_ENTRIES: u64 = 300;
/// The longest field that most records need.
const LISTPACK_VALUE: u64 = 64;

/// Looks at every master, and refuses one that would lose what is queued.
pub(super) async fn check(connection: &Connection) -> Result<Persistence, RedisStoreError> {
    let mut weakest = Persistence::Always;
    for info in connection.ask_masters(&redis::cmd("INFO")).await? {
        let info: String = from_redis_value(info)
            .map_err(|_| RedisStoreError::unreadable("the answer to INFO"))?;
        let info = Info(&info);
        let version = info.field("redis_version").unwrap_or_default();
        if !is_supported(version) {
            return Err(RedisStoreError::too_old(version));
        }
        // Some managed servers do not say; they are not refused for that.
        match info.field("maxmemory_policy") {
            Some("noeviction") => {}
            Some(policy) => return Err(RedisStoreError::eviction(policy)),
            None => warn!("Redis does not say its maxmemory-policy; it must be noeviction"),
        }
        if info.field("aof_enabled") != Some("1") {
            weakest = Persistence::Off;
        }
    }
    let synced = config(connection, "appendfsync")
        .await
        .and_then(|settings| settings.iter().map(|(_, value)| synced(value)).min());
    let persistence = weakest.min(synced.unwrap_or(Persistence::Unproven));
    tell(persistence);
    warn_of_small_listpacks(connection).await;
    Ok(persistence)
}

fn synced(appendfsync: &str) -> Persistence {
    match appendfsync {
        "always" => Persistence::Always,
        "everysec" => Persistence::EverySecond,
        "no" => Persistence::System,
        _ => Persistence::Unproven,
    }
}

fn tell(persistence: Persistence) {
    match persistence {
        Persistence::Always => {}
        Persistence::EverySecond | Persistence::System => warn!(
            ?persistence,
            "Redis syncs after it has answered: what was just confirmed may be lost with its machine"
        ),
        Persistence::Unproven => warn!(
            "Redis does not say how it syncs its append-only file: that a confirm survives it is unproven"
        ),
        Persistence::Off => warn!(
            "Redis has no append-only file: what was confirmed since the last snapshot is lost with the server"
        ),
    }
}

async fn warn_of_small_listpacks(connection: &Connection) {
    for (name, value) in config(connection, "hash-max-*").await.unwrap_or_default() {
        let least = match name.rsplit('-').next() {
            Some("entries") => LISTPACK_ENTRIES,
            Some("value") => LISTPACK_VALUE,
            _ => continue,
        };
        if value.parse::<u64>().is_ok_and(|value| value < least) {
            warn!(setting = name, value, least, "a pending message takes about twice the memory");
        }
    }
}

/// Settings by name, of every master; `None` where they are not to be read.
async fn config(connection: &Connection, pattern: &str) -> Option<Vec<(String, String)>> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(pattern);
    let answers = connection.ask_masters(&command).await.ok()?;
    let mut settings = Vec::new();
    for answer in answers {
        let flat: Vec<String> = match answer {
            Value::Map(pairs) => pairs
                .into_iter()
                .flat_map(|(name, value)| [name, value])
                .map(from_redis_value)
                .collect::<Result<_, _>>()
                .ok()?,
            other => from_redis_value(other).ok()?,
        };
        // A master that does not say makes it unproven for all.
        if flat.is_empty() {
            return None;
        }
        let mut flat = flat.into_iter();
        while let (Some(name), Some(value)) = (flat.next(), flat.next()) {
            settings.push((name, value));
        }
    }
    Some(settings)
}

struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    fn field(&self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    }
}

fn is_supported(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    (major, minor) >= (6, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, supported) in [
            ("6.2.0", true),
            ("7.0.15", true),
            ("10.0", true),
            ("6.0.16", false),
            ("5.0.14", false),
            ("", false),
        ] {
            assert_eq!(is_supported(version), supported, "{version}");
        }
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let info = Info("# Memory\r\nmaxmemory_policy_old:x\r\nmaxmemory_policy:noeviction\r\n");
        assert_eq!(info.field("maxmemory_policy"), Some("noeviction"));
        assert_eq!(info.field("maxmemory"), None);
    }

    #[test]
    fn the_weakest_is_the_least() {
        use Persistence::{Always, EverySecond, Off, System, Unproven};
        assert!(
            Off < Unproven && Unproven < System && System < EverySecond && EverySecond < Always
        );
    }
}
