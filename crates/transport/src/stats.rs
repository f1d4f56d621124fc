use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counts since the endpoint was bound, and how things stand now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            /// Links that are up.
            pub links: u64,
            /// Inbound connections that have not proved themselves yet.
            pub half_open: u64,
            /// Dials under way.
            pub dials: u64,
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            pub(crate) fn snapshot(&self) -> Stats {
                Stats { $($name: self.$name.load(Relaxed),)* ..Stats::default() }
            }
        }
    };
}

counters! {
    /// Inbound connections that were let in to shake hands.
    accepted,
    /// Inbound connections told to prove their address first.
    retried,
    /// Inbound connections refused for a limit or a rate.
    refused,
    /// Inbound connections refused because they came from a barred address.
    barred,
    /// Inbound connections that had not proved themselves and made room for others.
    put_out,
    /// Connections that ended before both handshakes were checked.
    handshakes_failed,
    /// Second connections to the same peer that were put aside.
    duplicates,
    /// Frames received and decoded.
    frames_in,
    /// Frames written.
    frames_out,
    /// Bytes of frames received.
    bytes_in,
    /// Bytes of frames written.
    bytes_out,
    /// Frames written as datagrams; they count as frames and bytes too.
    datagrams_out,
    /// Frames received as datagrams; they count as frames and bytes too.
    datagrams_in,
    /// Datagrams dropped because too many of their link waited.
    datagrams_dropped,
    /// Frames of unknown kinds that were passed over.
    frames_unknown,
    /// Frames dropped undecoded because their sender is shut out.
    frames_shut_out,
    /// Lengths that no frame has: reading ends there.
    framing_broken,
    /// Frames that are no encoding of their kind.
    frames_malformed,
    /// Frames of kinds that have no place where they came.
    frames_unexpected,
    /// Frames that broke the protocol.
    violations,
    /// Frames that found a full queue.
    queue_full,
    /// The most bytes that ever waited in one queue of one link.
    queue_peak,
    /// Streams that we opened.
    streams_opened,
    /// Streams that peers opened.
    streams_accepted,
    /// Streams of peers that are shut out.
    streams_refused,
    /// Bytes received on streams; those of frames are not among them.
    stream_bytes_in,
    /// Bytes written to streams; those of frames are not among them.
    stream_bytes_out,
    /// Tasks that panicked: zero unless this program has a defect.
    panics,
}

pub(crate) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Relaxed);
}
