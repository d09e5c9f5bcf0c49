//! How an entry of the ledger serializes: for people and their tools, without the key.

use serde_core::ser::{Serialize, SerializeMap, Serializer};

use super::{FailureKind, LedgerEntry, LedgerStatus};
use crate::Timestamp;

impl Serialize for LedgerEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let dimensions = self.segment.dimensions();
        let mut out = serializer.serialize_map(None)?;
        out.serialize_entry("sid", &self.sid.to_string())?;
        out.serialize_entry("account", &self.account.to_string())?;
        out.serialize_entry("base_url", self.base_url.as_str())?;
        out.serialize_entry("sent_at", &self.sent_at.to_rfc3339())?;
        out.serialize_entry("label", &self.label())?;
        out.serialize_entry("country", &dimensions.country.map(|of| of.to_string()))?;
        out.serialize_entry("channel", &dimensions.channel.map(|of| of.to_string()))?;
        let service = dimensions.messaging_service.map(|of| of.to_string());
        out.serialize_entry("messaging_service", &service)?;
        out.serialize_entry("message_status", &self.message_status.map(|of| of.to_string()))?;
        out.serialize_entry("error_code", &self.error_code)?;
        status(self.status, &mut out)?;
        out.end()
    }
}

fn status<M: SerializeMap>(status: LedgerStatus, out: &mut M) -> Result<(), M::Error> {
    let (name, confirmed, attempts) = match status {
        LedgerStatus::Pending => return out.serialize_entry("status", "pending"),
        LedgerStatus::Queued { confirmed_at, attempts } => ("queued", confirmed_at, attempts),
        LedgerStatus::Delivered { confirmed_at, attempts, .. } => {
            ("delivered", confirmed_at, attempts)
        }
        LedgerStatus::Dead { confirmed_at, attempts, .. } => ("dead", confirmed_at, attempts),
    };
    out.serialize_entry("status", name)?;
    out.serialize_entry("confirmed_at", &confirmed.to_rfc3339())?;
    out.serialize_entry("attempts", &attempts.total)?;
    let time = |at: Timestamp| at.to_rfc3339();
    match status {
        LedgerStatus::Delivered { delivered_at, .. } => {
            out.serialize_entry("delivered_at", &time(delivered_at))
        }
        LedgerStatus::Dead { died_at, failure, .. } => {
            out.serialize_entry("died_at", &time(died_at))?;
            out.serialize_entry("failure", kind(failure.kind))?;
            out.serialize_entry("failure_status", &failure.status)?;
            out.serialize_entry("failure_code", &failure.code)
        }
        LedgerStatus::Pending | LedgerStatus::Queued { .. } => Ok(()),
    }
}

const fn kind(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Rejected => "rejected",
        FailureKind::NotFound => "not_found",
        FailureKind::GaveUp => "gave_up",
        FailureKind::OriginNotAllowed => "origin_not_allowed",
    }
}
