//! Fewer receive buffers in use: quinn asks for 32 at a time, each as long as 64 packets that the
//! system joined, which is 3 MiB of each endpoint once traffic has touched them all.

use std::{
    io::{self, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use quinn::{
    AsyncUdpSocket, UdpPoller,
    udp::{RecvMeta, Transmit},
};

/// How many runs of joined packets are received at once: 0.75 MiB. A run has up to 64 packets, so
/// this is still half a thousand of them for one system call.
const RUNS_MAX: usize = 8;

/// A socket of the system that uses only the first few of the buffers it is lent.
#[derive(Debug)]
pub(crate) struct Few(Arc<dyn AsyncUdpSocket>);

impl Few {
    /// Where the system joins no packets, a buffer holds one, and all of them are small.
    pub(crate) fn where_joined(socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        match socket.max_receive_segments() {
            0 | 1 => socket,
            _ => Arc::new(Self(socket)),
        }
    }
}

impl AsyncUdpSocket for Few {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.0).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.0.try_send(transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let few = buffers.len().min(meta.len()).min(RUNS_MAX);
        match (buffers.get_mut(..few), meta.get_mut(..few)) {
            (Some(buffers), Some(meta)) => self.0.poll_recv(context, buffers, meta),
            _ => self.0.poll_recv(context, buffers, meta),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.0.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.0.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.0.may_fragment()
    }
}
