//! A network in memory: every datagram arrives at once and in order, unless it is told to lose.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use repute_transport::{Datagrams, Socket};

#[derive(Debug, Default)]
struct Mailbox {
    datagrams: VecDeque<(SocketAddr, Vec<u8>)>,
    waker: Option<Waker>,
}

#[derive(Clone, Debug, Default)]
pub struct MemoryNetwork {
    mailboxes: Arc<Mutex<BTreeMap<SocketAddr, Mailbox>>>,
}

impl MemoryNetwork {
    /// A socket at this address.
    pub fn socket(&self, address: SocketAddr) -> Socket {
        self.mailboxes
            .lock()
            .unwrap()
            .insert(address, Mailbox::default());
        Socket::new(MemorySocket {
            network: self.clone(),
            address,
        })
    }

    /// From now on what is sent to or from this address is lost.
    pub fn unplug(&self, address: SocketAddr) {
        self.mailboxes.lock().unwrap().remove(&address);
    }
}

#[derive(Debug)]
struct MemorySocket {
    network: MemoryNetwork,
    address: SocketAddr,
}

impl Datagrams for MemorySocket {
    fn send(&self, to: SocketAddr, payload: &[u8]) -> io::Result<()> {
        let mut mailboxes = self.network.mailboxes.lock().unwrap();
        if !mailboxes.contains_key(&self.address) {
            return Ok(());
        }
        if let Some(mailbox) = mailboxes.get_mut(&to) {
            mailbox
                .datagrams
                .push_back((self.address, payload.to_vec()));
            if let Some(waker) = mailbox.waker.take() {
                waker.wake();
            }
        }
        Ok(())
    }

    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut mailboxes = self.network.mailboxes.lock().unwrap();
        let Some(mailbox) = mailboxes.get_mut(&self.address) else {
            return Poll::Pending;
        };
        match mailbox.datagrams.pop_front() {
            Some((from, payload)) => {
                let len = payload.len().min(buffer.len());
                buffer[..len].copy_from_slice(&payload[..len]);
                Poll::Ready(Ok((len, from)))
            }
            None => {
                mailbox.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
