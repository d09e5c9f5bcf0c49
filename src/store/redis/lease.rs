use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound::{Excluded, Unbounded},
    sync::PoisonError,
};

use super::{
    RedisStore, RedisStoreError, answer,
    layout::Layout,
    packed::{Account, Reader, Record, entry_id},
    script::Op,
    settle::span,
};
use crate::{
    AccountSid, Timestamp,
    store::{LeaseAnswer, LeaseRequest, LeaseToken, Leased},
};

/// Accounts of a shard that are looked at in one go.
const ACCOUNTS: usize = 200;
/// How often a lease looks again, because others took what it saw.
const ROUNDS: usize = 100;

const EPOCH: Timestamp = Timestamp::from_millis(0);

/// What is due, and what will be.
struct Outlook {
    now: Timestamp,
    accounts: BTreeMap<AccountSid, Due>,
}

/// What of an account is due.
#[derive(Default)]
struct Due {
    /// The earliest first: when it was due, and where it is listed.
    entries: Vec<Listed>,
    /// There is more in a shard than was asked for.
    more: bool,
    /// When the next one is due that is not due yet.
    next_due: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Listed {
    due_at: u64,
    number: [u8; 4],
    shard: usize,
    member: Vec<u8>,
}

impl RedisStore {
    /// Looks what is due in all shards, chooses the accounts in turn, and takes
    /// what it chose; looks again if others were faster.
    pub(super) async fn lease_due(
        &self,
        request: &LeaseRequest,
    ) -> Result<LeaseAnswer, RedisStoreError> {
        let layout = self.layout().await?;
        let mut left = Bounds::new(request);
        let mut answer = LeaseAnswer::default();
        for round in 0..ROUNDS {
            let room = request.limit - answer.entries.len();
            let mut outlook = self.look(layout, request, room).await?;
            let last = *self.last_served.lock().unwrap_or_else(PoisonError::into_inner);
            let chosen = left.choose(&mut outlook.accounts, last, room);
            let leased = self.take(layout, request, chosen).await?;
            for entry in leased.iter().flatten() {
                left.use_up(entry.account);
            }
            if let Some(entry) = leased.iter().flatten().next_back() {
                let mut last = self.last_served.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(entry.account);
            }
            let lost = leased.iter().any(Option::is_none);
            answer.entries.extend(leased.into_iter().flatten());
            let full = answer.entries.len() == request.limit;
            let unfinished = !full && (lost || left.wants_more(&outlook.accounts));
            if unfinished && round + 1 < ROUNDS {
                continue;
            }
            answer.more_due =
                outlook.accounts.values().any(|due| due.more || !due.entries.is_empty());
            let own = (!answer.entries.is_empty()).then(|| outlook.now + request.duration);
            answer.next_due = outlook
                .accounts
                .values()
                .filter_map(|due| due.next_due)
                .chain(own)
                .min()
                .map(|next_due| next_due.since(outlook.now));
            break;
        }
        Ok(answer)
    }

    /// What is due in all shards, of accounts whose bound is not zero.
    async fn look(
        &self,
        layout: &Layout,
        request: &LeaseRequest,
        room: usize,
    ) -> Result<Outlook, RedisStoreError> {
        let left_out = self.left_out(layout, request).await?;
        let most = (room / layout.shards()).saturating_mul(2).saturating_add(4).min(512);
        let mut outlook = Outlook { now: EPOCH, accounts: BTreeMap::new() };
        let mut looks: Vec<(usize, Vec<u8>)> =
            (0..layout.shards()).map(|shard| (shard, Vec::new())).collect();
        let mut seen: HashMap<Account, Due> = HashMap::new();
        while !looks.is_empty() {
            let calls: Vec<_> = looks
                .iter()
                .map(|(shard, behind)| {
                    let mut call = self.call(layout, *shard, Op::Peek);
                    call.arg(most.to_string());
                    call.arg(behind.as_slice());
                    call.arg(ACCOUNTS.to_string());
                    call.arg(left_out.as_slice());
                    call
                })
                .collect();
            let answers = self.connection.run(&calls).await?;
            let mut unseen = Vec::new();
            for ((shard, _), answer) in looks.into_iter().zip(answers) {
                let behind = read_look(shard, answer::strings(answer)?, &mut outlook, &mut seen)?;
                if !behind.is_empty() {
                    unseen.push((shard, behind));
                }
            }
            looks = unseen;
        }
        let numbers = seen.keys().copied();
        let names = self.names.accounts.names(&self.connection, layout, numbers).await?;
        for (account, mut due) in seen {
            match names.get(&account) {
                Some(name) => {
                    due.entries.sort_unstable();
                    outlook.accounts.insert(*name, due);
                }
                // Its number was lost in a failover; whoever used it writes it
                // down again.
                None => tracing::error!("an account's number has no name; its feedback waits"),
            }
        }
        Ok(outlook)
    }

    /// The numbers of the accounts whose bound is zero.
    async fn left_out(
        &self,
        layout: &Layout,
        request: &LeaseRequest,
    ) -> Result<Vec<u8>, RedisStoreError> {
        let none = request.accounts.iter().filter(|(_, bound)| *bound == 0);
        let none: Vec<AccountSid> = none.map(|(account, _)| *account).collect();
        let numbers = self.names.accounts.numbers(&self.connection, layout, none.iter()).await?;
        Ok(numbers.into_iter().flatten().flatten().collect())
    }

