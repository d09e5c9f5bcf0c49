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

        impl $crate::counters::Striped<$counters> {
            pub(crate) fn snapshot(&self) -> $stats {
                $stats { $( $name: self.sum(|counters| &counters.$name), )* }
            }
        }
    };
}

pub(crate) use counters;

use std::{ops::Deref, sync::atomic::AtomicUsize};

use crate::sync::{
    atomic::{AtomicU64, Ordering::Relaxed},
    thread_local,
};

/// Counters that threads do not share, or each increment would take their cache line from
/// another core. It derefs to those of the current thread.
#[derive(Debug, Default)]
pub(crate) struct Striped<C>([Stripe<C>; STRIPES]);

/// Apart from its neighbours by two lines, which processors fetch together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Stripe<C>(C);

/// More threads than these share some.
const STRIPES: usize = if cfg!(message_feedback_shuttle) { 2 } else { 8 };

impl<C> Deref for Striped<C> {
    type Target = C;

    fn deref(&self) -> &C {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static STRIPE: usize = NEXT.fetch_add(1, Relaxed) % STRIPES;
        }
        // A thread that ends has none any more.
        &self.0[STRIPE.try_with(|stripe| *stripe).unwrap_or(0)].0
    }
}

impl<C> Striped<C> {
    /// The counter of all threads together.
    pub(crate) fn sum(&self, counter: impl Fn(&C) -> &Counter) -> u64 {
        self.0.iter().map(|stripe| counter(&stripe.0).get()).sum()
    }
}

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

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_counted_together() {
        let counter = Striped::<Counter>::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment()));
            }
        });
        assert_eq!(counter.sum(|counter| counter), 2_000 * STRIPES as u64);
    }
}
