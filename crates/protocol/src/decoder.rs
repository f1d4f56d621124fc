//! Finds the frames in a stream of bytes, however the stream is cut into chunks.

use alloc::{collections::VecDeque, vec::Vec};

use bytes::{Buf, Bytes};

use crate::{DecodeError, Frame, FrameError, FrameHeader, FrameKind};

/// One frame as it came: its kind, and the body that [`Frame::decode`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// The kind; `None` if this build does not know it.
    pub kind: Option<FrameKind>,
    /// The body; empty if the kind is unknown, since nobody could read it.
    pub body: Bytes,
    /// Bytes that the frame took on the wire, header included: what it costs the sender's budget.
    pub wire_len: usize,
}

impl RawFrame {
    /// The frame itself; `None` if its kind is unknown.
    ///
    /// An envelope inside shares the memory of the chunk it came in:
    /// [`Envelope::detached`](crate::Envelope::detached) before keeping it for long.
    pub fn decode(self) -> Option<Result<Frame, DecodeError>> {
        self.kind.map(|kind| Frame::decode(kind, self.body))
    }
}

/// Cuts a stream into frames: feed it with [`push`](Self::push), then iterate until `None`.
///
/// A frame that lies inside one chunk shares that chunk's memory; one that crosses chunks is put
/// together in a buffer of its own, which grows with the bytes that really came and never beyond
/// the length that the header was allowed to claim. Between two pushes, once drained, it holds at
/// most one unfinished frame. Frames of unknown kinds are passed over, and reported with no body.
///
/// The first [`FrameError`] is reported once and ends the stream: what follows it has no meaning.
///
/// ```
/// use bytes::Bytes;
/// use repute_protocol::{Frame, FrameDecoder, Heartbeat};
///
/// let wire = Frame::Heartbeat(Heartbeat::Ping { nonce: 7 }).encode();
/// let mut decoder = FrameDecoder::new();
/// decoder.push(wire.slice(..3));
/// assert!(decoder.next().is_none(), "the rest has not come yet");
/// decoder.push(wire.slice(3..));
/// let raw = decoder.next().expect("complete").expect("legal");
/// let frame = raw.decode().expect("known").expect("well-formed");
/// assert!(matches!(frame, Frame::Heartbeat(Heartbeat::Ping { nonce: 7 })));
/// ```
#[derive(Debug, Default)]
pub struct FrameDecoder {
    chunks: VecDeque<Bytes>,
    head: Head,
    current: Option<FrameHeader>,
    partial: Vec<u8>,
    skipped: usize,
    failed: bool,
}

/// The part of a header that has come so far.
#[derive(Debug, Default)]
struct Head {
    bytes: [u8; FrameHeader::LEN],
    len: usize,
}

impl FrameDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends what came next. Drain the iterator before the next push: chunks not yet looked at
    /// are kept.
    pub fn push(&mut self, chunk: Bytes) {
        if !self.failed && !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// Whether the stream may end here: no frame is half read, and none was refused.
    pub fn is_at_boundary(&self) -> bool {
        !self.failed && self.chunks.is_empty() && self.head.len == 0 && self.current.is_none()
    }

    /// Bytes of an unfinished frame that are held back.
    pub fn held(&self) -> usize {
        self.head.len + self.partial.len()
    }

    fn step(&mut self) -> Option<Result<RawFrame, FrameError>> {
        let header = match self.current {
            Some(header) => header,
            None => match self.read_header()? {
                Ok(header) => *self.current.insert(header),
                Err(error) => {
                    self.failed = true;
                    self.chunks.clear();
                    return Some(Err(error));
                }
            },
        };
        let body = match header.kind {
            Some(_) => self.read_body(header.body_len)?,
            None => self.skip_body(header.body_len)?,
        };
        self.current = None;
        let wire_len = FrameHeader::LEN + header.body_len;
        Some(Ok(RawFrame {
            kind: header.kind,
            body,
            wire_len,
        }))
    }

    fn read_header(&mut self) -> Option<Result<FrameHeader, FrameError>> {
        while let Some(place) = self.head.bytes.get_mut(self.head.len) {
            *place = Self::next_byte(&mut self.chunks)?;
            self.head.len += 1;
        }
        self.head.len = 0;
        Some(FrameHeader::parse(self.head.bytes))
    }

    fn read_body(&mut self, len: usize) -> Option<Bytes> {
        if self.partial.is_empty() {
            if len == 0 {
                return Some(Bytes::new());
            }
            if let Some(body) = self.split_front(len) {
                return Some(body);
            }
        }
        while self.partial.len() < len {
            let part = self.take_front(len - self.partial.len())?;
            let filled = self.partial.len() + part.len();
            if filled > self.partial.capacity() {
                let target = filled
                    .max(self.partial.capacity().saturating_mul(2))
                    .min(len);
                self.partial.reserve_exact(target - self.partial.len());
            }
            self.partial.extend_from_slice(&part);
        }
        Some(core::mem::take(&mut self.partial).into())
    }

    fn skip_body(&mut self, len: usize) -> Option<Bytes> {
        while self.skipped < len {
            self.skipped += self.take_front(len - self.skipped)?.len();
        }
        self.skipped = 0;
        Some(Bytes::new())
    }

    /// The whole body, if the first chunk holds it.
    fn split_front(&mut self, len: usize) -> Option<Bytes> {
        self.chunks.front().filter(|chunk| chunk.len() >= len)?;
        self.take_front(len)
    }

    /// At most `max` bytes of the first chunk, without copying.
    fn take_front(&mut self, max: usize) -> Option<Bytes> {
        let front = self.chunks.front_mut()?;
        if front.len() > max {
            Some(front.split_to(max))
        } else {
            self.chunks.pop_front()
        }
    }

    fn next_byte(chunks: &mut VecDeque<Bytes>) -> Option<u8> {
        let front = chunks.front_mut()?;
        let byte = *front.first()?;
        front.advance(1);
        if front.is_empty() {
            chunks.pop_front();
        }
        Some(byte)
    }
}

