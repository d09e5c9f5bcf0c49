//! The small numbers that stand for an account, a base URL and a label.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use tokio_postgres::Row;

use super::{
    access::{Access, Link},
    error::PostgresError,
    statements::Statements,
};
use crate::{
    AccountSid, BaseUrl,
    store::{Segment, TrackedMessage},
};

/// Beyond it, everything is forgotten and asked for again: a label should name a
/// sort of message, and some application will put an id into it.
const MOST: usize = 50_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Source {
    pub(super) account: AccountSid,
    pub(super) base_url: BaseUrl,
    pub(super) segment: Segment,
}

impl Source {
    fn of(message: &TrackedMessage) -> Self {
        Self {
            account: message.account,
            base_url: message.base_url.clone(),
            segment: message.segment.clone(),
        }
    }
}

/// What the store object has seen of the tables `source` and `account`: their
/// rows never change.
#[derive(Default)]
pub(super) struct Sources(RwLock<Known>);

#[derive(Default)]
struct Known {
    ids: HashMap<Source, i32>,
    by_id: HashMap<i32, (i32, Source)>,
}

impl Sources {
    fn known<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, learn: impl FnOnce(&mut Known)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.ids.len().max(known.by_id.len()) > MOST {
            *known = Known::default();
        }
        learn(&mut known);
    }

    /// The account's number, of a source that was seen.
    pub(super) fn account(&self, source: i32) -> Option<i32> {
        self.known(|known| known.by_id.get(&source).map(|(account, _)| *account))
    }

    /// The number of each message's source; new ones are given one.
    pub(super) async fn ids<'a>(
        &self,
        access: &Access,
        link: Link<'_>,
        statements: &Statements,
        messages: impl Iterator<Item = &'a TrackedMessage>,
    ) -> Result<Vec<i32>, PostgresError> {
        let wanted: Vec<Source> = messages.map(Source::of).collect();
        let known: Option<Vec<i32>> = self
            .known(|known| wanted.iter().map(|source| known.ids.get(source).copied()).collect());
        if let Some(ids) = known {
            return Ok(ids);
        }
        let mut unique = wanted.clone();
        unique.sort_by(|a, b| {
            (a.account, &a.base_url, &a.segment).cmp(&(b.account, &b.base_url, &b.segment))
        });
        unique.dedup();
        let ids = match link {
            Link::Pool(_) => self.resolve(link, statements, &unique).await?,
            // On a connection of our own: what the application rolls back must
            // not be remembered. If its transactions hold every connection, the
            // row is part of this one, and of no memory.
            Link::Joined(_) => match access.pool.status() {
                status if status.available > 0 || status.size < status.max_size => {
                    self.resolve(Link::Pool(access), statements, &unique).await?
                }
                _ => resolved(link, statements, &unique)
                    .await?
                    .into_iter()
                    .map(|(id, _)| id)
                    .collect(),
            },
        };
        let ids: HashMap<&Source, i32> = unique.iter().zip(ids).collect();
        Ok(wanted.iter().filter_map(|source| ids.get(source).copied()).collect())
    }

    async fn resolve(
        &self,
        link: Link<'_>,
        statements: &Statements,
        unique: &[Source],
    ) -> Result<Vec<i32>, PostgresError> {
        let found = resolved(link, statements, unique).await?;
        self.learn(|known| {
            for (source, (id, account)) in unique.iter().zip(&found) {
                known.ids.insert(source.clone(), *id);
                known.by_id.insert(*id, (*account, source.clone()));
            }
        });
        Ok(found.into_iter().map(|(id, _)| id).collect())
    }

    /// Makes sure that what `ids` stand for is known.
    pub(super) async fn load(
        &self,
        access: &Access,
        statements: &Statements,
        ids: impl Iterator<Item = i32>,
    ) -> Result<(), PostgresError> {
        let mut missing: Vec<i32> =
            self.known(|known| ids.filter(|id| !known.by_id.contains_key(id)).collect());
        if missing.is_empty() {
            return Ok(());
        }
        missing.sort_unstable();
        missing.dedup();
        let rows = access.query(&statements.sources_by_id, &[&missing]).await?;
        let found = rows.iter().map(read).collect::<Result<Vec<_>, PostgresError>>()?;
        self.learn(|known| {
            for (id, account, source) in found.into_iter().flatten() {
                known.ids.insert(source.clone(), id);
                known.by_id.insert(id, (account, source));
            }
        });
        Ok(())
    }

    /// What `id` stands for, if it was loaded.
    pub(super) fn get(&self, id: i32) -> Option<Source> {
        self.known(|known| known.by_id.get(&id).map(|(_, source)| source.clone()))
    }
}

/// A row that this version can read; one that it cannot belongs to a later one.
fn read(row: &Row) -> Result<Option<(i32, i32, Source)>, PostgresError> {
    let (account, base_url): (&[u8], &str) = (row.try_get(2)?, row.try_get(3)?);
    let label: Option<&str> = row.try_get(4)?;
    let (Some(account), Ok(base_url)) = (AccountSid::unpack(account), base_url.parse()) else {
        return Ok(None);
    };
    let source = Source {
        account,
        base_url,
        segment: label.map_or_else(Segment::default, Segment::from_stored),
    };
    Ok(Some((row.try_get(0)?, row.try_get(1)?, source)))
}

/// The numbers of sources and of their accounts.
async fn resolved(
    link: Link<'_>,
    statements: &Statements,
    sources: &[Source],
) -> Result<Vec<(i32, i32)>, PostgresError> {
    let accounts: Vec<Vec<u8>> = sources.iter().map(|source| source.account.pack()).collect();
    let base_urls: Vec<&str> = sources.iter().map(|source| source.base_url.as_str()).collect();
    let labels: Vec<Option<&str>> =
        sources.iter().map(|source| source.segment.stored().map(|text| &**text)).collect();
    // Another transaction may be inserting the same: it is visible the next time.
    for _ in 0..5 {
        let params: [super::access::Param<'_>; 3] = [&accounts, &base_urls, &labels];
        let rows = link.query(&statements.sources, &params).await?;
        let mut found = vec![None; sources.len()];
        for row in &rows {
            let ord: i64 = row.try_get(0)?;
            let place = usize::try_from(ord - 1).ok().and_then(|place| found.get_mut(place));
            if let Some(place) = place {
                *place = Some((row.try_get(1)?, row.try_get(2)?));
            }
        }
        if let Some(found) = found.into_iter().collect() {
            return Ok(found);
        }
    }
    Err(PostgresError::new("another transaction inserts the same account and holds it up"))
}
