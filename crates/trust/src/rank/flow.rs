use alloc::{vec, vec::Vec};

use crate::{RankConfig, rank::Share};

/// Rows of positive edges, each edge as its part of the row, laid out for one pass in order.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Where the row of each node ends in the two below.
    ends: Vec<usize>,
    targets: Vec<u32>,
    parts: Vec<Share>,
}

/// How an iteration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Passes over all edges.
    pub iterations: u32,
    /// What the last one still moved, summed over all peers.
    pub change: Share,
}

impl Flow {
    pub(crate) fn with_capacity(nodes: usize, edges: usize) -> Self {
        Self {
            ends: Vec::with_capacity(nodes),
            targets: Vec::with_capacity(edges),
            parts: Vec::with_capacity(edges),
        }
    }

    /// Adds the row of the next node. An edge of weight zero is none; a row without edges gives
    /// all it has back to the sources.
    pub(crate) fn push_row(&mut self, row: impl Iterator<Item = (u32, u32)> + Clone) {
        let sum = row.clone().map(|(_, weight)| u64::from(weight)).sum();
        for (target, weight) in row.filter(|(_, weight)| *weight > 0) {
            self.targets.push(target);
            self.parts.push(Share::of(weight.into(), sum));
        }
        self.ends.push(self.targets.len());
    }

    fn rows(&self) -> impl Iterator<Item = (&[u32], &[Share])> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let row = start..end;
            start = end;
            let targets = self.targets.get(row.clone()).unwrap_or_default();
            (targets, self.parts.get(row).unwrap_or_default())
        })
    }

    fn row(&self, node: usize) -> &[u32] {
        let end = self.ends.get(node).copied().unwrap_or(0);
        let start = node.checked_sub(1).and_then(|last| self.ends.get(last));
        self.targets
            .get(start.copied().unwrap_or(0)..end)
            .unwrap_or_default()
    }

    /// Where an iteration from nothing begins: all rank at the sources.
    pub(crate) fn cold(&self, sources: &[(u32, Share)]) -> Vec<Share> {
        let mut ranks = vec![Share::ZERO; self.ends.len()];
        add(&mut ranks, sources, Share::ONE);
        ranks
    }

    /// Takes the rank of those that no path from the sources leads to. The iteration alone would
    /// leave a trace of what they had when they still were reached.
    pub(crate) fn keep_reached(&self, sources: &[(u32, Share)], ranks: &mut [Share]) {
        let mut reached = vec![false; self.ends.len()];
        let mut open: Vec<u32> = sources.iter().map(|(source, _)| *source).collect();
        while let Some(node) = open.pop() {
            match reached.get_mut(node as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            open.extend_from_slice(self.row(node as usize));
        }
        for (rank, reached) in ranks.iter_mut().zip(reached) {
            if !reached {
                *rank = Share::ZERO;
            }
        }
    }

    /// Iterates until little moves. What `ranks` lacks to the whole is given to the sources.
    pub(crate) fn settle(
        &self,
        config: &RankConfig,
        sources: &[(u32, Share)],
        ranks: &mut Vec<Share>,
    ) -> Settled {
        let mut next = vec![Share::ZERO; ranks.len()];
        let mut settled = Settled {
            iterations: 0,
            change: Share::ONE,
        };
        while settled.iterations < config.iterations_max && settled.change >= config.change_min {
            self.pass(config.restart.rest(), sources, ranks, &mut next);
            settled.iterations += 1;
            settled.change = difference(ranks, &next);
            core::mem::swap(ranks, &mut next);
        }
        settled
    }

    /// One pass: every node hands `kept` of its rank on along its row; all that arrives nowhere
    /// (the restart, rows without edges, what rounding down left) goes to the sources.
    fn pass(&self, kept: Share, sources: &[(u32, Share)], ranks: &[Share], next: &mut [Share]) {
        next.fill(Share::ZERO);
        let mut arrived = 0_u64;
        for ((targets, parts), rank) in self.rows().zip(ranks) {
            let given = rank.mul(kept);
            if given == Share::ZERO {
                continue;
            }
            for (target, part) in targets.iter().zip(parts) {
                let given = given.mul(*part).raw();
                if let Some(rank) = next.get_mut(*target as usize) {
                    *rank = Share::from_raw(rank.raw() + given);
                    arrived += given;
                }
            }
        }
        add(next, sources, Share::from_raw(arrived).rest());
    }
}

fn add(ranks: &mut [Share], sources: &[(u32, Share)], left: Share) {
    for (source, part) in sources {
        if let Some(rank) = ranks.get_mut(*source as usize) {
            *rank = Share::from_raw(rank.raw() + left.mul(*part).raw());
        }
    }
}

/// The sum of what changed; never more than the whole, which is more than any bound asks.
fn difference(old: &[Share], new: &[Share]) -> Share {
    let changes = old.iter().zip(new);
    Share::from_raw(changes.map(|(a, b)| a.raw().abs_diff(b.raw())).sum())
}
