use std::collections::BTreeMap;

use repute_base::Rng;
use repute_protocol::BlobHash;

/// Files a node has at the start.
const OWNED: usize = 5;
/// Honest seeders of the least popular file.
const SEEDERS_MIN: usize = 3;
/// Providers that one lookup finds.
const FOUND_MAX: usize = 20;

/// The files that there are, and who says to have which.
pub(super) struct Shelf {
    sizes: Vec<u64>,
    /// Summed up, by Zipf's law: the first is the most popular.
    weights: Vec<f64>,
    providers: BTreeMap<BlobHash, Vec<usize>>,
}

pub(super) fn hash_of(file: usize) -> BlobHash {
    let mut bytes = [0x5f; 32];
    for (place, byte) in bytes.iter_mut().zip((file as u64).to_be_bytes()) {
        *place = byte;
    }
    BlobHash::from_bytes(bytes)
}

impl Shelf {
    /// A file for every five nodes, of half a MiB to 16 MiB, small ones more often.
    pub(super) fn new(nodes: usize, rng: &mut Rng) -> Self {
        let files = (nodes / 5).max(4);
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += 1.0 / (rank as f64 + 1.0);
            sum
        };
        Self {
            sizes: (0..files)
                .map(|_| {
                    let doubled = (1_u64 << 19) << rng.below(6);
                    doubled / 2 + rng.below(doubled / 2)
                })
                .collect(),
            weights: (0..files).map(weight).collect(),
            providers: BTreeMap::new(),
        }
    }

    pub(super) fn size(&self, file: usize) -> u64 {
        self.sizes.get(file).copied().unwrap_or_default()
    }

    /// A file, by popularity.
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let all = self.weights.last().copied().unwrap_or_default();
        let drawn = rng.below(1 << 53) as f64 / (1_u64 << 53) as f64 * all;
        self.weights.partition_point(|sum| *sum <= drawn)
    }

    /// What each node has at the start: what it likes, and for every file some honest ones.
    pub(super) fn stock(&self, nodes: usize, honest: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
        let mut owned: Vec<Vec<usize>> = (0..nodes)
            .map(|_| {
                let mut files: Vec<usize> = (0..OWNED).map(|_| self.draw(rng)).collect();
                files.sort_unstable();
                files.dedup();
                files
            })
            .collect();
        for file in 0..self.sizes.len() {
            for _ in 0..SEEDERS_MIN {
                let node = rng.below(honest as u64) as usize;
                if let Some(files) = owned.get_mut(node)
                    && !files.contains(&file)
                {
                    files.push(file);
                }
            }
        }
        owned
    }

    pub(super) fn provide(&mut self, hash: BlobHash, node: usize) {
        let providers = self.providers.entry(hash).or_default();
        if !providers.contains(&node) {
            providers.push(node);
        }
    }

    pub(super) fn withdraw(&mut self, hash: BlobHash, node: usize) {
        if let Some(providers) = self.providers.get_mut(&hash) {
            providers.retain(|other| *other != node);
        }
    }

    /// Some that say to have a blob, as a lookup finds them.
    pub(super) fn find(&self, hash: BlobHash, by: usize, rng: &mut Rng) -> Vec<usize> {
        let all = self.providers.get(&hash).map_or(&[][..], Vec::as_slice);
        let others: Vec<usize> = all.iter().copied().filter(|one| *one != by).collect();
        rng.sample(&others, FOUND_MAX)
    }
}
