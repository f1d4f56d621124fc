use alloc::{collections::BTreeMap, vec::Vec};
use core::{ops::Range, time::Duration};

use repute_base::{Machine, Mono, Rng, Timestamp};
use repute_identity::NodeId;
use repute_protocol::{BlobFrame, BlobHash};

use crate::{
    Config, ConfigError, DownloadId, Event, GroupRanges, Input, Limits, Order, Output, Progress,
    Refusal, RequestId, Stats, desk::Desk, download::Download, held::HeldBlobs, uploads::Uploads,
};

/// A timer that is served this late was delayed by this node, not by its peers.
const ASLEEP: Duration = Duration::from_secs(1);

/// The engine of blobs: who has them, who is fetched from, who is served.
#[derive(Clone, Debug)]
pub struct Blobs {
    desk: Desk,
    downloads: BTreeMap<DownloadId, Download>,
    /// Of which download each request is.
    requests: BTreeMap<RequestId, DownloadId>,
    held: HeldBlobs,
    uploads: Uploads,
    stopping: bool,
}

impl Blobs {
    /// An engine that has nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] when a setting is out of range.
    pub fn new(config: Config, limits: Limits, rng: Rng) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            uploads: Uploads::new(config.upload_rate),
            desk: Desk::new(config, limits, rng),
            downloads: BTreeMap::new(),
            requests: BTreeMap::new(),
            held: HeldBlobs::default(),
            stopping: false,
        })
    }

    /// Counters and sizes.
    pub fn stats(&self) -> Stats {
        Stats {
            downloads: self.downloads.len(),
            held: self.held.len(),
            served: self.uploads.counts(),
            ..self.desk.stats.clone()
        }
    }

    /// How far every download is.
    pub fn progress(&self) -> impl Iterator<Item = Progress> + '_ {
        let all = self.downloads.values();
        all.map(|download| download.progress(&self.desk))
    }

    /// Groups of a download that are there and proven; none if there is no such download.
    pub fn verified(&self, id: DownloadId) -> Option<GroupRanges> {
        self.downloads.get(&id).map(Download::verified)
    }

    /// Those that there is a link to, as this engine was told.
    pub fn linked(&self) -> impl Iterator<Item = &NodeId> {
        self.desk.links.keys()
    }

    /// Whether a download needs a link to this peer.
    pub fn needs_link(&self, peer: &NodeId) -> bool {
        self.desk.needs_link(peer)
    }

    fn download(&mut self, order: Order) {
        let id = order.id;
        let reason = if self.stopping {
            Some(Refusal::Stopping)
        } else if self.downloads.contains_key(&id) {
            Some(Refusal::Taken)
        } else if self.downloads.len() >= self.desk.limits.downloads_max {
            Some(Refusal::TooMany)
        } else if order
            .size
            .is_some_and(|size| size > self.desk.limits.size_max)
        {
            Some(Refusal::TooLarge)
        } else {
            None
        };
        if let Some(reason) = reason {
            return self.desk.tell(Event::Refused { id, reason });
        }
        let download = Download::new(&self.desk, order);
        self.downloads.insert(id, download);
        self.offer(id, None);
        self.settle(id);
    }

    /// Applies `change` to a download, and all that follows from it.
    fn change(&mut self, id: DownloadId, change: impl FnOnce(&mut Download, &mut Desk)) {
        let Some(download) = self.downloads.get_mut(&id) else {
            let reason = Refusal::Unknown;
            return self.desk.tell(Event::Refused { id, reason });
        };
        change(download, &mut self.desk);
        self.settle(id);
    }

    /// Applies `change` to the download of a request, if there still is one.
    fn change_of(&mut self, request: RequestId, change: impl FnOnce(&mut Download, &mut Desk)) {
        if let Some(id) = self.requests.get(&request).copied() {
            self.change(id, change);
        }
    }

    fn change_all(&mut self, change: impl Fn(&mut Download, &mut Desk)) {
        let all: Vec<DownloadId> = self.downloads.keys().copied().collect();
        for id in all {
            self.change(id, &change);
        }
    }

    /// Applies `change` to every download of a blob.
    fn change_each(&mut self, hash: BlobHash, change: impl Fn(&mut Download, &mut Desk)) {
        let of_blob = self.downloads.iter();
        let of_blob: Vec<DownloadId> = of_blob
            .filter(|(_, download)| download.hash == hash)
            .map(|(id, _)| *id)
            .collect();
        for id in of_blob {
            self.change(id, &change);
        }
    }

    /// What follows from a change of a download.
    fn settle(&mut self, id: DownloadId) {
        let Some(download) = self.downloads.get_mut(&id) else {
            return;
        };
        let complete = download.size.is_some() && download.missing.is_empty();
        if complete && !download.over {
            download.finish(&mut self.desk);
        }
        download.settle(&mut self.desk);
        let over = download.over;
        self.requests
            .retain(|request, of| *of != id || (!over && download.requests.contains_key(request)));
        if over {
            self.downloads.remove(&id);
        } else {
            let new = download.requests.keys().map(|request| (*request, id));
            self.requests.extend(new);
        }
    }

    fn received(&mut self, request: RequestId, groups: Range<u64>) {
        let Some(id) = self.requests.get(&request).copied() else {
            return;
        };
        let Some(download) = self.downloads.get_mut(&id) else {
            return;
        };
        let proven = download.size_proven;
        let new = download.received(&mut self.desk, request, groups);
        // What came before the size was proven is offered with what proved it.
        let gained = (proven == download.size_proven).then_some(new);
        self.offer(id, gained);
        self.settle(id);
    }

    /// Offers what a download gained, or all that it has, once its size is proven.
    fn offer(&mut self, id: DownloadId, gained: Option<GroupRanges>) {
        if !self.desk.config.share_partials {
            return;
        }
        let Some(download) = self.downloads.get(&id) else {
            return;
        };
        let (Some(size), true) = (download.size, download.size_proven) else {
            return;
        };
        let groups = gained.unwrap_or_else(|| download.verified());
        let hash = download.hash;
        self.held.hold(&mut self.desk, hash, size, &groups, false);
    }

    fn cancel(&mut self, id: DownloadId) {
        let Some(mut download) = self.downloads.remove(&id) else {
            let reason = Refusal::Unknown;
            return self.desk.tell(Event::Refused { id, reason });
        };
        download.let_go(&mut self.desk);
        self.requests.retain(|_, of| *of != id);
        let hash = download.hash;
        if !self.downloads.values().any(|other| other.hash == hash) {
            self.held.release(&mut self.desk, hash, false);
        }
    }

    fn frame(&mut self, peer: NodeId, frame: BlobFrame) {
        if !self.desk.admits_frame(&peer) || self.desk.is_closed(&peer) {
            return;
        }
        match frame {
            BlobFrame::Query { hash, from } => {
                let free = self.uploads.free(&self.desk);
                self.held.queried(&mut self.desk, peer, (hash, from), free);
            }
            BlobFrame::Have(have) => {
                self.change_each(have.hash, |download, desk| download.have(desk, peer, &have));
            }
            BlobFrame::Update { hash, gained } => {
                let gained: GroupRanges = gained.ranges().collect();
                self.change_each(hash, |download, desk| download.gained(desk, peer, &gained));
            }
            BlobFrame::Gone { hash } => {
                self.change_each(hash, |download, desk| download.gone(desk, peer));
            }
            BlobFrame::Turn { .. } => {
                // A turn is the peer's, not the blob's.
                self.change_all(|download, desk| download.turn(desk, &peer));
            }
        }
    }

    fn shutdown(&mut self) {
        self.stopping = true;
        self.uploads.stop(&mut self.desk);
        let all: Vec<DownloadId> = self.downloads.keys().copied().collect();
        for id in all {
            if let Some(mut download) = self.downloads.remove(&id) {
                download.let_go(&mut self.desk);
            }
        }
        self.requests.clear();
    }

    /// Looks after what is due, and gives back the time that this node was asleep.
    fn tick(&mut self) {
        let now = self.desk.now;
        let freed = core::mem::take(&mut self.desk.freed);
        let due: Vec<DownloadId> = self
            .downloads
            .iter()
            .filter(|(_, one)| one.wake <= now || freed && one.starved && one.running)
            .map(|(id, _)| *id)
            .collect();
        due.into_iter().for_each(|id| self.settle(id));
        self.held.update(&mut self.desk);
        self.uploads.settle(&mut self.desk);
        for (request, bytes) in self.desk.inflow.share(now) {
            let request = RequestId(request);
            self.desk.emit(Output::Receive { request, bytes });
        }
    }

    fn forgive(&mut self, late: Duration) {
        for download in self.downloads.values_mut() {
            download.forgive(late);
        }
    }

    fn stream(&mut self, input: Input) {
        let desk = &mut self.desk;
        match input {
            Input::Asked {
                peer,
                stream,
                request,
            } => {
                let from = (peer, stream);
                self.uploads
                    .asked(desk, &self.held, from, &request, self.stopping);
            }
            Input::Sent { stream, bytes } => self.uploads.sent(desk, stream, bytes),
            Input::SentAll { stream, end } => self.uploads.ended(desk, stream, end),
            _ => {}
        }
    }

    fn link(&mut self, peer: NodeId, up: bool) {
        if up {
            self.desk.link_up(peer);
            return self.change_all(|download, _| download.link_up(peer));
        }
        self.desk.link_down(peer);
        self.uploads.forget(&mut self.desk, &peer, false);
        self.change_all(|download, desk| download.link_down(desk, peer));
    }
}

