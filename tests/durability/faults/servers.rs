//! A PostgreSQL and a Redis that die, hang, lose their network and fill up.

use std::time::{Duration, Instant};

use super::load::{Load, Phase};
use crate::{
    application::{Application, builder},
    server::{Server, Watched},
    servers::{Flow, Proxy},
    unsynced::Unsynced,
    world::World,
};

const BEFORE: Duration = Duration::from_secs(2);
const FAULT: Duration = Duration::from_millis(1500);

struct Scene {
    server: Server,
    unsynced: Unsynced,
    proxy: Proxy,
    load: Load,
    before: Phase,
}

impl Scene {
    async fn new(world: &World, (server, unsynced): Watched) -> Self {
        let proxy = Proxy::start(server.port());
        let store = server.spec(proxy.url(&server.url())).open().await;
        let application = Application::new(&world.base_url(), builder(&world.base_url(), store));
        let load = Load::start(application, "s");
        load.is_warm().await;
        let before = load.watch(BEFORE).await;
        Self { server, unsynced, proxy, load, before }
    }

    /// Lets a fault last from `begin` to `end`, and looks at the sends meanwhile.
    async fn through(
        &mut self,
        name: &str,
        begin: impl AsyncFnOnce(&mut Server, &Proxy, &Unsynced),
        end: impl FnOnce(&mut Server, &Proxy, &Unsynced),
    ) {
        let Self { server, unsynced, proxy, load, before } = self;
        let begun = Instant::now();
        let during = load
            .watch_during(async {
                begin(server, proxy, unsynced).await;
                end(server, proxy, unsynced);
            })
            .await;
        during.went_on(name, *before, BEFORE, begun.elapsed());
        load.recovered().await;
    }
}

/// On a runtime of several threads: calls to the kit may block this one.
async fn goes_on(watched: Watched) {
    let world = World::new().await;
    let mut scene = Scene::new(&world, watched).await;
    let wait = || tokio::time::sleep(FAULT);

    let kill = async |server: &mut Server, _: &Proxy, _: &Unsynced| {
        server.kill();
        wait().await;
    };
    scene.through("killed", kill, |server, _, _| server.restart()).await;

    let pause = async |server: &mut Server, _: &Proxy, _: &Unsynced| {
        server.pause();
        wait().await;
    };
    scene.through("paused", pause, |server, _, _| server.resume()).await;

    let restart = async |server: &mut Server, _: &Proxy, _: &Unsynced| server.restart();
    scene.through("restarted", restart, |_, _, _| {}).await;

    let cut = async |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        for turn in 0..15 {
            if turn % 2 == 0 {
                proxy.cut_after_answer_bytes(fastrand::u64(0..300));
            } else {
                proxy.cut();
            }
            tokio::time::sleep(FAULT / 15).await;
        }
    };
    // No cut is left for later.
    let mend = |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.cut_after_answer_bytes(u64::MAX);
    };
    scene.through("cut in the middle", cut, mend).await;

    let stall = async |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.set(Flow::Stall);
        wait().await;
    };
    scene.through("stalled", stall, |_, proxy, _| proxy.pass()).await;

    let hear_nothing = async |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.set(Flow::StallAnswers);
        wait().await;
    };
    let cut_off = |_: &mut Server, proxy: &Proxy, _: &Unsynced| {
        proxy.cut();
        proxy.pass();
    };
    scene.through("answers lost", hear_nothing, cut_off).await;

    let fill = async |_: &mut Server, _: &Proxy, unsynced: &Unsynced| {
        unsynced.set_full(true);
        wait().await;
    };
    // It may have died of it.
    let make_room = |server: &mut Server, _: &Proxy, unsynced: &Unsynced| {
        unsynced.set_full(false);
        server.restart();
    };
    scene.through("disk full", fill, make_room).await;

    let stats = scene.load.feedback().stats();
    assert!(stats.confirms.store_errors > 0 && stats.delivery.store_errors > 0, "{stats:?}");
    let answers = scene.load.all_is_reported(&world).await;
    println!(
        "{answers:?}, {} reported twice, {} connections",
        world.duplicates(),
        scene.proxy.connections()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_go_on_whatever_becomes_of_postgres() {
    goes_on(Server::postgres(&[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sends_go_on_whatever_becomes_of_redis() {
    goes_on(Server::redis("always")).await;
}
