//! What the API asks of a node's blacklist, in the node's words.

use std::time::Duration;

use repute_base::BoundedString;
use repute_identity::NodeId;
use repute_node::{Change, Node, trust::Target};

use crate::{AddRequest, ControlError, EditRequest};

type Answer<T> = Result<T, ControlError>;

fn target(text: &str) -> Answer<Target> {
    text.trim()
        .parse()
        .map_err(|error: repute_node::trust::TargetError| {
            ControlError::BadRequest(error.to_string())
        })
}

fn reason(text: &str) -> Answer<BoundedString<128>> {
    BoundedString::new(text)
        .map_err(|error| ControlError::BadRequest(format!("the reason is too long: {error}")))
}

pub(crate) async fn add(node: &Node, request: AddRequest) -> Answer<()> {
    if request.entries.len() > AddRequest::ENTRIES_MAX {
        return Err(ControlError::BadRequest(format!(
            "{} entries where at most {} are taken at once: send several requests",
            request.entries.len(),
            AddRequest::ENTRIES_MAX
        )));
    }
    let put = |entry: &crate::EntryRequest| {
        Ok(Change::Put {
            target: target(&entry.target)?,
            duration: entry.seconds.map(Duration::from_secs),
            reason: reason(&entry.reason)?,
        })
    };
    let changes = request
        .entries
        .iter()
        .map(put)
        .collect::<Answer<Vec<_>>>()?;
    Ok(node.change_blacklist(changes).await?)
}

pub(crate) async fn edit(node: &Node, request: EditRequest) -> Answer<()> {
    let target = target(&request.target)?;
    there(node, target).await?;
    let duration = match (request.seconds, request.for_good) {
        (Some(_), true) => {
            let problem = "an entry lasts for some time or for good, not both";
            return Err(ControlError::BadRequest(problem.into()));
        }
        (Some(seconds), false) => Some(Some(Duration::from_secs(seconds))),
        (None, true) => Some(None),
        (None, false) => None,
    };
    let reason = request.reason.as_deref().map(reason).transpose()?;
    if reason.is_none() && duration.is_none() {
        let problem = "nothing to change: give a reason, seconds or for_good";
        return Err(ControlError::BadRequest(problem.into()));
    }
    let change = Change::Edit {
        target,
        reason,
        duration,
    };
    Ok(node.change_blacklist(vec![change]).await?)
}

async fn there(node: &Node, target: Target) -> Answer<()> {
    let list = node.blacklist().await?;
    if list.entries.iter().any(|entry| entry.target == target) {
        return Ok(());
    }
    Err(ControlError::NotFound(format!(
        "no entry of the blacklist names {target}"
    )))
}

pub(crate) async fn remove(node: &Node, text: Option<String>) -> Answer<usize> {
    let targets: Vec<Target> = match text {
        Some(text) => {
            let target = target(&text)?;
            there(node, target).await?;
            vec![target]
        }
        None => {
            let list = node.blacklist().await?;
            list.entries.iter().map(|entry| entry.target).collect()
        }
    };
    let count = targets.len();
    let changes = targets.into_iter().map(Change::Remove).collect();
    node.change_blacklist(changes).await?;
    Ok(count)
}

pub(crate) async fn dismiss(node: &Node, peer: NodeId) -> Answer<()> {
    if !node
        .appeals()
        .await?
        .iter()
        .any(|appeal| appeal.peer == peer)
    {
        return Err(ControlError::NotFound(
            "no appeal of this peer is kept".into(),
        ));
    }
    Ok(node.dismiss_appeal(peer).await?)
}

pub(crate) async fn appeal(node: &Node, peer: NodeId, text: &str) -> Answer<bool> {
    match node.peer(peer).await? {
        None => Err(ControlError::NotFound(
            "no such peer is known to this node: join it with its ticket first".into(),
        )),
        Some(status) if status.is_active() => Err(ControlError::Refused(
            "this peer has a link with this node: there is nothing to appeal against".into(),
        )),
        Some(_) => Ok(node.appeal(peer, text).await?),
    }
}
