//! Generated histories, in the store and in the model of it.

use proptest::prelude::*;
use tower_message_feedback::{
    Timestamp,
    store::{
        Attempts, ConfirmOutcome, ConfirmTarget, FeedbackStore, LeaseRequest, RecordOutcome,
        Resends, SettleOutcome, SettledAs, Settlement, TrackedMessage,
    },
};

use crate::{
    model::{DEAD_LETTERS, LEDGER, MAX_OUTBOX, Message, Model},
    support::{
        Fixture, LEASE, REJECTED, account, by_id, keys, message_of, now, rotated, seconds, sid,
        sids,
    },
};

const MESSAGES: u64 = 10;
const IDS: u8 = 4;
const MAX_MESSAGES: usize = 7;

#[derive(Debug, Clone)]
enum Op {
    Record { n: u64, id: u8, sent_in: u64, lives: u64 },
    Confirm { keys: (u8, Option<u8>), all: bool },
    ConfirmMessage { n: u64, id: u8 },
    Lease { limit: usize, small: usize },
    Settle { lease: prop::sample::Index, settled_as: SettledAs },
    Expire { limit: usize },
    Forget { id: u8 },
    Resend { n: u64 },
    Advance { by: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let (n, id) = (0..MESSAGES, 0..IDS);
    let settled_as = prop_oneof![
        Just(SettledAs::Delivered),
        Just(SettledAs::Dead(REJECTED)),
        (0..200_u64).prop_map(|wait| SettledAs::Retry(seconds(wait))),
    ];
    prop_oneof![
        6 => (n.clone(), id.clone(), prop_oneof![0..50_u64, 55..65_u64, 3000..4000_u64], 1..900_u64)
            .prop_map(|(n, id, sent_in, lives)| Op::Record { n, id, sent_in, lives }),
        5 => (id.clone(), prop::option::of(id.clone()), any::<bool>())
            .prop_map(|(id, previous, all)| Op::Confirm { keys: (id, previous), all }),
        1 => (n.clone(), id.clone()).prop_map(|(n, id)| Op::ConfirmMessage { n, id }),
        4 => (0..5_usize, 0..3_usize).prop_map(|(limit, small)| Op::Lease { limit, small }),
        5 => (any::<prop::sample::Index>(), settled_as)
            .prop_map(|(lease, settled_as)| Op::Settle { lease, settled_as }),
        2 => (0..4_usize).prop_map(|limit| Op::Expire { limit }),
        1 => id.prop_map(|id| Op::Forget { id }),
        2 => n.prop_map(|n| Op::Resend { n }),
        4 => prop_oneof![0..20_u64, 20..400_u64].prop_map(|by| Op::Advance { by }),
    ]
}

/// Whether the store has to, and whether it may, drop a message: it counts in
/// whole seconds and is never early.
fn is_over(message: &Message, now: Timestamp) -> (bool, bool) {
    if message.is_queued() {
        return (false, false);
    }
    (message.expires_at + seconds(1) <= now, message.expires_at <= now)
}

struct Pair {
    fixture: Fixture,
    model: Model,
}

impl Pair {
    fn run(&mut self, op: &Op) {
        let (fixture, model) = (&self.fixture, &mut self.model);
        let at = fixture.time.now();
        match *op {
            Op::Record { n, id, sent_in, lives } => {
                let mut tracked = message_of(n % 3, n, id);
                tracked.sent_at = at + seconds(sent_in);
                tracked.expires_at = at + seconds(lives);
                let outcome = fixture.record(tracked.clone());
                self.recorded(n, &tracked, outcome);
            }
            Op::ConfirmMessage { n, id } => {
                let mut tracked = message_of(n % 3, n, id);
                (tracked.sent_at, tracked.expires_at) = (at, at + seconds(500));
                let outcome = fixture.confirm_target(ConfirmTarget::Message(tracked.clone()));
                if model.message(n).is_none() {
                    let inserted = match fixture.is_known(n) {
                        true => RecordOutcome::Inserted,
                        false => RecordOutcome::Full,
                    };
                    self.recorded(n, &tracked, inserted);
                    if inserted == RecordOutcome::Full {
                        return assert_eq!(outcome, ConfirmOutcome::Full);
                    }
                }
                assert_eq!(outcome, self.model.enqueue(n, at));
            }
            Op::Confirm { keys: (id, previous), all } => {
                let keys = match previous.filter(|previous| *previous != id) {
                    Some(previous) => rotated(id, previous),
                    None => keys(id),
                };
                let resends = if all { Resends::All } else { Resends::Newest };
                let outcome = fixture.confirm_target(by_id(keys, resends));
                assert_eq!(outcome, model.confirm(keys, all, at));
            }
            Op::Lease { limit, small } => {
                let mut request = LeaseRequest::new(limit, LEASE);
                (request.accounts, request.other_accounts) = (vec![(account(0), small)], 2);
                let answer = fixture.lease_as(&request);
                let (leased, next_due, more_due) = model.lease(limit, small, at);
                let expected: Vec<_> = leased.iter().map(|n| sid(*n)).collect();
                assert_eq!(sids(&answer), expected);
                assert_eq!(answer.next_due, next_due);
                assert_eq!(answer.more_due, more_due);
                for (entry, n) in answer.entries.iter().zip(leased) {
                    let of = model.outbox.iter().find(|entry| entry.n == n).expect("leased");
                    assert_eq!(entry.attempts, of.attempts);
                    assert_eq!(entry.age, at.since(of.confirmed_at));
                }
                model.leases.extend(answer.entries);
            }
            Op::Settle { ref lease, settled_as } => {
                if model.leases.is_empty() {
                    return;
                }
                let lease = lease.index(model.leases.len());
                let entry = &model.leases[lease];
                let attempts = Attempts::new(entry.attempts.total + 1, 0);
                let settlement = Settlement::new(entry, attempts, settled_as);
                let outcome = now(fixture.store.settle(&[settlement]))[0];
                let settled = model.settle(lease, attempts, settled_as, at);
                assert_eq!(outcome == SettleOutcome::Settled, settled);
            }
            Op::Expire { limit } => {
                let dropped = fixture.expire(limit);
                let gone = self.take_gone();
                assert_eq!(gone.len(), dropped);
                assert!(dropped <= limit);
                assert!(gone.iter().all(|message| is_over(message, at).1), "dropped early");
                let must = |message: &Message| is_over(message, at).0;
                assert!(dropped == limit || !self.model.messages.iter().any(must), "kept");
            }
            Op::Forget { id } => assert_eq!(fixture.forget(id), model.forget(id)),
            Op::Resend { n } => assert_eq!(fixture.resend(n), model.resend(n, at)),
            Op::Advance { by } => fixture.advance(seconds(by)),
        }
    }

