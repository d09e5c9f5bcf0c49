use std::sync::Arc;

use hashbrown::HashMap;

use crate::{
    store::{Dimensions, Segment},
    sync::{PoisonError, RwLock},
};

/// The few segments that an application sends in, so that a send shares one.
#[derive(Debug, Default)]
pub(crate) struct Segments(RwLock<HashMap<Parts, Segment>>);

/// A label, and what the message's own form tells.
type Parts = (Option<Arc<str>>, Dimensions);

impl Segments {
    const MAX: usize = 10_000;

    pub(crate) fn of(&self, label: Option<Arc<str>>, dimensions: Dimensions) -> Segment {
        let of = (label, dimensions);
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = known.get(&of) {
            return segment.clone();
        }
        drop(known);
        let segment = Segment::new(of.0.as_deref(), dimensions);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Some application will put an id into its label.
        if known.len() >= Self::MAX {
            known.clear();
        }
        known.insert(of, segment.clone());
        segment
    }
}
