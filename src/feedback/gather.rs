//! Records and confirms of many requests in one operation of the store.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use tokio::sync::oneshot;

use crate::{
    store::StoreError,
    sync::{Handle, Mutex, MutexGuard, PoisonError},
};

/// Puts together what is asked of a store while it is busy: a round trip and a commit for
/// each would be the first limit of a durable store. What comes alone is asked at once, and
/// nothing waits for company.
pub(super) struct Gather<I, O>(Mutex<State<I, O>>);

struct State<I, O> {
    waiting: Vec<Group<I, O>>,
    operations: usize,
}

/// What a request asks for.
struct Group<I, O> {
    items: Vec<I>,
    answer: oneshot::Sender<Result<Vec<O>, StoreError>>,
}

/// Operations at once: one is on its way while the store works at another.
const OPERATIONS: usize = if cfg!(message_feedback_shuttle) { 1 } else { 4 };
/// How many items make an operation no quicker for each.
const ENOUGH: usize = 256;

impl<I, O> Default for Gather<I, O> {
    fn default() -> Self {
        Self(Mutex::new(State { waiting: Vec::new(), operations: 0 }))
    }
}

impl<I: Send + 'static, O: Send + 'static> Gather<I, O> {
    /// Has `operation` answer for `items`, perhaps together with others' items. It goes on
    /// when the caller waits no more, if anybody else does.
    pub(super) async fn ask<Op, Fut>(
        self: &Arc<Self>,
        items: Vec<I>,
        operation: Op,
    ) -> Result<Vec<O>, StoreError>
    where
        Op: Fn(Vec<I>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<Vec<O>, StoreError>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        if self.join(Group { items, answer }) {
            let mut work = Box::pin(self.clone().work(operation));
            // A store that answers at once costs no task.
            let first = poll_fn(|cx| Poll::Ready(work.as_mut().poll(cx))).await;
            match Handle::try_current() {
                Ok(runtime) if first.is_pending() => drop(runtime.spawn(work)),
                Err(_) if first.is_pending() => work.await,
                _ => {}
            }
        }
        answered.await.unwrap_or_else(|_| Err(StoreError::new("the operation was given up")))
    }

    /// Whether the caller has to do the work.
    fn join(&self, group: Group<I, O>) -> bool {
        let mut state = self.state();
        state.waiting.push(group);
        let begins = state.operations < OPERATIONS;
        state.operations += usize::from(begins);
        begins
    }

    async fn work<Op, Fut>(self: Arc<Self>, operation: Op)
    where
        Op: Fn(Vec<I>) -> Fut,
        Fut: Future<Output = Result<Vec<O>, StoreError>>,
    {
        let mut under_way = UnderWay { gather: &self, has_ended: false };
        while let Some(groups) = self.next() {
            let mut items = Vec::new();
            let mut answers = Vec::new();
            for mut group in groups {
                answers.push((group.items.len(), group.answer));
                items.append(&mut group.items);
            }
            let mut operation = pin!(operation(items));
            let result = poll_fn(|cx| {
                // What nobody waits for is given up, as a future is that is dropped.
                let mut answers = answers.iter_mut();
                if answers.all(|(_, answer)| answer.poll_closed(cx).is_ready()) {
                    return Poll::Ready(None);
                }
                operation.as_mut().poll(cx).map(Some)
            });
            match result.await {
                None => {}
                Some(Ok(outcomes)) => {
                    let mut outcomes = outcomes.into_iter();
                    for (count, answer) in answers {
                        // Whoever asked may have stopped waiting.
                        let _ = answer.send(Ok(outcomes.by_ref().take(count).collect()));
                    }
                }
                Some(Err(error)) => {
                    for (_, answer) in answers {
                        let _ = answer.send(Err(error.clone()));
                    }
                }
            }
        }
        under_way.has_ended = true;
    }

    /// What is asked together next; if it is nothing, the operation has ended.
    fn next(&self) -> Option<Vec<Group<I, O>>> {
        let mut state = self.state();
        state.waiting.retain(|group| !group.answer.is_closed());
        if state.waiting.is_empty() {
            state.operations -= 1;
            return None;
        }
        let mut items = 0;
        let count = state.waiting.iter().take_while(|group| {
            let has_room = items < ENOUGH;
            items += group.items.len();
            has_room
        });
        let count = count.count();
        Some(state.waiting.drain(..count).collect())
    }
}

impl<I, O> Gather<I, O> {
    fn state(&self) -> MutexGuard<'_, State<I, O>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends an operation that does not come to its end: its store panicked, or its runtime shut
/// down.
struct UnderWay<'a, I, O> {
    gather: &'a Gather<I, O>,
    has_ended: bool,
}

