use std::time::Duration;

use super::{status_callback_url::StatusCallbackUrl, tally::ReportSettings};
use crate::{guard::PreviewGuard, store::Resends, twilio::SignatureVerifier};

/// The bounds that the handle and its layers keep.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) retention: Duration,
    pub(crate) resends: Resends,
    pub(crate) store_timeout: Duration,
    pub(crate) max_form_bytes: usize,
    pub(crate) max_receipt_bytes: usize,
    pub(crate) receipt_timeout: Duration,
    pub(crate) max_deferred: usize,
    pub(crate) max_waiting: usize,
    pub(crate) wait_for_record: Duration,
    pub(crate) guard: PreviewGuard,
    pub(crate) verifier: SignatureVerifier,
    pub(crate) status_callback: Option<StatusCallbackUrl>,
    pub(crate) report: ReportSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(3 * 24 * 60 * 60),
            resends: Resends::Newest,
            store_timeout: Duration::from_millis(250),
            max_form_bytes: 64 * 1024,
            max_receipt_bytes: 64 * 1024,
            receipt_timeout: Duration::from_secs(1),
            max_deferred: 10_000,
            max_waiting: 10_000,
            wait_for_record: Duration::from_secs(60),
            guard: PreviewGuard::default(),
            verifier: SignatureVerifier::default(),
            status_callback: None,
            report: ReportSettings::default(),
        }
    }
}