/// `None` means that more bytes are needed, or that the stream was refused.
impl Iterator for FrameDecoder {
    type Item = Result<RawFrame, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CustomData, Heartbeat};
    use repute_base::BoundedBytes;

    fn custom(len: usize) -> Bytes {
        let data = BoundedBytes::new(alloc::vec![7; len]).unwrap();
        Frame::CustomData(CustomData { kind: 1, data }).encode()
    }

    fn drain(decoder: &mut FrameDecoder) -> Vec<RawFrame> {
        decoder.map(|frame| frame.unwrap()).collect()
    }

    #[test]
    fn a_frame_inside_one_chunk_is_not_copied() {
        let wire = custom(1_000);
        let mut decoder = FrameDecoder::new();
        decoder.push(wire.clone());
        let frames = drain(&mut decoder);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].body.as_ptr(), wire[FrameHeader::LEN..].as_ptr());
        assert_eq!(frames[0].wire_len, wire.len());
        assert!(decoder.is_at_boundary());
    }

    #[test]
    fn one_byte_at_a_time_gives_the_same_frames() {
        let ping = Frame::Heartbeat(Heartbeat::Ping { nonce: 9 }).encode();
        let stream = [custom(300), ping, custom(0)].concat();
        let mut whole = FrameDecoder::new();
        whole.push(Bytes::copy_from_slice(&stream));
        let mut bytewise = FrameDecoder::new();
        let mut frames = Vec::new();
        for byte in &stream {
            bytewise.push(Bytes::copy_from_slice(&[*byte]));
            frames.extend(drain(&mut bytewise));
        }
        assert_eq!(frames, drain(&mut whole));
        assert_eq!(frames.len(), 3);
        assert!(bytewise.is_at_boundary());
    }

    #[test]
    fn an_unknown_kind_is_passed_over_and_reported_without_a_body() {
        let stream = [&[0, 0, 0, 4, 200, 1, 2, 3][..], &custom(2)].concat();
        let mut decoder = FrameDecoder::new();
        decoder.push(Bytes::from(stream));
        let frames = drain(&mut decoder);
        assert_eq!(
            frames[0],
            RawFrame {
                kind: None,
                body: Bytes::new(),
                wire_len: 8
            }
        );
        assert_eq!(frames[1].kind, Some(FrameKind::CustomData));
    }

    #[test]
    fn a_refused_length_ends_the_stream_before_the_body_comes() {
        let mut decoder = FrameDecoder::new();
        decoder.push(Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 7]));
        assert!(matches!(
            decoder.next(),
            Some(Err(FrameError::Oversized { .. }))
        ));
        decoder.push(custom(1));
        assert!(decoder.next().is_none());
        assert!(!decoder.is_at_boundary());
    }
}
