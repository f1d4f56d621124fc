use std::{
    io,
    path::{Path, PathBuf},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

use crate::routes::BODY_MAX;
use crate::{
    BanRequest, Bans, Done, EventView, ExplainView, JoinRequest, MessageView, PeerView, Peers,
    Problem, PublishRequest, Published, RecommendRequest, StatusView, TicketView, TrustSources,
};

/// The longest answer that is read, in bytes.
const ANSWER_MAX: usize = 64 << 20;

/// Why a node did not answer as hoped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no node is running on {}: start one with `repute up`", path.display())]
    NotRunning {
        /// Where.
        path: PathBuf,
    },
    /// The system refused, or the connection broke.
    #[error("the control socket {} failed: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The node said no.
    #[error("{}", .0.title)]
    Problem(Problem),
    /// The request is longer than the node reads; nothing was sent.
    #[error("the request has {len} bytes and at most {BODY_MAX} are read: share more as a file")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// What came back is no answer of this API.
    #[error("the node gave an answer that this version does not understand: {0}")]
    Answer(String),
}

/// Talks to the node behind a control socket. Each call opens its own connection.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

pub(crate) type Result<T> = std::result::Result<T, ClientError>;

impl Client {
    /// A client of the node behind this socket; nothing is opened yet.
    pub fn connect(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Which socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the node is.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn status(&self) -> Result<StatusView> {
        self.get("/v1/status").await
    }

    /// Known peers, best first, at most `limit`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peers(&self, limit: usize) -> Result<Peers> {
        self.get(&format!("/v1/peers?limit={limit}")).await
    }

    /// One known peer.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn peer(&self, id: &str) -> Result<PeerView> {
        self.get(&format!("/v1/peers/{}", segment(id))).await
    }

    /// Why a peer stands where it stands.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn explain(&self, id: &str) -> Result<ExplainView> {
        self.get(&format!("/v1/peers/{}/explain", segment(id)))
            .await
    }

    /// The bans in force.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn bans(&self) -> Result<Bans> {
        self.get("/v1/bans").await
    }

    /// Keeps a peer out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ban(&self, request: &BanRequest) -> Result<Done> {
        self.post("/v1/bans", request).await
    }

    /// Lets a peer back in.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn unban(&self, id: &str) -> Result<Done> {
        let path = format!("/v1/bans/{}", segment(id));
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Recommends a peer, or warns of it.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn recommend(&self, request: &RecommendRequest) -> Result<Done> {
        self.post("/v1/trust/recommendations", request).await
    }

    /// Who moves what is thought of whom.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn trust_sources(&self) -> Result<TrustSources> {
        self.get("/v1/trust/sources").await
    }

    /// Takes a source of recommendations out.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn withdraw(&self, id: &str) -> Result<Done> {
        let path = format!("/v1/trust/sources/{}", segment(id));
        self.call(Method::DELETE, &path, Bytes::new()).await
    }

    /// Listens to a withdrawn source again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn readmit(&self, id: &str) -> Result<Done> {
        self.post(&format!("/v1/trust/sources/{}", segment(id)), &())
            .await
    }

    /// An invitation to the node.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn ticket(&self) -> Result<TicketView> {
        self.get("/v1/ticket").await
    }

    /// Joins through the node of a ticket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn join(&self, request: &JoinRequest) -> Result<Done> {
        self.post("/v1/join", request).await
    }

    /// Spreads a message.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn publish(&self, request: &PublishRequest) -> Result<Published> {
        self.post("/v1/publish", request).await
    }

    /// Asks the node to stop.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stop(&self) -> Result<Done> {
        self.post("/v1/stop", &()).await
    }

    /// The messages of a topic from now on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn subscribe(&self, topic: &str) -> Result<Lines<MessageView>> {
        self.lines(&format!("/v1/subscribe?topic={}", segment(topic)))
            .await
    }

    /// What happens from now on.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn events(&self) -> Result<Lines<EventView>> {
        self.lines("/v1/events").await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        self.call(Method::POST, path, self.encoded(body)?).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T> {
        let response = self.send(method, path, body).await?;
        let bytes = self.whole(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| ClientError::Answer(error.to_string()))
    }

    pub(crate) async fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<Lines<T>> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        Ok(self.line_by_line(response))
    }

    pub(crate) async fn post_lines<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<Lines<T>> {
        let response = self.send(Method::POST, path, self.encoded(body)?).await?;
        Ok(self.line_by_line(response))
    }

    fn line_by_line<T>(&self, response: Response<Incoming>) -> Lines<T> {
        Lines {
            body: response.into_body(),
            buffer: Vec::new(),
            client: self.clone(),
            kind: std::marker::PhantomData,
        }
    }

    fn encoded(&self, body: &impl Serialize) -> Result<Bytes> {
        let body = serde_json::to_vec(body).map_err(|error| self.io(error.into()))?;
        if body.len() > BODY_MAX {
            return Err(ClientError::TooLong { len: body.len() });
        }
        Ok(body.into())
    }

    /// Sends a request; an answer that is a problem becomes the error.
    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>> {
        let stream =
            UnixStream::connect(&self.path)
                .await
                .map_err(|source| match source.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                        ClientError::NotRunning {
                            path: self.path.clone(),
                        }
                    }
                    _ => self.io(source),
                })?;
        let broken = |error: hyper::Error| self.io(io::Error::other(error));
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.io(io::Error::other(error)))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = self.whole(response).await?;
        let unreadable = |_| ClientError::Answer(format!("status {status}"));
        Err(serde_json::from_slice(&bytes).map_or_else(unreadable, ClientError::Problem))
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes> {
        let body = http_body_util::Limited::new(response.into_body(), ANSWER_MAX);
        let collected = body
            .collect()
            .await
            .map_err(|error| self.io(io::Error::other(error)))?;
        Ok(collected.to_bytes())
    }

    fn io(&self, source: io::Error) -> ClientError {
        ClientError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// Answers that come one by one, until the node stops.
#[derive(Debug)]
pub struct Lines<T> {
    body: Incoming,
    buffer: Vec<u8>,
    client: Client,
    kind: std::marker::PhantomData<T>,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next one; `None` once the node has stopped.
    ///
    /// # Errors
    /// [`ClientError`] when the connection broke or a line is not understood.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|error| ClientError::Answer(error.to_string()));
            }
            if self.buffer.len() > ANSWER_MAX {
                return Err(ClientError::Answer("a line without an end".into()));
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| self.client.io(io::Error::other(error)))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// `text` as one segment of a path or query: everything but letters and digits is escaped.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _written = write!(out, "%{byte:02X}");
        }
        out
    })
}
