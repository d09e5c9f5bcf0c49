//! What all processes shall know, for whoever waits for it.

use std::time::Duration;

use super::shared::{Shared, single};
use crate::{
    CorrelationKey, CorrelationKeys,
    store::{Note, StoreError},
};

impl Shared {
    pub(super) async fn read_note(&self, keys: CorrelationKeys) -> Option<Vec<u8>> {
        let noted = self.within_bound(self.store.notes(&[keys])).await.and_then(single);
        noted.ok().flatten()
    }

    pub(super) async fn keep_note(
        &self,
        key: CorrelationKey,
        value: Vec<u8>,
        time: Duration,
    ) -> Result<(), StoreError> {
        let note = [Note::new(key, value, self.clock.now() + time)];
        self.within_bound(self.store.keep_notes(&note)).await.map(drop)
    }
}