impl<I, O> Drop for UnderWay<'_, I, O> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.gather.state().operations -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{sync::Semaphore, task::JoinHandle};

    use super::*;

    /// A store that doubles numbers, each operation once it is let.
    #[derive(Clone)]
    struct Store {
        gather: Arc<Gather<u32, u32>>,
        permits: Arc<Semaphore>,
        operations: Arc<Mutex<Vec<Vec<u32>>>>,
    }

    impl Store {
        fn new(permits: usize) -> Self {
            Self {
                gather: Arc::default(),
                permits: Arc::new(Semaphore::new(permits)),
                operations: Arc::default(),
            }
        }

        fn ask(&self, items: &[u32]) -> impl Future<Output = Result<Vec<u32>, StoreError>> + use<> {
            let (store, items) = (self.clone(), items.to_vec());
            async move {
                let asked = store.clone();
                let operation = move |items: Vec<u32>| {
                    let store = store.clone();
                    async move {
                        store.operations.lock().unwrap().push(items.clone());
                        store.permits.acquire().await.unwrap().forget();
                        assert!(!items.contains(&13), "it panics");
                        if items.contains(&7) {
                            return Err(StoreError::new("seven"));
                        }
                        Ok(items.into_iter().map(|item| 2 * item).collect())
                    }
                };
                asked.gather.ask(items, operation).await
            }
        }

        /// A task of its own, which has asked when this is over.
        async fn spawn(&self, items: &[u32]) -> JoinHandle<Result<Vec<u32>, StoreError>> {
            let task = tokio::spawn(self.ask(items));
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            task
        }

        /// Operations that hang, as many as there may be.
        async fn busy(&self) {
            for item in 0..OPERATIONS as u32 {
                self.spawn(&[item]).await;
            }
        }

        fn operations(&self) -> Vec<Vec<u32>> {
            self.operations.lock().unwrap().clone()
        }
    }

    #[test]
    fn what_comes_alone_is_asked_at_once_and_needs_no_runtime() {
        let store = Store::new(2);
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        for item in [1, 2] {
            let mut asked = Box::pin(store.ask(&[item]));
            let Poll::Ready(answer) = asked.as_mut().poll(&mut cx) else { panic!("not at once") };
            assert_eq!(answer.unwrap(), [2 * item]);
        }
        assert_eq!(store.operations(), [[1], [2]]);
    }

    #[tokio::test]
    async fn what_comes_while_the_store_is_busy_is_one_operation() {
        let store = Store::new(0);
        store.busy().await;
        let mut asked = Vec::new();
        for item in 20..30 {
            asked.push(store.spawn(&[item, item + 100]).await);
        }
        assert_eq!(store.operations().len(), OPERATIONS);
        store.permits.add_permits(OPERATIONS + 1);
        for (item, asked) in (20..).zip(asked) {
            assert_eq!(asked.await.unwrap().unwrap(), [2 * item, 2 * item + 200]);
        }
        let operations = store.operations();
        assert_eq!(operations.len(), OPERATIONS + 1);
        assert_eq!(operations[OPERATIONS].len(), 20);
    }

    #[tokio::test]
    async fn an_operation_is_bounded_and_nobody_waits_for_ever() {
        let store = Store::new(0);
        store.busy().await;
        let mut asked = Vec::new();
        for item in 0..1_000 {
            asked.push(store.spawn(&[100 + item]).await);
        }
        store.permits.add_permits(100);
        for asked in asked {
            asked.await.unwrap().unwrap();
        }
        let operations = store.operations();
        assert!(operations.iter().all(|items| items.len() <= ENOUGH));
        assert_eq!(operations.len(), OPERATIONS + 4);
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_nobody_along() {
        let store = Store::new(0);
        let first = store.spawn(&[1]).await;
        store.busy().await;
        let second = store.spawn(&[30]).await;
        let third = store.spawn(&[31]).await;
        first.abort();
        second.abort();
        store.permits.add_permits(100);
        assert_eq!(third.await.unwrap().unwrap(), [62]);
        assert_eq!(store.operations().last(), Some(&vec![3, 31]));
    }

    #[tokio::test]
    async fn an_error_is_everybodys_whose_items_it_was_and_a_panic_is_an_error() {
        let store = Store::new(0);
        store.busy().await;
        let failing = [store.spawn(&[7]).await, store.spawn(&[40]).await];
        store.permits.add_permits(100);
        for failing in failing {
            let error = failing.await.unwrap().unwrap_err();
            assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "seven");
        }
        for _ in 0..2 * OPERATIONS {
            store.permits.forget_permits(100);
            let panicking = store.spawn(&[13]).await;
            store.permits.add_permits(100);
            assert!(panicking.await.unwrap().is_err());
            assert_eq!(store.ask(&[1]).await.unwrap(), [2]);
        }
    }
}
