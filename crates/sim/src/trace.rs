use core::fmt;

/// The hash over everything that happened in a run: equal seeds give equal hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash([u8; 32]);

impl TraceHash {
    /// A hash made elsewhere, over a run that no [`World`](crate::World) drove.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceHash({self})")
    }
}

/// Collects what happened: when, to whom, what, from whom, how large.
#[derive(Clone, Debug)]
pub struct Trace(blake3::Hasher);

impl Trace {
    /// Nothing has happened yet.
    pub fn new(seed: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("repute sim trace v1");
        hasher.update(&seed.to_le_bytes());
        Self(hasher)
    }

    /// Adds one happening.
    pub fn record(&mut self, at_ms: u64, node: usize, what: u8, other: usize, size: usize) {
        let mut line = [0; 33];
        let fields = [at_ms, node as u64, other as u64, size as u64];
        for (place, field) in line.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        if let Some(last) = line.last_mut() {
            *last = what;
        }
        self.0.update(&line);
    }

    /// Adds a whole run, of a scenario that consists of several.
    pub fn join(&mut self, run: &TraceHash) {
        self.0.update(run.as_bytes());
    }

    /// The hash over all that was added so far.
    pub fn hash(&self) -> TraceHash {
        TraceHash(*self.0.finalize().as_bytes())
    }
}
