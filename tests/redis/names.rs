//! Numbers for accounts.

use tower_message_feedback::store::FeedbackStore;

use crate::{
    servers::Redis,
    support::{message, open},
};

/// Accounts and their numbers, as the server has them.
fn numbers(server: &Redis) -> Vec<String> {
    let script = "local function hex(text)
            return (string.gsub(text, '.', function(c) return string.format('%02x', string.byte(c)) end))
        end
        local found, all = {}, redis.call('HGETALL', KEYS[1])
        for i = 1, #all, 2 do found[#found + 1] = hex(all[i]) .. ' is ' .. hex(all[i + 1]) end
        table.sort(found)
        return found";
    let answer = server.cli(&["eval", script, "1", "tmf:{accounts}:numbers"]);
    answer.lines().map(str::to_owned).collect()
}

/// A failover may lose a number that records bear already: the account gets the
/// same one again, whichever others were numbered before it.
#[tokio::test]
async fn an_account_has_the_same_number_wherever_it_comes() {
    let servers = [Redis::start(), Redis::start()];
    let mut messages: Vec<_> = (0..300)
        .map(|n| {
            let mut message = message(n);
            message.account = format!("AC{n:032x}").parse().expect("a SID");
            message
        })
        .collect();
    for server in &servers {
        let store = open(server).await;
        for some in messages.chunks(100) {
            store.record(some).await.expect("an answer");
        }
        messages.reverse();
    }
    let numbers = servers.each_ref().map(numbers);
    assert_eq!(numbers[0].len(), 300);
    assert_eq!(numbers[0], numbers[1]);
}
