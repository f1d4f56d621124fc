use core::net::SocketAddr;
use std::io;

/// Why an endpoint could not start. Nothing was left open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The socket could not be opened.
    #[error("cannot listen on UDP {address}: {source}; choose another address or port (0 for any)")]
    Socket {
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The identity's key was refused by the TLS library.
    #[error("the TLS library refused the identity's key: {0}")]
    Tls(String),
    /// A limit of the configuration is out of range.
    #[error("transport setting {name} is {value}, which is out of range; at most {max} works")]
    Config {
        /// The field.
        name: &'static str,
        /// What it holds.
        value: u64,
        /// The most it may hold.
        max: u64,
    },
}

/// Why a frame was not taken. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no link to this peer.
    #[error("no link to this peer; dial it first")]
    NotConnected,
    /// The link's queue is full.
    #[error(
        "the queue for this peer is full ({queued} of {max} bytes); wait until it drains or drop the frame"
    )]
    Full {
        /// Bytes waiting.
        queued: usize,
        /// Bytes that may wait.
        max: usize,
    },
}

/// Why a stream is of no more use. The link is not affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// There is no link to this peer.
    #[error("no link to this peer; dial it first")]
    NotConnected,
    /// As many streams are open as the peer allows.
    #[error("the peer takes no more streams now; wait until one of them has ended")]
    Busy,
    /// The peer takes no streams from us.
    #[error("the peer refused the stream")]
    Refused,
    /// The peer ended it before its end, or stopped reading.
    #[error("the peer gave the stream up")]
    GivenUp,
    /// The link was lost or closed.
    #[error("the link to the peer is gone")]
    Lost,
}
