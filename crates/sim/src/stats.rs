/// What happened so far. Tests assert on it that the faults they meant to cause did occur: a
/// simulation whose partitions never cut anything proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Happenings taken from the heap.
    pub happenings: u64,
    /// Timer events handed to hosts.
    pub ticks: u64,
    /// Packets given to a link.
    pub packets_sent: u64,
    /// Packets handed to a host by a link, duplicates included.
    pub packets_delivered: u64,
    /// Bytes of the packets delivered.
    pub bytes_delivered: u64,
    /// Packets for a peer without a link, or whose link went down under way.
    pub packets_dropped: u64,
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Datagrams handed to a host, duplicates included.
    pub datagrams_delivered: u64,
    /// Transmissions lost: datagrams gone for good, and link packets that had to be sent again.
    pub lost: u64,
    /// Packets and datagrams that arrived twice.
    pub duplicated: u64,
    /// Packets and datagrams that were held back so that later ones could overtake.
    pub reordered: u64,
    /// Packets and datagrams that met a cut on their way.
    pub cut_off: u64,
    /// Links that came up on both sides.
    pub links_opened: u64,
    /// Links that broke without being closed.
    pub links_lost: u64,
    /// Dials that did not become a link.
    pub dials_failed: u64,
    /// Cuts made.
    pub partitions: u64,
    /// Of these, cuts in one direction only.
    pub one_way: u64,
    /// Times that a cut began to come and go.
    pub flaps: u64,
    /// Times that nodes were cut off one by one.
    pub swizzles: u64,
    /// Nodes frozen.
    pub pauses: u64,
    /// Wall clocks that the faults made jump.
    pub clock_jumps: u64,
    /// Packets that came far later than those behind them.
    pub late: u64,
    /// Crashes.
    pub crashes: u64,
    /// Restarts.
    pub restarts: u64,
    /// Times that a host was asked whether its rules hold: once after each of its steps.
    pub examined: u64,
    /// Accusations raised by any host.
    pub accusations: u64,
}
