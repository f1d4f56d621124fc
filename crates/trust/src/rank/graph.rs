use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use repute_identity::NodeId;

use super::{Share, flow::Flow};
use crate::RankLimits;

/// Who vouches for whom, bounded.
///
/// What has least standing goes first, and never for something of less: a flood of identities
/// that nobody ranked vouches for displaces itself. Those that went are swept out later, all
/// together, because nobody knows who pointed at them.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    index: BTreeMap<NodeId, u32>,
    edges: usize,
    gone: usize,
    /// Made when something must go, and unmade by every refresh.
    order: Option<Order>,
}

#[derive(Debug)]
struct Node {
    id: NodeId,
    /// By target.
    out: Vec<Edge>,
    /// The weight of all of them.
    sum: u64,
    rank: Share,
    /// What its raters would give it if a refresh came now, about.
    promised: Share,
    pinned: bool,
    gone: bool,
}

#[derive(Clone, Copy, Debug)]
struct Edge {
    to: u32,
    weight: u32,
}

/// Those that may go, least standing first.
#[derive(Debug, Default)]
struct Order {
    nodes: BTreeSet<(Share, u32)>,
    /// Of these, the ones with edges.
    sources: BTreeSet<(Share, u32)>,
}

impl Node {
    fn standing(&self) -> Share {
        self.rank.max(self.promised)
    }
}

impl Graph {
    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    pub(super) fn edges(&self) -> usize {
        self.edges
    }

    pub(super) fn rank(&self, id: &NodeId) -> Share {
        self.slot(id).map_or(Share::ZERO, |node| node.rank)
    }

