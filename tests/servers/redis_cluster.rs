//! A Redis Cluster of three masters without replicas.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    process::PATIENCE,
    redis::{Redis, RedisOptions},
};

const SLOTS: u32 = 16_384;
const MASTERS: u32 = 3;

/// Three masters that share the slots. They end when it is dropped.
#[derive(Debug)]
pub(crate) struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// A cluster that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(Redis::options())
    }

    /// A cluster whose nodes are set up so.
    pub(crate) fn with(options: RedisOptions) -> Self {
        let options = options.cluster().set("cluster-node-timeout", 2000);
        let cluster = Self { nodes: (0..MASTERS).map(|_| options.clone().start()).collect() };
        for (number, node) in (0..).zip(&cluster.nodes) {
            node.cli(&["cluster", "set-config-epoch", &(number + 1).to_string()]);
            let slots: Vec<String> = (number * SLOTS / MASTERS..(number + 1) * SLOTS / MASTERS)
                .map(|slot| slot.to_string())
                .collect();
            let mut command = vec!["cluster", "addslots"];
            command.extend(slots.iter().map(String::as_str));
            node.cli(&command);
        }
        let first = &cluster.nodes[0];
        for node in &cluster.nodes[1..] {
            first.cli(&["cluster", "meet", "127.0.0.1", &node.port().to_string()]);
        }
        cluster.await_ok();
        cluster
    }

    /// Waits until every node finds the cluster complete: after a restart, too.
    pub(crate) fn await_ok(&self) {
        let deadline = Instant::now() + PATIENCE;
        let is_ok = |node: &Redis| {
            let info = node.cli(&["cluster", "info"]);
            let has = |wanted: &str| info.lines().any(|line| line.trim() == wanted);
            has("cluster_state:ok") && has(&format!("cluster_known_nodes:{MASTERS}"))
        };
        while !self.nodes.iter().all(is_ok) {
            let info = self.nodes[0].cli(&["cluster", "info"]);
            assert!(Instant::now() < deadline, "the cluster does not come up:\n{info}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where a client starts to look.
    pub(crate) fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::url).collect()
    }

    pub(crate) fn node(&self, number: usize) -> &Redis {
        &self.nodes[number]
    }

    pub(crate) fn node_mut(&mut self, number: usize) -> &mut Redis {
        &mut self.nodes[number]
    }

    pub(crate) fn nodes(&self) -> &[Redis] {
        &self.nodes
    }
}