impl Machine for Blobs {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Timestamp, input: Input) {
        let promised = self.next_deadline();
        self.desk.now = self.desk.now.max(now.mono);
        if let Some(late) = promised.map(|due| self.desk.now.since(due))
            && late >= ASLEEP
        {
            self.forgive(late);
        }
        match input {
            Input::Tick => {}
            Input::Shutdown => self.shutdown(),
            Input::LinkUp { peer } => self.link(peer, true),
            Input::LinkDown { peer } | Input::Unreachable { peer } => self.link(peer, false),
            Input::Standing { peer, tier, closed } => {
                self.desk.set_standing(peer, tier, closed);
                if closed {
                    let linked = self.desk.is_linked(&peer);
                    self.uploads.forget(&mut self.desk, &peer, linked);
                    self.change_all(|_, _| {});
                }
            }
            Input::Session { peer, session } => {
                if let Some(link) = self.desk.links.get_mut(&peer) {
                    link.session = session;
                }
            }
            Input::Frame(frame) => {
                let peer = frame.peer();
                self.frame(peer, frame.into_value());
            }
            Input::Share { hash, size, groups } => {
                self.held.hold(&mut self.desk, hash, size, &groups, true);
            }
            Input::Unshare { hash } => self.held.release(&mut self.desk, hash, true),
            Input::Download(order) => self.download(*order),
            Input::Pause { id } => self.change(id, |download, desk| download.pause(desk, None)),
            Input::Resume { id } => self.change(id, |download, desk| download.resume(desk)),
            Input::Cancel { id } => self.cancel(id),
            Input::Providers { hash, contacts } => {
                self.change_each(hash, |download, desk| download.add(desk, contacts.clone()));
            }
            Input::Ranked { id, ranked } => {
                if self.downloads.contains_key(&id) {
                    self.change(id, |download, _| download.ranked(&ranked));
                }
            }
            Input::Answered { request, answer } => {
                self.change_of(request, |download, desk| {
                    download.answered(desk, request, answer);
                });
            }
            Input::Received { request, groups } => self.received(request, groups),
            Input::Corrupt { request } => {
                self.change_of(request, |download, desk| download.corrupt(desk, request));
            }
            Input::Ended { request, end } => {
                self.change_of(request, |download, desk| download.ended(desk, request, end));
            }
            Input::Trouble { id, kind } => {
                self.change(id, |download, desk| download.pause(desk, Some(kind)));
            }
            input @ (Input::Asked { .. } | Input::Sent { .. } | Input::SentAll { .. }) => {
                self.stream(input);
            }
        }
        self.tick();
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.desk.outputs.pop_front()
    }

    fn next_deadline(&self) -> Option<Mono> {
        let downloads = self.downloads.values().map(|download| download.wake);
        let downloads = downloads.min().unwrap_or(Mono::MAX);
        let due = downloads
            .min(self.held.deadline())
            .min(self.uploads.deadline(&self.desk))
            .min(self.desk.inflow.deadline());
        (due < Mono::MAX).then_some(due)
    }
}
