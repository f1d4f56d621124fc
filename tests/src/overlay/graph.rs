use std::collections::VecDeque;

use repute_base::Rng;

/// Who is whose neighbour, as a graph to be measured.
pub struct Graph {
    neighbours: Vec<Vec<usize>>,
}

impl Graph {
    /// A graph over as many nodes as there are lists; each list names a node's neighbours.
    pub const fn new(neighbours: Vec<Vec<usize>>) -> Self {
        Self { neighbours }
    }

    fn of(&self, node: usize) -> &[usize] {
        self.neighbours.get(node).map_or(&[], Vec::as_slice)
    }

    /// Neighbours of a node, in the mean.
    pub fn degree(&self) -> f64 {
        let links: usize = self.neighbours.iter().map(Vec::len).sum();
        links as f64 / (self.neighbours.len() as f64).max(1.0)
    }

    /// The clustering coefficient: the share of the pairs of a node's neighbours that are
    /// neighbours of each other, in the mean over nodes.
    pub fn clustering(&self) -> f64 {
        let mut sum = 0.0;
        for around in &self.neighbours {
            let pairs = around.len() * around.len().saturating_sub(1);
            let closed = around
                .iter()
                .flat_map(|a| around.iter().map(move |b| (a, b)))
                .filter(|(a, b)| a != b && self.of(**a).contains(b))
                .count();
            if pairs > 0 {
                sum += closed as f64 / pairs as f64;
            }
        }
        sum / (self.neighbours.len() as f64).max(1.0)
    }

    /// The shortest paths from `sources` random nodes: their mean length, the mean of the longest
    /// from each source, and how many nodes a source cannot reach, at most.
    pub fn paths(&self, sources: usize, rng: &mut Rng) -> Paths {
        let all: Vec<usize> = (0..self.neighbours.len()).collect();
        let mut paths = Paths::default();
        let (mut sum, mut count, mut longest) = (0_usize, 0_usize, 0_usize);
        let chosen = rng.sample(&all, sources);
        for source in &chosen {
            let mut distance: Vec<Option<usize>> = vec![None; all.len()];
            let mut queue = VecDeque::from([(*source, 0)]);
            let mut farthest = 0;
            while let Some((node, far)) = queue.pop_front() {
                match distance.get_mut(node) {
                    Some(place @ None) => *place = Some(far),
                    _ => continue,
                }
                (sum, count) = (sum + far, count + 1);
                farthest = far;
                queue.extend(self.of(node).iter().map(|next| (*next, far + 1)));
            }
            longest += farthest;
            let reached = distance.iter().flatten().count();
            paths.unreached = paths.unreached.max(all.len() - reached);
        }
        paths.mean = sum as f64 / count.saturating_sub(chosen.len()).max(1) as f64;
        paths.longest = longest as f64 / chosen.len().max(1) as f64;
        paths
    }
}

/// Lengths of shortest paths.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Paths {
    /// In the mean over pairs of nodes.
    pub mean: f64,
    /// From a node to the one farthest from it, in the mean over nodes.
    pub longest: f64,
    /// Nodes that cannot be reached from one of the sources, at most.
    pub unreached: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_a_clique_and_a_split_graph_measure_as_known() {
        let ring = |n: usize| {
            let around = |i: usize| vec![(i + 1) % n, (i + n - 1) % n];
            Graph::new((0..n).map(around).collect())
        };
        let paths = ring(8).paths(8, &mut Rng::from_u64(1));
        // 1, 1, 2, 2, 3, 3, 4 from each.
        assert!((paths.mean - 16.0 / 7.0).abs() < 1e-9, "{paths:?}");
        assert!((paths.longest - 4.0).abs() < 1e-9);
        assert!(ring(8).clustering() < 1e-9 && (ring(8).degree() - 2.0).abs() < 1e-9);
        assert!((ring(3).clustering() - 1.0).abs() < 1e-9);
        let split = Graph::new(vec![vec![1], vec![0], vec![3], vec![2]]);
        assert_eq!(split.paths(4, &mut Rng::from_u64(1)).unreached, 2);
    }
}
