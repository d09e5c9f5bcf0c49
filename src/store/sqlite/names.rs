//! Accounts, base URLs and labels: few distinct ones, so that a message names
//! them by small numbers.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use rusqlite::types::{Value, ValueRef};

use super::{
    error::{Problem, SqliteError},
    statements::{Query, Statements},
};
use crate::{AccountSid, BaseUrl};

/// What a number stands for.
pub(super) trait Name: Clone + Eq + Hash {
    const ID: Query;
    const ADD: Query;
    const NAME: Query;
    const COLUMN: &'static str;

    fn to_value(&self) -> Value;
    fn from_value(value: ValueRef<'_>) -> Option<Self>;
}

impl Name for AccountSid {
    const ID: Query = Query::AccountId;
    const ADD: Query = Query::AddAccount;
    const NAME: Query = Query::Account;
    const COLUMN: &'static str = "tmf_account.sid";

    fn to_value(&self) -> Value {
        Value::Blob(self.pack())
    }

    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        Self::unpack(value.as_blob().ok()?)
    }
}

impl Name for BaseUrl {
    const ID: Query = Query::BaseUrlId;
    const ADD: Query = Query::AddBaseUrl;
    const NAME: Query = Query::BaseUrl;
    const COLUMN: &'static str = "tmf_base_url.url";

    fn to_value(&self) -> Value {
        Value::Text(self.as_str().to_owned())
    }

    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok()?.parse().ok()
    }
}

impl Name for Arc<str> {
    const ID: Query = Query::LabelId;
    const ADD: Query = Query::AddLabel;
    const NAME: Query = Query::Label;
    const COLUMN: &'static str = "tmf_label.name";

    fn to_value(&self) -> Value {
        Value::Text(self.as_ref().to_owned())
    }

    fn from_value(value: ValueRef<'_>) -> Option<Self> {
        Some(value.as_str().ok()?.into())
    }
}

/// The names that a connection has met. A number is given once and for all, but
/// one that a transaction gave is gone if the transaction is undone.
#[derive(Default)]
pub(super) struct Names {
    pub(super) accounts: Dictionary<AccountSid>,
    pub(super) base_urls: Dictionary<BaseUrl>,
    pub(super) labels: Dictionary<Arc<str>>,
}

pub(super) struct Dictionary<N> {
    ids: HashMap<N, i64>,
    names: HashMap<i64, N>,
}

impl<N> Default for Dictionary<N> {
    fn default() -> Self {
        Self { ids: HashMap::new(), names: HashMap::new() }
    }
}

impl<N: Name> Dictionary<N> {
    /// The number of a name; a new name gets one.
    pub(super) fn id(
        &mut self,
        name: &N,
        statements: &mut Statements<'_>,
    ) -> Result<i64, SqliteError> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let value = name.to_value();
        let id = match statements.row(N::ID, [&value], |row| Ok(row.get(0)?))? {
            Some(id) => id,
            None => statements.insert(N::ADD, [&value])?,
        };
        self.learn(id, name.clone());
        Ok(id)
    }

    /// What a number stands for.
    pub(super) fn name(
        &mut self,
        id: i64,
        statements: &mut Statements<'_>,
    ) -> Result<N, SqliteError> {
        if let Some(name) = self.names.get(&id) {
            return Ok(name.clone());
        }
        let found = statements.row(N::NAME, [id], |row| Ok(N::from_value(row.get_ref(0)?)))?;
        let name = found.flatten().ok_or(Problem::Unreadable { column: N::COLUMN })?;
        self.learn(id, name.clone());
        Ok(name)
    }

    fn learn(&mut self, id: i64, name: N) {
        const MOST: usize = 4096;
        if self.names.len() >= MOST {
            *self = Self::default();
        }
        self.ids.insert(name.clone(), id);
        self.names.insert(id, name);
    }
}