    /// Leases what is listed; `None` for what is another's by now.
    async fn take(
        &self,
        layout: &Layout,
        request: &LeaseRequest,
        chosen: Vec<Listed>,
    ) -> Result<Vec<Option<Leased>>, RedisStoreError> {
        let duration = span(request.duration).to_string().into_bytes();
        let members: Vec<Vec<u8>> = chosen.iter().map(|listed| listed.member.clone()).collect();
        let items = chosen.into_iter().map(|listed| (listed.shard, listed.member));
        let batches = self.batches(layout, Op::Take, &[duration], items);
        let answers = self.connection.run(&batches.calls).await?;
        let mut records: Vec<Option<(Record, Timestamp)>> = members.iter().map(|_| None).collect();
        for (items, answer) in batches.items.iter().zip(answers) {
            let mut answer = answer::strings(answer)?.into_iter();
            let now = answer.next().and_then(|now| Reader(&now).time()).unwrap_or(EPOCH);
            for (at, packed) in items.iter().zip(answer) {
                let hash = members[*at].get(9..13).and_then(|hash| hash.try_into().ok());
                if let (false, Some(hash)) = (packed.is_empty(), hash) {
                    records[*at] = Some((Record::read(hash, &packed)?, now));
                }
            }
        }
        let places = records.iter().flatten().map(|(record, _)| record.place);
        let places = self.names.places.names(&self.connection, layout, places).await?;
        let accounts = records.iter().flatten().map(|(record, _)| record.account);
        let accounts = self.names.accounts.names(&self.connection, layout, accounts).await?;
        Ok(records
            .into_iter()
            .zip(members)
            .map(|(record, member)| {
                let (record, now) = record?;
                let queued = record.queued?;
                let (base_url, _) = places.get(&record.place)?;
                let hash = member.get(9..13)?.try_into().ok()?;
                Some(Leased {
                    id: entry_id(hash, queued.number),
                    token: LeaseToken::new(queued.token),
                    sid: record.sid,
                    account: *accounts.get(&record.account)?,
                    base_url: base_url.clone(),
                    confirmed_at: queued.confirmed_at,
                    age: now.since(queued.queued_at),
                    attempts: queued.attempts,
                })
            })
            .collect())
    }
}

/// Reads what a shard said; answers where to go on.
fn read_look(
    shard: usize,
    answer: Vec<Vec<u8>>,
    outlook: &mut Outlook,
    seen: &mut HashMap<Account, Due>,
) -> Result<Vec<u8>, RedisStoreError> {
    let unreadable = || RedisStoreError::unreadable("what is due");
    let mut answer = answer.into_iter();
    let now = answer.next().and_then(|now| Reader(&now).time()).ok_or_else(unreadable)?;
    outlook.now = outlook.now.max(now);
    let behind = answer.next().ok_or_else(unreadable)?;
    for packed in answer {
        let mut reader = Reader(&packed);
        let account: Account = reader.take().ok_or_else(unreadable)?;
        let [more] = reader.take().ok_or_else(unreadable)?;
        let next_due = reader.time().ok_or_else(unreadable)?;
        let due = seen.entry(account).or_default();
        if next_due.as_millis() > 0 {
            due.next_due = due.next_due.into_iter().chain([next_due]).min();
        }
        due.more |= more != 0;
        for entry in reader.0.chunks_exact(14) {
            let mut reader = Reader(entry);
            let due_at = reader.number::<6>().ok_or_else(unreadable)?;
            let _hash: [u8; 4] = reader.take().ok_or_else(unreadable)?;
            let number = reader.take().ok_or_else(unreadable)?;
            let member = [&account[..], entry].concat();
            due.entries.push(Listed { due_at, number, shard, member });
        }
    }
    Ok(behind)
}

/// How many entries each account may still have.
struct Bounds<'a> {
    request: &'a LeaseRequest,
    used: HashMap<AccountSid, usize>,
}

impl<'a> Bounds<'a> {
    fn new(request: &'a LeaseRequest) -> Self {
        Self { request, used: HashMap::new() }
    }

    fn use_up(&mut self, account: AccountSid) {
        *self.used.entry(account).or_default() += 1;
    }

    fn left(&self, account: AccountSid) -> usize {
        let used = self.used.get(&account).copied().unwrap_or(0);
        self.request.bound(account).saturating_sub(used)
    }

    /// Takes up to `room` entries out of what is due: one of each account in
    /// turn, beginning behind the account that was served last.
    fn choose(
        &self,
        accounts: &mut BTreeMap<AccountSid, Due>,
        last: Option<AccountSid>,
        room: usize,
    ) -> Vec<Listed> {
        // An account without a bound is as if it had no entries at all.
        accounts.retain(|account, _| self.request.bound(*account) > 0);
        let behind = accounts.range((last.map_or(Unbounded, Excluded), Unbounded));
        let rest = last.map(|last| accounts.range(..=last)).into_iter().flatten();
        let order: Vec<AccountSid> = behind.chain(rest).map(|(account, _)| *account).collect();
        let mut left: Vec<usize> = order.iter().map(|account| self.left(*account)).collect();
        let mut taken: Vec<usize> = vec![0; order.len()];
        let mut chosen = Vec::new();
        let mut progress = true;
        while progress {
            progress = false;
            for (at, account) in order.iter().enumerate() {
                if left[at] == 0 || chosen.len() == room {
                    continue;
                }
                let Some(entry) = accounts.get(account).and_then(|due| due.entries.get(taken[at]))
                else {
                    continue;
                };
                chosen.push(entry.clone());
                left[at] -= 1;
                taken[at] += 1;
                progress = true;
            }
        }
        for (account, taken) in order.iter().zip(taken) {
            if let Some(due) = accounts.get_mut(account) {
                due.entries.drain(..taken);
            }
        }
        chosen
    }

    /// Whether an account may have more than was seen of it.
    fn wants_more(&self, accounts: &BTreeMap<AccountSid, Due>) -> bool {
        accounts.iter().any(|(account, due)| due.more && self.left(*account) > 0)
    }
}
