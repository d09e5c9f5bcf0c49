//! Subjects and their stores without their types: the cases are compiled once,
//! not once a store.

use std::{future::Future, pin::Pin, sync::Arc};

use super::{Capabilities, HeldConfirm, Settings, Subject};
use crate::store::{ConfirmTarget, FeedbackStore};

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a case is given.
pub(super) type Tested = Arc<dyn Opener>;

pub(super) trait Opener: Send + Sync {
    fn open(&self, settings: Settings) -> Boxed<'_, Arc<dyn Opened>>;
    fn capabilities(&self) -> Capabilities;
    fn histories(&self) -> u64;
}

/// A store object, with what its subject can do with it.
pub(super) trait Opened: Send + Sync {
    fn store(&self) -> Arc<dyn FeedbackStore>;
    fn open_again(&self, settings: Settings) -> Boxed<'_, Option<Arc<dyn Opened>>>;
    fn hold_confirm(&self, target: ConfirmTarget) -> Boxed<'_, Option<Box<dyn HeldConfirm>>>;
}

pub(super) fn tested(subject: impl Subject) -> Tested {
    Arc::new(Erased(Arc::new(subject)))
}

struct Erased<S>(Arc<S>);

struct Store<S: Subject> {
    subject: Arc<S>,
    store: Arc<S::Store>,
}

impl<S: Subject> Opener for Erased<S> {
    fn open(&self, settings: Settings) -> Boxed<'_, Arc<dyn Opened>> {
        Box::pin(async {
            let store = Arc::new(self.0.open(settings).await);
            Arc::new(Store { subject: self.0.clone(), store }) as Arc<dyn Opened>
        })
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    fn histories(&self) -> u64 {
        self.0.histories()
    }
}

impl<S: Subject> Opened for Store<S> {
    fn store(&self) -> Arc<dyn FeedbackStore> {
        self.store.clone()
    }

    fn open_again(&self, settings: Settings) -> Boxed<'_, Option<Arc<dyn Opened>>> {
        Box::pin(async {
            let store = Arc::new(self.subject.open_again(&self.store, settings).await?);
            Some(Arc::new(Self { subject: self.subject.clone(), store }) as Arc<dyn Opened>)
        })
    }

    fn hold_confirm(&self, target: ConfirmTarget) -> Boxed<'_, Option<Box<dyn HeldConfirm>>> {
        Box::pin(self.subject.hold_confirm(&self.store, target))
    }
}
