//! Whatever threads do at once with the store in memory, its answers and what it holds in
//! the end are as if they had done it one after the other.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shuttle::{rand::Rng, thread};
use tower_message_feedback::{
    ManualClock, MessageStatus,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, Failure, FailureKind, FeedbackStore, ForgetTarget,
        LeaseRequest, Leased, MemoryStore, RecordOutcome, ResendOutcome, Resends, SettleOutcome,
        SettledAs, Settlement, StatusOutcome, StatusUpdate,
    },
};

use super::kit::{account, at, at_once, explore, key, message, sid};

/// Messages, two under the first key and one under the second.
const MESSAGES: [(u8, u8); 3] = [(1, 1), (2, 1), (3, 2)];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Op {
    Record(u8),
    Confirm(u8),
    ConfirmMessage(u8),
    Lease,
    /// What this thread has leased first.
    Settle(u8),
    Forget(u8),
    Resend(u8),
    Status(u8, MessageStatus),
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Recorded(RecordOutcome),
    Confirmed(ConfirmOutcome),
    Leased(Option<(tower_message_feedback::MessageSid, Attempts)>),
    Settled(Option<SettleOutcome>),
    Forgotten(usize),
    Resent(ResendOutcome),
    Status(StatusOutcome),
}

/// A thread, and what it holds a lease on.
#[derive(Default)]
struct Actor {
    held: Vec<Leased>,
}

fn tracked(n: u8) -> tower_message_feedback::store::TrackedMessage {
    message(n, MESSAGES[usize::from(n) - 1].1, 1_000_000)
}

impl Actor {
    fn act(&mut self, store: &MemoryStore, op: Op) -> Answer {
        match op {
            Op::Record(n) => Answer::Recorded(at_once(store.record(&[tracked(n)]))[0]),
            Op::Confirm(n) => {
                let target = ConfirmTarget::Id { keys: key(n).into(), resends: Resends::Newest };
                Answer::Confirmed(at_once(store.confirm(&[target]))[0])
            }
            Op::ConfirmMessage(n) => {
                let target = ConfirmTarget::Message(tracked(n));
                Answer::Confirmed(at_once(store.confirm(&[target]))[0])
            }
            Op::Lease => {
                let request = LeaseRequest::new(1, Duration::from_secs(1_000));
                let leased = at_once(store.lease(&request)).entries.pop();
                let answer = leased.as_ref().map(|leased| (leased.sid, leased.attempts));
                self.held.extend(leased);
                Answer::Leased(answer)
            }
            Op::Settle(how) => {
                if self.held.is_empty() {
                    return Answer::Settled(None);
                }
                let leased = self.held.remove(0);
                let settled_as = match how {
                    0 => SettledAs::Delivered,
                    1 => SettledAs::Retry(Duration::ZERO),
                    _ => SettledAs::Dead(Failure::new(FailureKind::Rejected, Some(400), None)),
                };
                let settlement = Settlement::new(&leased, Attempts::new(1, 0), settled_as);
                Answer::Settled(Some(at_once(store.settle(&[settlement]))[0]))
            }
            Op::Forget(n) => {
                Answer::Forgotten(at_once(store.forget(&[ForgetTarget::Message(sid(n))]))[0])
            }
            Op::Resend(n) => Answer::Resent(at_once(store.resend(&[sid(n)]))[0]),
            Op::Status(n, status) => {
                let update = StatusUpdate::new(sid(n), account(), status);
                Answer::Status(at_once(store.update_status(&[update]))[0])
            }
        }
    }
}

/// What one thread did, and between which moments.
#[derive(Debug, Clone)]
struct Done {
    op: Op,
    answer: Answer,
    from: usize,
    until: usize,
}

fn store() -> MemoryStore {
    MemoryStore::builder().clock(ManualClock::new(at(1_000)).clock()).build()
}

/// All that can be asked of a store that nobody changes.
fn state(store: &MemoryStore) -> String {
    let sids = MESSAGES.map(|(n, _)| sid(n));
    let by_sid = at_once(store.by_sid(&sids));
    let by_key = at_once(store.lookup(&[key(1).into(), key(2).into()]));
    for entry in by_key.iter().flatten() {
        assert!(by_sid.contains(&Some(entry.clone())), "it is found by its id alone: {entry:?}");
    }
    assert_eq!(by_key.iter().flatten().count(), by_sid.iter().flatten().count());
    let dead = at_once(store.dead_letters(None, 10));
    let counts = at_once(store.counts());
    assert_eq!(counts.messages, by_sid.iter().flatten().count() as u64);
    assert_eq!(counts.dead_letters, dead.len() as u64);
    let due = at_once(store.lease(&LeaseRequest::new(10, Duration::from_secs(1)))).entries;
    let mut due: Vec<_> = due.iter().map(|leased| (leased.sid, leased.attempts)).collect();
    due.sort_by_key(|(sid, _)| *sid);
    format!("{by_sid:?} {by_key:?} {dead:?} {counts:?} {due:?}")
}

