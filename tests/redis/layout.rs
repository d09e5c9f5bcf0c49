//! Where the keys lie.

use std::collections::{BTreeMap, BTreeSet};

use tower_message_feedback::store::{
    Attempts, Failure, FailureKind, FeedbackStore, LeaseRequest, RedisStore, SettledAs, Settlement,
};

use crate::{
    servers::Redis,
    support::{
        account, cluster, lease, message, open, open_as, patient, queue, seconds, sid, target,
    },
};

/// Keys by their hash tags.
fn by_tag(server: &Redis, prefix: &str) -> BTreeMap<String, Vec<String>> {
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for key in server.cli(&["keys", &format!("{prefix}:*")]).lines() {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let tag = tag.map_or("", |(tag, _)| tag);
        keys.entry(tag.to_owned()).or_default().push(key.to_owned());
    }
    keys
}

/// What the server answers to a command for each key, in one call.
fn for_each(server: &Redis, command: &[&str], keys: &[String]) -> Vec<String> {
    let script = format!(
        "local answers = {{}} \
         for i, key in ipairs(ARGV) do answers[i] = redis.call('{}', key) end \
         return answers",
        command.join("', '")
    );
    let arguments = ["eval", &script, "0"].into_iter().chain(keys.iter().map(String::as_str));
    let answer = server.cli(&arguments.collect::<Vec<_>>());
    let answers: Vec<String> = answer.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), keys.len(), "{command:?}");
    answers
}

async fn fill(store: &RedisStore) {
    for n in 0..300 {
        queue(store, n).await;
    }
    let messages: Vec<_> = (1000..3000).map(message).collect();
    store.record(&messages).await.expect("an answer");
    let dead = Failure::new(FailureKind::Rejected, Some(400), None);
    let settlements: Vec<Settlement> = lease(store, 200)
        .await
        .iter()
        .zip([SettledAs::Delivered, SettledAs::Dead(dead)].into_iter().cycle())
        .map(|(entry, settled_as)| Settlement::new(entry, Attempts::new(1, 0), settled_as))
        .collect();
    store.settle(&settlements).await.expect("an answer");
}

#[tokio::test]
async fn all_keys_of_a_shard_are_in_one_slot_and_shards_lie_evenly() {
    let store = patient(RedisStore::builder()).prefix(Redis::fresh_prefix());
    let store = store.connect_cluster(cluster().urls()).await.expect("a connection");
    store.migrate().await.expect("the data is created");
    fill(&store).await;
    let mut shards = BTreeSet::new();
    for node in cluster().nodes() {
        let keys = by_tag(node, store.prefix());
        let data: Vec<_> = keys.iter().filter(|(tag, _)| tag.parse::<u32>().is_ok()).collect();
        assert!((4..=6).contains(&data.len()), "{} shards on a master", data.len());
        for (tag, keys) in data {
            assert!(keys.len() > 7, "{keys:?}");
            let slots: BTreeSet<String> =
                for_each(node, &["cluster", "keyslot"], keys).into_iter().collect();
            assert_eq!(slots.len(), 1, "shard {tag}: {keys:?}");
            shards.insert(tag.clone());
        }
    }
    assert_eq!(shards.len(), 16);
}

#[tokio::test]
async fn what_waits_and_what_was_delivered_lies_in_packed_lists() {
    let server = Redis::start();
    let store = open(&server).await;
    fill(&store).await;
    let keys = by_tag(&server, "tmf").into_values().flatten();
    let buckets: Vec<String> = keys.filter(|key| kind(key).parse::<u32>().is_ok()).collect();
    let encodings = for_each(&server, &["object", "encoding"], &buckets);
    // Dead letters, with their failures, are longer than Redis packs.
    let packed = encodings
        .iter()
        .filter(|encoding| ["listpack", "ziplist"].contains(&encoding.as_str()))
        .count();
    assert!(packed > 30, "{packed} packed buckets");
}

#[tokio::test]
async fn nothing_is_left_of_what_was_forgotten() {
    let server = Redis::start();
    let store = open(&server).await;
    fill(&store).await;
    let ids: Vec<u64> = (0..300).chain(1000..3000).collect();
    let targets: Vec<_> = ids
        .iter()
        .map(|n| match target(*n) {
            tower_message_feedback::store::ConfirmTarget::Id { keys, .. } => {
                tower_message_feedback::store::ForgetTarget::Id(keys)
            }
            _ => unreachable!("a target by id"),
        })
        .collect();
    let removed = store.forget(&targets).await.expect("an answer");
    assert_eq!(removed.iter().sum::<usize>(), 2300);
    let (fences, left): (Vec<String>, Vec<String>) = by_tag(&server, "tmf")
        .into_values()
        .flatten()
        .filter(|key| !["g", "i", "n", "c", "meta", "names", "numbers"].contains(&kind(key)))
        .partition(|key| kind(key).starts_with('f'));
    assert!(left.is_empty(), "{left:?}");
    // Their names are digests, and they end within the hour.
    let sids: Vec<String> = ids.iter().map(|n| sid(*n).to_string()).collect();
    let sids = sids.join(" ");
    for (fence, ttl) in fences.iter().zip(for_each(&server, &["ttl"], &fences)) {
        let digest = &kind(fence)[1..];
        assert!(!sids.contains(digest), "{fence}");
        let ttl: i64 = ttl.parse().expect("a number");
        assert!((1..=3600).contains(&ttl), "{fence} lasts {ttl} seconds");
    }
}

fn kind(key: &str) -> &str {
    key.rsplit(':').next().unwrap_or_default()
}

#[tokio::test]
async fn of_one_shard_an_account_gets_its_bound_in_however_many_looks() {
    let server = Redis::start();
    let store = open_as(RedisStore::builder().shards(1), &server).await;
    let messages: Vec<_> = (0..700).map(message).collect();
    store.record(&messages).await.expect("an answer");
    let targets: Vec<_> = (0..700).map(target).collect();
    store.confirm(&targets).await.expect("an answer");
    let mut request = LeaseRequest::new(1000, seconds(30));
    request.accounts = vec![(account(), 550)];
    assert_eq!(store.lease(&request).await.expect("an answer").entries.len(), 550);
}
