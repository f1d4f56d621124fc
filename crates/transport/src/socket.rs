//! The seam below QUIC: the only file that another socket, or another version of quinn, changes.

use core::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use std::{
    io::{self, IoSliceMut},
    sync::Arc,
};

/// A socket of datagrams to run QUIC over, such as one end of a simulated network.
pub trait Datagrams: fmt::Debug + Send + Sync + 'static {
    /// Sends one datagram, or loses it: what cannot be sent now is dropped, as networks do.
    ///
    /// # Errors
    /// What makes the socket unusable.
    fn send(&self, to: SocketAddr, payload: &[u8]) -> io::Result<()>;

    /// Receives one datagram into `buffer`; gives its length and its sender.
    ///
    /// # Errors
    /// What makes the socket unusable.
    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>>;

    /// The address at which this socket receives.
    ///
    /// # Errors
    /// What makes the socket unusable.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A socket to use instead of the operating system's.
#[derive(Clone, Debug)]
pub struct Socket(pub(crate) Arc<dyn quinn::AsyncUdpSocket>);

impl Socket {
    /// Runs QUIC over `datagrams`.
    pub fn new(datagrams: impl Datagrams) -> Self {
        Self(Arc::new(Adaptor(datagrams)))
    }
}

#[derive(Debug)]
struct Adaptor<D>(D);

impl<D: Datagrams> quinn::AsyncUdpSocket for Adaptor<D> {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn quinn::UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &quinn::udp::Transmit<'_>) -> io::Result<()> {
        self.0.send(transmit.destination, transmit.contents)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [quinn::udp::RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut count = 0;
        for (buffer, meta) in buffers.iter_mut().zip(meta) {
            match self.0.poll_receive(context, buffer) {
                Poll::Ready(Ok((len, from))) => {
                    *meta = quinn::udp::RecvMeta {
                        addr: from,
                        len,
                        stride: len,
                        ecn: None,
                        dst_ip: None,
                    };
                    count += 1;
                }
                Poll::Ready(Err(error)) if count == 0 => return Poll::Ready(Err(error)),
                Poll::Pending if count == 0 => return Poll::Pending,
                // What came so far is handed over; the rest is asked for again.
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Poll::Ready(Ok(count))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl quinn::UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