/// Whether the rest of what threads did can follow what was done before in `order`.
fn explained(done: &[Vec<Done>], order: &mut Vec<usize>, expected: &str) -> bool {
    let mut next = vec![0; done.len()];
    order.iter().for_each(|thread| next[*thread] += 1);
    // What was over before another began comes before it.
    let left = || done.iter().zip(&next).filter_map(|(done, next)| done.get(*next));
    let Some(first_end) = left().map(|done| done.until).min() else {
        let (store, mut actors) = (store(), new_actors(done.len()));
        replay(done, order, &store, &mut actors);
        return state(&store) == expected;
    };
    for thread in 0..done.len() {
        if done[thread].get(next[thread]).is_none_or(|done| done.from > first_end) {
            continue;
        }
        order.push(thread);
        let (store, mut actors) = (store(), new_actors(done.len()));
        if replay(done, order, &store, &mut actors) && explained(done, order, expected) {
            return true;
        }
        order.pop();
    }
    false
}

fn new_actors(count: usize) -> Vec<Actor> {
    (0..count).map(|_| Actor::default()).collect()
}

/// Does it in this order; answers whether the last answer is the one that was given.
fn replay(done: &[Vec<Done>], order: &[usize], store: &MemoryStore, actors: &mut [Actor]) -> bool {
    let mut next = vec![0; done.len()];
    let mut is_same = true;
    for thread in order {
        let done = &done[*thread][next[*thread]];
        next[*thread] += 1;
        let answer = actors[*thread].act(store, done.op);
        is_same = answer == done.answer;
    }
    is_same
}

/// Has threads do this at once, after `before`, and looks for an order that explains it.
fn at_once_or_in_turn(before: &[Op], scripts: Vec<Vec<Op>>) {
    let store = Arc::new(store());
    let moment = Arc::new(Mutex::new(0_usize));
    let tick = |moment: &Mutex<usize>| {
        let mut moment = moment.lock().unwrap();
        *moment += 1;
        *moment
    };
    let mut first = Actor::default();
    let begun = |op: &Op| {
        let from = tick(&moment);
        let answer = first.act(&store, *op);
        Done { op: *op, answer, from, until: tick(&moment) }
    };
    let mut done = vec![before.iter().map(begun).collect::<Vec<_>>()];
    let threads: Vec<_> = scripts
        .into_iter()
        .map(|script| {
            let (store, moment) = (store.clone(), moment.clone());
            thread::spawn(move || {
                let mut actor = Actor::default();
                let mut done = Vec::new();
                for op in script {
                    let from = tick(&moment);
                    let answer = actor.act(&store, op);
                    let until = tick(&moment);
                    done.push(Done { op, answer, from, until });
                }
                done
            })
        })
        .collect();
    done.extend(threads.into_iter().map(|thread| thread.join().expect("no panic")));
    let state = state(&store);
    assert!(explained(&done, &mut Vec::new(), &state), "in no order: {done:#?}\nleft: {state}");
}

fn any_op() -> Op {
    let mut random = shuttle::rand::thread_rng();
    let n = random.gen_range(1..=3);
    match random.gen_range(0..12) {
        0 | 1 => Op::Record(n),
        2 => Op::Confirm(random.gen_range(1..=2)),
        3 | 4 => Op::ConfirmMessage(n),
        5 | 6 => Op::Lease,
        7 | 8 => Op::Settle(random.gen_range(0..3)),
        9 => Op::Forget(n),
        10 => Op::Resend(n),
        _ => Op::Status(n, [MessageStatus::Sent, MessageStatus::Delivered][usize::from(n) % 2]),
    }
}

#[test]
fn anything_at_once_is_as_if_it_was_done_in_turn() {
    explore(|| {
        let before: Vec<Op> = (0..3).map(|_| any_op()).collect();
        let scripts = (0..3).map(|_| (0..3).map(|_| any_op()).collect()).collect();
        at_once_or_in_turn(&before, scripts);
    });
}

#[test]
fn what_is_forgotten_and_comes_again_is_leased_once() {
    explore(|| {
        at_once_or_in_turn(
            &[Op::ConfirmMessage(1)],
            vec![vec![Op::Forget(1)], vec![Op::ConfirmMessage(1), Op::Lease, Op::Lease]],
        );
    });
}

#[test]
fn a_dead_letter_comes_and_goes_as_a_whole() {
    explore(|| {
        let dies = [Op::Lease, Op::Settle(2)];
        at_once_or_in_turn(
            &[Op::ConfirmMessage(1), Op::Lease, Op::Settle(2)],
            vec![
                vec![Op::Forget(1)],
                vec![Op::Resend(1), Op::ConfirmMessage(1), dies[0], dies[1]],
                vec![Op::Resend(1), dies[0], dies[1]],
            ],
        );
    });
}
