//! Exact counts by bucket, kind of request and area.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::requests::Group;

/// What one group has cost. Bodies are counted with their framing, heads apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub requests: u64,
    /// Answers of status 400 and above.
    pub refused: u64,
    /// Bytes of bodies to and from the server.
    pub up: u64,
    pub down: u64,
    /// Bytes of heads, both ways.
    pub heads: u64,
}

/// Counts of all groups since the last reset.
#[derive(Default)]
pub struct Counts {
    groups: Mutex<BTreeMap<Group, Cost>>,
}

impl Counts {
    pub fn add(&self, group: &Group, change: impl FnOnce(&mut Cost)) {
        let mut groups = self.groups.lock();
        match groups.get_mut(group) {
            Some(cost) => change(cost),
            None => change(groups.entry(group.clone()).or_default()),
        }
    }

    pub fn reset(&self) {
        self.groups.lock().clear();
    }

    /// A list of objects, one for each group.
    pub fn to_json(&self) -> Value {
        let groups = self.groups.lock();
        let rows = groups.iter().map(|(group, cost)| {
            json!({
                "bucket": group.bucket, "kind": group.kind, "area": group.area,
                "requests": cost.requests, "refused": cost.refused,
                "up": cost.up, "down": cost.down, "heads": cost.heads,
            })
        });
        Value::Array(rows.collect())
    }
}
