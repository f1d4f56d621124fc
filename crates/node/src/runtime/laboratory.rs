use std::time::Duration;

use repute_base::Wall;
use repute_transport::Socket;

/// What a whole node runs on in a simulation: a network and a clock that can be replayed.
///
/// Together with [`NodeConfig::seed`](super::NodeConfig::seed), a store in memory and tokio's
/// paused clock, two runs of the same nodes send the same packets at the same times.
#[derive(Clone, Debug)]
pub struct Laboratory {
    /// Where packets go instead of the system's network.
    pub socket: Socket,
    /// The wall clock at the start; from there it follows tokio's clock.
    pub wall: Wall,
    /// Seeds QUIC's own choices. Whoever knows it can guess connection ids.
    pub quic_seed: [u8; 32],
    /// What checking one signature takes: under a paused clock the processor is free, and fair
    /// shares of something free would prove nothing.
    pub check_time: Duration,
}
