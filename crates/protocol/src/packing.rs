//! Broadcasts of one stream that say only what the broadcasts before them did not say.
//!
//! Envelopes of one author begin alike, and envelopes of one burst end alike. A packed broadcast
//! names one of the last broadcasts of its stream and how many bytes of its envelope's beginning
//! and end are the same. Both ends of a stream see the same broadcasts in the same order, so the
//! receiver puts the very bytes together that the author signed.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::Bytes;

use crate::{DecodeError, FrameHeader, FrameKind};

/// Broadcasts that can be referred to, in each direction of a link: enough for the authors of a
/// busy moment, in five kibibytes.
const KEPT_MAX: usize = 16;
/// Bytes kept of an envelope's beginning: up to the author's start.
const PREFIX_MAX: usize = 96;
/// Bytes kept of its end: the largest authenticator without the place of its leaf.
const SUFFIX_MAX: usize = 255;
/// Where in an envelope its author's key lies.
const KEY_AT: core::ops::Range<usize> = 11..43;
/// Bytes of a broadcast before its envelope; the last holds the flags.
const HEAD_LEN: usize = 3;
/// The flag of a packed broadcast.
const PACKED: u8 = 2;
/// Behind the head: which broadcast, counted back from this one, and the bytes shared.
const REFERENCE_LEN: usize = 3;

/// Beginning and end of an envelope that went before.
#[derive(Debug, Default)]
struct Kept {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

impl Kept {
    fn hold(&mut self, envelope: &[u8]) {
        let prefix = envelope.get(..PREFIX_MAX).unwrap_or(envelope);
        let end = envelope.len().saturating_sub(SUFFIX_MAX);
        let suffix = envelope.get(end..).unwrap_or_default();
        for (kept, bytes) in [(&mut self.prefix, prefix), (&mut self.suffix, suffix)] {
            kept.clear();
            kept.extend_from_slice(bytes);
        }
    }
}

/// The newest last.
#[derive(Debug, Default)]
struct Window(VecDeque<Kept>);

impl Window {
    fn keep(&mut self, envelope: &[u8]) {
        let mut kept = match self.0.len() {
            ..KEPT_MAX => Kept::default(),
            _ => self.0.pop_front().unwrap_or_default(),
        };
        kept.hold(envelope);
        self.0.push_back(kept);
    }
}

/// Packs the frames that leave on one stream.
#[derive(Debug, Default)]
pub struct Packer(Window);

impl Packer {
    /// For the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an encoded frame, which may be of any kind, to what the stream carries.
    pub fn pack(&mut self, frame: &[u8], out: &mut Vec<u8>) {
        let Some((header, body)) = frame.split_first_chunk::<{ FrameHeader::LEN }>() else {
            return out.extend_from_slice(frame);
        };
        let [.., kind] = *header;
        let parts = body.split_first_chunk::<HEAD_LEN>();
        let (true, Some(([hops, ttl, requested], envelope))) =
            (kind == FrameKind::Broadcast.number(), parts)
        else {
            return out.extend_from_slice(frame);
        };
        let key = envelope.get(KEY_AT);
        let alike = self.0.0.iter().rev().enumerate();
        let alike = alike
            .filter(|(_, kept)| key.is_some() && kept.prefix.get(KEY_AT) == key)
            .map(|(back, kept)| {
                let prefix = shared(kept.prefix.iter(), envelope.iter());
                let rest = envelope.get(prefix..).unwrap_or_default();
                let suffix = shared(kept.suffix.iter().rev(), rest.iter().rev());
                (back, prefix, suffix)
            })
            .next();
        if let Some((back, prefix, suffix)) = alike
            && let Some(middle) = envelope.get(prefix..envelope.len() - suffix)
        {
            let body_len = HEAD_LEN + REFERENCE_LEN + middle.len();
            let len = u32::try_from(body_len + 1).unwrap_or(u32::MAX);
            let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
            out.extend_from_slice(&len.to_be_bytes());
            out.extend_from_slice(&[kind, *hops, *ttl, *requested | PACKED]);
            out.extend_from_slice(&[byte(back + 1), byte(prefix), byte(suffix)]);
            out.extend_from_slice(middle);
        } else {
            out.extend_from_slice(frame);
        }
        self.0.keep(envelope);
    }
}

fn shared<'a>(left: impl Iterator<Item = &'a u8>, right: impl Iterator<Item = &'a u8>) -> usize {
    left.zip(right)
        .take_while(|(left, right)| left == right)
        .count()
}

/// Unpacks the broadcasts that come on one stream.
#[derive(Debug, Default)]
pub struct Unpacker(Window);

impl Unpacker {
    /// For the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// The whole body of a broadcast frame, in memory of its own, so that keeping it does not keep
    /// the chunk it came in.
    ///
    /// # Errors
    /// [`DecodeError`] when it refers to what was not there, or is longer than a broadcast may be.
    pub fn unpack(&mut self, body: &[u8]) -> Result<Bytes, DecodeError> {
        let malformed = DecodeError::Malformed;
        let Some(([hops, ttl, flags], rest)) = body.split_first_chunk::<HEAD_LEN>() else {
            return Err(malformed);
        };
        if flags & PACKED == 0 {
            self.0.keep(rest);
            return Ok(Bytes::copy_from_slice(body));
        }
        let (&[back, prefix, suffix], middle) =
            rest.split_first_chunk::<REFERENCE_LEN>().ok_or(malformed)?;
        let kept = &self.0.0;
        let place = kept.len().checked_sub(usize::from(back)).ok_or(malformed)?;
        let kept = kept.get(place).ok_or(malformed)?;
        let prefix = kept.prefix.get(..usize::from(prefix)).ok_or(malformed)?;
        let from = kept.suffix.len().checked_sub(usize::from(suffix));
        let suffix = from
            .and_then(|from| kept.suffix.get(from..))
            .ok_or(malformed)?;
        let len = HEAD_LEN + prefix.len() + middle.len() + suffix.len();
        let max = FrameKind::Broadcast.body_max();
        if len > max {
            return Err(DecodeError::TooLong { len, max });
        }
        let mut whole = Vec::with_capacity(len);
        whole.extend_from_slice(&[*hops, *ttl, flags & !PACKED]);
        whole.extend_from_slice(prefix);
        whole.extend_from_slice(middle);
        whole.extend_from_slice(suffix);
        self.0.keep(whole.get(HEAD_LEN..).unwrap_or_default());
        Ok(whole.into())
    }
}
