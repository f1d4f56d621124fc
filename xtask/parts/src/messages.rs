use anyhow::{Context, Result};
use bytes::Bytes;
use repute_base::{BoundedBytes, BoundedVec, Rng, Timestamp};
use repute_identity::Identity;
use repute_protocol::{
    Broadcast, Envelope, EnvelopeKind, Frame, FrameHeader, Message, NetworkId, Payload, Seq, Topic,
    Unsigned, Verified,
};

/// Bytes of application data in each message.
const SIZE: usize = 1_024;

/// Signed messages of a few authors, in turn.
#[derive(Debug)]
pub struct Messages {
    drafts: Vec<(usize, Unsigned)>,
    authors: Vec<Identity>,
    proven: Vec<Verified<Envelope>>,
    /// The bodies of broadcast frames, as a link brings them.
    frames: Vec<Bytes>,
}

impl Messages {
    /// Signs `count` messages of `authors` authors.
    ///
    /// # Errors
    /// When a message is too large for its kind.
    pub fn sign(count: usize, authors: usize) -> Result<Self> {
        let authors: Vec<_> = (0..authors as u64)
            .map(|one| Identity::from_seed(1_000 + one))
            .collect();
        let mut bytes = Rng::from_u64(7);
        let topic = topic()?;
        let mut messages = Self {
            drafts: Vec::new(),
            proven: Vec::new(),
            frames: Vec::new(),
            authors,
        };
        for number in 0..count {
            let place = number % messages.authors.len().max(1);
            let author = messages.authors.get(place).context("at least one author")?;
            let nth = (number / messages.authors.len().max(1)) as u64;
            let mut data = vec![0; SIZE];
            bytes.fill(&mut data);
            let message = Message {
                topic: topic.clone(),
                kind: 0,
                nth,
                after: BoundedVec::new(),
                data: BoundedBytes::new(data)?,
            };
            let draft = Unsigned {
                network: network(),
                kind: EnvelopeKind::Message,
                seq: Seq {
                    start: now(0).wall.as_millis(),
                    counter: nth,
                },
                sent: now(0).wall,
                payload: Payload::Message(message).encode(),
            };
            let proven = draft.sign(author);
            let frame = frame(&proven);
            messages.frames.push(frame.slice(FrameHeader::LEN..));
            messages.proven.push(proven);
            messages.drafts.push((place, draft));
        }
        Ok(messages)
    }

    /// The body of each frame, and its envelope as one whose signature was checked.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (Bytes, Verified<Envelope>)> {
        self.frames.iter().cloned().zip(self.proven.iter().cloned())
    }

    /// The envelopes as they come, not believed yet.
    pub fn envelopes(&self) -> impl Iterator<Item = Envelope> {
        self.proven.iter().map(|one| one.clone().into_inner())
    }

    /// The bytes of each envelope.
    pub fn wires(&self) -> impl Iterator<Item = Bytes> {
        self.proven.iter().map(|one| one.wire().clone())
    }

    /// Each draft with its author, to be signed.
    pub fn drafts(&self) -> impl Iterator<Item = (&Identity, &Unsigned)> {
        let author = |place: usize| self.authors.get(place);
        self.drafts
            .iter()
            .filter_map(move |(place, draft)| Some((author(*place)?, draft)))
    }

    /// All of the first author's, signed together.
    pub fn sign_together(&self) -> Vec<Verified<Envelope>> {
        let of_first = self.drafts.iter().filter(|(place, _)| *place == 0);
        let drafts: Vec<Unsigned> = of_first.map(|(_, draft)| draft.clone()).collect();
        let author = self.authors.first();
        author.map_or_else(Vec::new, |author| Unsigned::sign_all(&drafts, author))
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.proven.len()
    }
}

/// The frame in which a neighbour pushes a message.
pub fn frame(envelope: &Envelope) -> Bytes {
    let broadcast = Broadcast {
        hops: 1,
        ttl: 8,
        requested: false,
        envelope: envelope.clone(),
    };
    Frame::Broadcast(broadcast).encode()
}

/// The network of all parts.
pub(crate) fn network() -> NetworkId {
    NetworkId::from_name("parts")
}

/// The topic of all messages.
pub(crate) fn topic() -> Result<Topic> {
    Ok(Topic::new("parts")?)
}

/// So many ms after the beginning.
pub(crate) fn now(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis, 1_800_000_000_000 + millis)
}