    fn recorded(&mut self, n: u64, tracked: &TrackedMessage, outcome: RecordOutcome) {
        if let Some(known) = self.model.message(n) {
            let same = known.tracked.key == tracked.key;
            let expected =
                if same { RecordOutcome::AlreadyPresent } else { RecordOutcome::OtherId };
            return assert_eq!(outcome, expected);
        }
        let full = self.model.messages.len() == MAX_MESSAGES;
        let may_go = |message: &Message| !message.is_queued() && !message.is_dead();
        if full && !self.model.messages.iter().any(may_go) {
            return assert_eq!(outcome, RecordOutcome::Full);
        }
        assert_eq!(outcome, RecordOutcome::Inserted);
        let gone = self.take_gone();
        assert_eq!(gone.len(), usize::from(full));
        assert!(gone.iter().all(may_go), "a confirmed message gave way");
        self.model.insert(n, tracked);
    }

    /// Takes out of the model what the store no longer knows.
    fn take_gone(&mut self) -> Vec<Message> {
        let messages = std::mem::take(&mut self.model.messages);
        let (known, gone) = messages.into_iter().partition(|m| self.fixture.is_known(m.n));
        self.model.messages = known;
        gone
    }

    fn assert_same(&self) {
        let (fixture, model) = (&self.fixture, &self.model);
        for n in 0..MESSAGES {
            let expected = model.messages.iter().find(|message| message.n == n);
            assert_eq!(fixture.status(n), expected.map(|message| message.status), "message {n}");
        }
        for id in 0..IDS {
            let found: Vec<_> = fixture.lookup(keys(id)).iter().map(|entry| entry.sid).collect();
            let expected: Vec<_> = model.under(keys(id)).concat().into_iter().map(sid).collect();
            assert_eq!(found, expected, "id {id}");
        }
        let mut dead: Vec<_> =
            model.messages.iter().filter(|m| m.is_dead()).map(|m| sid(m.n)).collect();
        dead.sort();
        assert_eq!(fixture.dead_letters(None, 100), dead);
        let counts = fixture.counts();
        assert_eq!(counts.messages, model.messages.len() as u64);
        assert_eq!(counts.outbox, model.outbox.len() as u64);
        assert_eq!(counts.dead_letters, dead.len() as u64);
        let oldest = model.outbox.iter().map(|entry| entry.confirmed_at).min();
        let now = fixture.time.now();
        assert_eq!(counts.oldest_outbox_age, oldest.map(|oldest| now.since(oldest)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_list_of_messages_would(history in prop::collection::vec(op(), 1..120)) {
        let fixture = Fixture::with(|builder| {
            builder
                .max_messages(MAX_MESSAGES)
                .max_outbox(MAX_OUTBOX)
                .ledger_retention(LEDGER)
                .dead_letter_retention(DEAD_LETTERS)
        });
        let mut pair = Pair { fixture, model: Model::default() };
        for op in &history {
            pair.run(op);
            pair.assert_same();
        }
    }
}