    pub(super) fn ranks(&self) -> impl Iterator<Item = (NodeId, Share)> + '_ {
        let of = |(id, at): (&NodeId, &u32)| (*id, self.at(*at).map_or(Share::ZERO, |n| n.rank));
        self.index.iter().map(of)
    }

    fn at(&self, at: u32) -> Option<&Node> {
        self.nodes.get(at as usize)
    }

    fn at_mut(&mut self, at: u32) -> Option<&mut Node> {
        self.nodes.get_mut(at as usize)
    }

    fn slot(&self, id: &NodeId) -> Option<&Node> {
        self.at(*self.index.get(id)?)
    }

    /// The node of `id`, which never goes while it is pinned.
    pub(super) fn pin(&mut self, limits: &RankLimits, id: NodeId, part: Share) {
        // A source of rank has more standing than all that may go.
        if let Some(at) = self.admit(limits, id, Share::ONE, None) {
            self.order = None;
            if let Some(node) = self.at_mut(at) {
                node.pinned = true;
                node.promised = node.promised.max(part);
            }
        }
    }

    pub(super) fn unpin_all(&mut self) {
        self.order = None;
        for node in &mut self.nodes {
            node.pinned = false;
        }
    }

    /// Sets the weight of an edge, zero for none. Says whether it is as asked: there may be no
    /// room for it.
    pub(super) fn set_edge(
        &mut self,
        limits: &RankLimits,
        kept: Share,
        (from, to): (NodeId, NodeId),
        weight: u32,
    ) -> bool {
        if from == to {
            return weight == 0;
        }
        if weight == 0 {
            self.remove_edge(&from, &to);
            return true;
        }
        let Some(source) = self.admit(limits, from, Share::ZERO, None) else {
            return false;
        };
        let Some(node) = self.at(source) else {
            return false;
        };
        let part = Share::of(weight.into(), node.sum.saturating_add(weight.into()));
        let promise = node.standing().mul(kept).mul(part);
        let Some(target) = self.admit(limits, to, promise, Some(source)) else {
            return false;
        };
        let held = self.put_edge(limits, source, target, weight);
        if held {
            self.promise(target, promise);
        }
        held
    }

    fn put_edge(&mut self, limits: &RankLimits, source: u32, target: u32, weight: u32) -> bool {
        let Some(node) = self.at(source) else {
            return false;
        };
        let place = node.out.binary_search_by_key(&target, |edge| edge.to);
        let edge = Edge { to: target, weight };
        let full = node.out.len() >= limits.out;
        if place.is_err() && full && !self.drop_lightest(source, weight) {
            return false;
        }
        if place.is_err() && !self.make_room_for_edge(limits, source) {
            return false;
        }
        let Some(node) = self.at_mut(source) else {
            return false;
        };
        let first = node.out.is_empty();
        // Searched again: what made room may have moved it.
        match node.out.binary_search_by_key(&target, |edge| edge.to) {
            Ok(at) => {
                if let Some(old) = node.out.get_mut(at) {
                    node.sum = node.sum.saturating_sub(old.weight.into());
                    *old = edge;
                }
            }
            Err(at) => {
                node.out.insert(at, edge);
                self.edges += 1;
            }
        }
        let Some(node) = self.at_mut(source) else {
            return false;
        };
        node.sum = node.sum.saturating_add(weight.into());
        let (standing, pinned) = (node.standing(), node.pinned);
        if let Some(order) = self.order.as_mut().filter(|_| first && !pinned) {
            order.sources.insert((standing, source));
        }
        true
    }

    /// Takes the lightest edge of a full row, if it is lighter than `weight`.
    fn drop_lightest(&mut self, source: u32, weight: u32) -> bool {
        let Some(node) = self.at_mut(source) else {
            return false;
        };
        let lightest = node.out.iter().enumerate();
        let Some((at, edge)) = lightest.min_by_key(|(_, edge)| edge.weight) else {
            return false;
        };
        if edge.weight >= weight {
            return false;
        }
        node.sum = node.sum.saturating_sub(edge.weight.into());
        node.out.remove(at);
        self.edges -= 1;
        true
    }

    fn remove_edge(&mut self, from: &NodeId, to: &NodeId) {
        let (Some(&source), Some(&target)) = (self.index.get(from), self.index.get(to)) else {
            return;
        };
        let Some(node) = self.at_mut(source) else {
            return;
        };
        if let Ok(at) = node.out.binary_search_by_key(&target, |edge| edge.to) {
            let weight = node.out.remove(at).weight;
            node.sum = node.sum.saturating_sub(weight.into());
            self.edges -= 1;
            if self.at(source).is_some_and(|node| node.out.is_empty()) {
                self.no_source(source);
            }
        }
    }

    /// Takes all edges that lead from `id`.
    pub(super) fn withdraw(&mut self, id: &NodeId) {
        if let Some(&at) = self.index.get(id) {
            self.clear(at);
        }
    }

    fn clear(&mut self, at: u32) {
        self.no_source(at);
        if let Some(node) = self.at_mut(at) {
            let edges = core::mem::take(&mut node.out).len();
            node.sum = 0;
            self.edges -= edges;
        }
    }

    /// Removes `id` with all edges from it and to it, unless it is a source of rank.
    pub(super) fn forget(&mut self, id: &NodeId) {
        match self.index.get(id) {
            Some(&at) if self.at(at).is_some_and(|node| !node.pinned) => self.remove(at),
            _ => {}
        }
    }

    fn remove(&mut self, at: u32) {
        self.clear(at);
        let Some(node) = self.at_mut(at) else {
            return;
        };
        node.gone = true;
        let (id, standing) = (node.id, node.standing());
        self.index.remove(&id);
        self.gone += 1;
        if let Some(order) = &mut self.order {
            order.nodes.remove(&(standing, at));
        }
    }

    fn no_source(&mut self, at: u32) {
        let standing = self.at(at).map(Node::standing);
        if let (Some(order), Some(standing)) = (&mut self.order, standing) {
            order.sources.remove(&(standing, at));
        }
    }

    /// The place of `id`, made if there is none and nobody of more than `standing` must go.
    fn admit(
        &mut self,
        limits: &RankLimits,
        id: NodeId,
        standing: Share,
        beside: Option<u32>,
    ) -> Option<u32> {
        if let Some(&at) = self.index.get(&id) {
            return Some(at);
        }
        if self.index.len() >= limits.nodes {
            let victim = self
                .order()
                .nodes
                .iter()
                .find(|(_, at)| Some(*at) != beside)
                .copied();
            let (least, at) = victim?;
            if least > standing {
                return None;
            }
            self.remove(at);
        }
        let at = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(Node {
            id,
            out: Vec::new(),
            sum: 0,
            rank: Share::ZERO,
            promised: Share::ZERO,
            pinned: false,
            gone: false,
        });
        self.index.insert(id, at);
        if let Some(order) = &mut self.order {
            order.nodes.insert((Share::ZERO, at));
        }
        Some(at)
    }

    fn make_room_for_edge(&mut self, limits: &RankLimits, source: u32) -> bool {
        if self.edges < limits.edges {
            return true;
        }
        let Some(standing) = self.at(source).map(Node::standing) else {
            return false;
        };
        let sources = &self.order().sources;
        let victim = sources.iter().find(|(_, at)| *at != source).copied();
        match victim {
            Some((least, at)) if least <= standing => self.clear(at),
            _ => return false,
        }
        true
    }

    fn promise(&mut self, at: u32, promise: Share) {
        let Some(node) = self.nodes.get_mut(at as usize) else {
            return;
        };
        let old = node.standing();
        node.promised = node.promised.max(promise);
        let (new, is_source) = (node.standing(), !node.out.is_empty());
        if old == new || node.pinned {
            return;
        }
        if let Some(order) = &mut self.order {
            order.nodes.remove(&(old, at));
            order.nodes.insert((new, at));
            if is_source {
                order.sources.remove(&(old, at));
                order.sources.insert((new, at));
            }
        }
    }

    fn order(&mut self) -> &Order {
        let nodes = &self.nodes;
        self.order.get_or_insert_with(|| {
            let free = || {
                let free = (0_u32..).zip(nodes);
                free.filter(|(_, node)| !node.pinned && !node.gone)
            };
            let sources = free().filter(|(_, node)| !node.out.is_empty());
            Order {
                nodes: free().map(|(at, node)| (node.standing(), at)).collect(),
                sources: sources.map(|(at, node)| (node.standing(), at)).collect(),
            }
        })
    }

    /// Sweeps out those that went, when they are many.
    pub(super) fn tidy(&mut self, limits: &RankLimits) {
        if self.gone > limits.nodes / 4 {
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        if self.gone == 0 {
            return;
        }
        self.order = None;
        let mut places = Vec::with_capacity(self.nodes.len());
        let mut next = 0_u32;
        for node in &self.nodes {
            places.push((!node.gone).then_some(next));
            next += u32::from(!node.gone);
        }
        let place = |at: u32| places.get(at as usize).copied().flatten();
        self.nodes.retain(|node| !node.gone);
        self.edges = 0;
        for node in &mut self.nodes {
            node.out.retain_mut(|edge| match place(edge.to) {
                Some(to) => {
                    edge.to = to;
                    true
                }
                None => false,
            });
            node.sum = node.out.iter().map(|edge| u64::from(edge.weight)).sum();
            self.edges += node.out.len();
        }
        for at in self.index.values_mut() {
            *at = place(*at).unwrap_or(u32::MAX);
        }
        self.gone = 0;
    }

    /// Swept and laid out, with the place of each of `sources`.
    pub(super) fn flow(&mut self, sources: &[(NodeId, Share)]) -> (Flow, Vec<(u32, Share)>) {
        self.sweep();
        let mut flow = Flow::with_capacity(self.nodes.len(), self.edges);
        for node in &self.nodes {
            flow.push_row(node.out.iter().map(|edge| (edge.to, edge.weight)));
        }
        let sources = sources.iter();
        let placed = sources.filter_map(|(id, part)| Some((*self.index.get(id)?, *part)));
        (flow, placed.collect())
    }

    /// The ranks by place, as [`flow`](Self::flow) left them.
    pub(super) fn by_place(&self) -> Vec<Share> {
        self.nodes.iter().map(|node| node.rank).collect()
    }

    /// Takes new ranks, by place.
    pub(super) fn settle(&mut self, ranks: Vec<Share>) {
        self.order = None;
        for (node, rank) in self.nodes.iter_mut().zip(ranks) {
            node.rank = rank;
            node.promised = Share::ZERO;
        }
    }

    /// Takes the rank of one peer as it was, to begin the next refresh with.
    pub(super) fn restore(&mut self, id: &NodeId, rank: Share) {
        self.order = None;
        if let Some(at) = self.index.get(id).copied()
            && let Some(node) = self.at_mut(at)
        {
            node.rank = rank;
        }
    }
}
