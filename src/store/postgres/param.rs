//! What is sent and read in binary, without a copy in text and without a value
//! in the driver's log: it prints parameters with `Debug`.

use std::{error::Error, fmt};

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::CorrelationKey;

/// A correlation key as a `uuid`: PostgreSQL's type of 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(pub(super) CorrelationKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl ToSql for Key {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    to_sql_checked!();
}

impl FromSql<'_> for Key {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(CorrelationKey::from_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

/// Milliseconds, and less than would overflow when it is added to a time.
pub(super) fn millis(duration: std::time::Duration) -> i64 {
    const LONGEST: i64 = 1 << 52;
    i64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}
