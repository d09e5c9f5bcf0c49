//! The rounds: start, confirm, die, start again.

use std::{collections::HashSet, env, time::Duration};

use tower_message_feedback::store::sqlite::Synchronous;

use super::machine::{Death, Machine};
use crate::{
    server::Server,
    unsynced::{Lost, Spared},
    world::{World, queued},
};

/// 5 by default; `TMF_CRASH_ROUNDS=100` is the long mode.
fn rounds() -> usize {
    env::var("TMF_CRASH_ROUNDS").map_or(5, |rounds| rounds.parse().expect("a number of rounds"))
}

/// Lets an application confirm until it, or the machine, dies at a random
/// moment; answers the ids that were *queued*.
async fn round(
    world: &World,
    machine: &mut Machine,
    name: &str,
    delivers: bool,
    death: Death,
) -> (HashSet<String>, Lost) {
    let birth = world.birth("busy", &machine.spec).with_all(machine.environment.clone());
    let delivers = if delivers { "yes" } else { "no" };
    let mut application = birth.with("ROUND", name).with("DELIVERS", delivers).start();
    application.has_said(1).await;
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..400))).await;
    let (said, lost) = machine.die(application, death);
    (queued(said), lost)
}

/// Whatever was *queued* reaches Twilio in the end, whoever died how often.
async fn nothing_is_lost(mut machine: Machine, deaths: &[Death], delivers: bool) {
    let world = World::new().await;
    let mut confirmed = HashSet::new();
    let mut lost = Lost::default();
    for number in 0..rounds() {
        let death = deaths[number % deaths.len()];
        let (queued, cost) =
            round(&world, &mut machine, &format!("r{number}"), delivers, death).await;
        confirmed.extend(queued);
        lost.writes += cost.writes;
        lost.names += cost.names;
    }
    world.drain(world.birth("drain", &machine.spec).with_all(machine.environment.clone())).await;
    let missing = world.missing(&confirmed);
    assert!(
        missing.is_empty(),
        "{} of {} queued are lost: {missing:?}",
        missing.len(),
        confirmed.len()
    );
    world.nothing_else_reported();
    println!(
        "{} rounds, {} queued, {} unsynced writes and {} names lost, {} reported twice",
        rounds(),
        confirmed.len(),
        lost.writes,
        lost.names,
        world.duplicates()
    );
}

/// The same must fail with a store that does not sync: or it shows nothing.
async fn something_is_lost(mut machine: Machine) {
    const ROUNDS: usize = 20;
    let world = World::new().await;
    let mut confirmed = HashSet::new();
    for number in 0..ROUNDS {
        let name = format!("r{number}");
        let death = Death::Machine(Spared::Nothing);
        let (queued, _) = round(&world, &mut machine, &name, false, death).await;
        confirmed.extend(queued);
        let birth = world.birth("drain", &machine.spec);
        world.drain(birth.with_all(machine.environment.clone())).await;
        let missing = world.missing(&confirmed).len();
        if missing > 0 {
            println!("round {number}: {missing} of {} queued are lost", confirmed.len());
            return;
        }
    }
    panic!("{} were queued unsynced in {ROUNDS} rounds, and none was lost", confirmed.len());
}

const POWER_CUTS: [Death; 2] = [Death::Machine(Spared::Nothing), Death::Machine(Spared::AnyPart)];

#[tokio::test]
async fn sqlite_outlives_its_process() {
    let machine = Machine::with_sqlite(Synchronous::Full);
    nothing_is_lost(machine, &[Death::Process], true).await;
}

#[tokio::test]
async fn sqlite_outlives_its_machine() {
    nothing_is_lost(Machine::with_sqlite(Synchronous::Full), &POWER_CUTS, false).await;
}

#[tokio::test]
async fn sqlite_unsynced_does_not() {
    something_is_lost(Machine::with_sqlite(Synchronous::Normal)).await;
}

#[tokio::test]
async fn postgres_outlives_its_clients_and_itself() {
    let machine = Machine::with(Server::postgres(&[]));
    nothing_is_lost(machine, &[Death::Process, Death::Server], true).await;
}

#[tokio::test]
async fn postgres_outlives_its_machine() {
    nothing_is_lost(Machine::with(Server::postgres(&[])), &POWER_CUTS, false).await;
}

/// A confirm is synced where nothing else is.
#[tokio::test]
async fn postgres_outlives_its_machine_where_commits_are_not_synchronous() {
    let machine = Machine::with(Server::postgres(&[("synchronous_commit", "off")]));
    nothing_is_lost(machine, &POWER_CUTS, false).await;
}

#[tokio::test]
async fn postgres_unsynced_does_not() {
    something_is_lost(Machine::with(Server::postgres(&[("fsync", "off")]))).await;
}

#[tokio::test]
async fn redis_outlives_its_clients_and_itself() {
    let machine = Machine::with(Server::redis("always"));
    nothing_is_lost(machine, &[Death::Process, Death::Server], true).await;
}

/// Its log of commands must end in what was written last: a hole in it is for a
/// person to mend.
#[tokio::test]
async fn redis_outlives_its_machine() {
    let machine = Machine::with(Server::redis("always"));
    nothing_is_lost(machine, &[Death::Machine(Spared::Nothing)], false).await;
}

#[tokio::test]
async fn redis_synced_every_second_does_not() {
    something_is_lost(Machine::with(Server::redis("everysec"))).await;
}
