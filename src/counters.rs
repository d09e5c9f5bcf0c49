//! One list of counters makes the counters themselves and the snapshot that
//! an application reads.

macro_rules! counters {
    (
        $(#[$stats_attr:meta])*
        pub struct $stats:ident;
        $(#[$counters_attr:meta])*
        struct $counters:ident;
        $( $(#[$attr:meta])* $name:ident, )*
    ) => {
        $(#[$counters_attr])*
        #[derive(Debug, Default)]
        pub(crate) struct $counters {
            $( pub(crate) $name: $crate::counters::Counter, )*
        }

        $(#[$stats_attr])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct $stats {
            $( $(#[$attr])* pub $name: u64, )*
        }

        impl $counters {
            pub(crate) fn snapshot(&self) -> $stats {
                $stats { $( $name: self.$name.get(), )* }
            }
        }
    };
}

pub(crate) use counters;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
