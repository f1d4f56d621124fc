use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use repute_protocol::MessageId;
use tokio::sync::oneshot;

use super::NodeError;

/// A message that was handed over: awaited, it gives its name once the message is on its way.
/// Dropping it changes nothing for the message.
#[derive(Debug)]
#[must_use = "a message that is refused says so here"]
pub struct Publishing(pub(crate) oneshot::Receiver<Result<MessageId, NodeError>>);

impl Future for Publishing {
    type Output = Result<MessageId, NodeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(answer.unwrap_or(Err(NodeError::Stopped)))
    }
}
