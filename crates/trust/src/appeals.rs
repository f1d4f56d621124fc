use alloc::{collections::VecDeque, vec::Vec};

use repute_base::{BoundedString, BoundedVec, Wall, codec};
use repute_identity::NodeId;

use crate::RecordError;

/// What a banned peer's operator said to ours. It changes nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appeal {
    /// Who appeals.
    pub peer: NodeId,
    /// When it came, by our clock.
    pub at: Wall,
    /// What it says; escape before showing.
    pub text: BoundedString<128>,
}

/// The last appeal of each peer; when there are too many, the oldest goes.
#[derive(Debug, Default)]
pub struct Appeals(VecDeque<Appeal>);

/// Version of the stored form.
const VERSION: u8 = 1;

/// The stored form of one: who, when, what.
type Stored = ([u8; 32], u64, BoundedString<128>);

impl Appeals {
    /// Appeals kept at most: more than an operator reads, too few to fill anything.
    pub const COUNT_MAX: usize = 64;

    /// The appeals, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Appeal> {
        self.0.iter()
    }

    /// Keeps an appeal, in place of an earlier one of the same peer.
    pub fn put(&mut self, appeal: Appeal) {
        self.remove(&appeal.peer);
        if self.0.len() >= Self::COUNT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(appeal);
    }

    /// Removes the appeal of a peer; whether there was one.
    pub fn remove(&mut self, peer: &NodeId) -> bool {
        let before = self.0.len();
        self.0.retain(|known| known.peer != *peer);
        self.0.len() < before
    }

    /// The stored form, stable over versions of this crate.
    pub fn to_bytes(&self) -> Vec<u8> {
        let stored = |appeal: &Appeal| -> Stored {
            let at = appeal.at.as_millis();
            (*appeal.peer.as_bytes(), at, appeal.text.clone())
        };
        let all: BoundedVec<Stored, { Self::COUNT_MAX }> =
            BoundedVec::truncated(self.0.iter().map(stored));
        codec::encode(&(VERSION, all))
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`RecordError`] when the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecordError> {
        let (version, all): (u8, BoundedVec<Stored, { Self::COUNT_MAX }>) = codec::decode(bytes)?;
        if version != VERSION {
            return Err(RecordError::Version {
                version,
                max: VERSION,
            });
        }
        let appeal = |(peer, at, text)| Appeal {
            peer: NodeId::from_bytes(peer),
            at: Wall::from_millis(at),
            text,
        };
        Ok(Self(all.into_vec().into_iter().map(appeal).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_appeal_of_each_peer_is_kept_and_no_more_than_there_is_room_for() {
        let appeal = |n: u8, at| Appeal {
            peer: NodeId::from_bytes([n; 32]),
            at: Wall::from_millis(at),
            text: BoundedString::truncated("we fixed it"),
        };
        let mut appeals = Appeals::default();
        for n in 0..100 {
            appeals.put(appeal(n, 1));
            appeals.put(appeal(n, 2));
        }
        assert_eq!(appeals.iter().count(), Appeals::COUNT_MAX);
        assert_eq!(appeals.iter().next(), Some(&appeal(36, 2)));
        let again = Appeals::from_bytes(&appeals.to_bytes()).unwrap();
        assert!(again.iter().eq(appeals.iter()));
        assert!(appeals.remove(&NodeId::from_bytes([99; 32])));
        assert!(!appeals.remove(&NodeId::from_bytes([99; 32])));
        assert!(Appeals::from_bytes(&[9, 0]).is_err());
    }
}
