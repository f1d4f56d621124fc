//! The driver's part: streams that are under way, by the engine's names for them.

use std::{collections::BTreeMap, sync::Arc};

use repute_blobs::{Input, Output, RequestId, StreamEnd, StreamId};
use repute_protocol::TransferAnswer;
use repute_transport::{Endpoint, StreamWriter};

use super::{
    fetching::{self, Asked},
    library::Library,
    reins::Reins,
    serving::{self, Service},
};

/// Streams under way. Bounded by what the engine asks for, and by what transport lets peers open.
pub(crate) struct Carrier {
    library: Arc<Library>,
    endpoint: Endpoint,
    requests: BTreeMap<RequestId, Arc<Reins>>,
    streams: BTreeMap<StreamId, Upload>,
    next_stream: u64,
}

/// A stream that a peer opened.
enum Upload {
    /// The engine has not answered.
    Asked(StreamWriter),
    /// It is served, as soon as the engine says with what.
    Answered(StreamWriter, TransferAnswer),
    Served(Arc<Reins>),
}

impl Carrier {
    pub(crate) fn new(library: Arc<Library>, endpoint: Endpoint) -> Self {
        Self {
            library,
            endpoint,
            requests: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_stream: 0,
        }
    }

    pub(crate) const fn library(&self) -> &Arc<Library> {
        &self.library
    }

    /// Carries a stream until the store is closed, which waits for it.
    fn spawn(&self, stream: impl Future<Output = ()> + Send + 'static) {
        let library = Arc::clone(&self.library);
        if let Ok(alive) = library.workers().begin() {
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    () = library.closed() => {}
                    () = stream => {}
                }
                drop(alive);
            });
        }
    }

    /// A peer asks on this stream; the engine's name for it.
    pub(crate) fn admit(&mut self, writer: StreamWriter) -> StreamId {
        self.next_stream += 1;
        let stream = StreamId(self.next_stream);
        self.streams.insert(stream, Upload::Asked(writer));
        stream
    }

    /// The engine has heard of a stream. If it has nothing to say, the stream is given up.
    pub(crate) fn settle(&mut self, stream: StreamId) {
        if let Some(Upload::Asked(_) | Upload::Answered(..)) = self.streams.get(&stream) {
            self.streams.remove(&stream);
        }
    }

    /// What the engine is told of streams that are over.
    pub(crate) fn note(&mut self, input: &Input) {
        match input {
            Input::Ended { request, .. } | Input::Corrupt { request } => {
                self.requests.remove(request);
            }
            // Where nothing follows, the engine has forgotten the request.
            Input::Answered { request, answer }
                if !matches!(answer, TransferAnswer::Serving { .. }) =>
            {
                self.requests.remove(request);
            }
            Input::SentAll { stream, .. } => {
                self.streams.remove(stream);
            }
            _ => {}
        }
    }

    /// Does what the engine asks for; at once, for nothing here waits. Gives what is to be told to
    /// the engine.
    pub(crate) fn perform(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Request {
                request,
                id,
                peer,
                transfer,
                size,
                paced,
            } => {
                let Some(tap) = self.library.tap(id) else {
                    let end = StreamEnd::Local;
                    return Some(Input::Ended { request, end });
                };
                let reins = Arc::new(Reins::new(paced));
                self.requests.insert(request, Arc::clone(&reins));
                let asked = Asked {
                    request,
                    peer,
                    transfer,
                    size,
                };
                let (endpoint, library) = (self.endpoint.clone(), Arc::clone(&self.library));
                self.spawn(fetching::run(endpoint, library, tap, asked, reins));
            }
            Output::Receive { request, bytes } => {
                if let Some(reins) = self.requests.get(&request) {
                    reins.allow(bytes);
                }
            }
            Output::Cancel { request } => {
                if let Some(reins) = self.requests.remove(&request) {
                    reins.end();
                }
            }
            Output::Answer { stream, answer } => self.answer(stream, answer),
            Output::Serve {
                stream,
                hash,
                groups,
                paced,
            } => {
                if let Some(Upload::Answered(writer, answer)) = self.streams.remove(&stream) {
                    let reins = Arc::new(Reins::new(paced));
                    let served = Upload::Served(Arc::clone(&reins));
                    self.streams.insert(stream, served);
                    let service = Service {
                        stream,
                        hash,
                        groups,
                        answer,
                    };
                    let library = Arc::clone(&self.library);
                    self.spawn(serving::run(library, writer, service, reins));
                }
            }
            Output::Transmit { stream, bytes } => {
                if let Some(Upload::Served(reins)) = self.streams.get(&stream) {
                    reins.allow(bytes);
                }
            }
            Output::Stop { stream } => {
                if let Some(Upload::Served(reins)) = self.streams.remove(&stream) {
                    reins.end();
                }
            }
            // All else is between the engines.
            _ => {}
        }
        None
    }

    fn answer(&mut self, stream: StreamId, answer: TransferAnswer) {
        let Some(Upload::Asked(writer)) = self.streams.remove(&stream) else {
            return;
        };
        if matches!(answer, TransferAnswer::Serving { .. }) {
            let answered = Upload::Answered(writer, answer);
            self.streams.insert(stream, answered);
        } else {
            self.spawn(serving::decline(writer, answer));
        }
    }
}
