//! Transfers over restarts: one row of the durable store each, as text that people can read.

use std::path::PathBuf;

use repute_base::{Address, BoundedString, BoundedVec, Wall};
use repute_blobs::{Choice, Grade};
use repute_identity::NodeId;
use repute_protocol::{BlobHash, BlobTicket, Contact};
use repute_storage::{StoreError, Write as Row};
use tokio::sync::oneshot;
use toml::{Table, Value};

use super::{TransferId, cell::Standing, cells::TRANSFERS_MAX, library::Library};

/// The name under which the next transfer's name is kept.
const NEXT: &str = "transfers";
const GRADES: [(&str, Grade); 6] = [
    ("distrusted", Grade::Distrusted),
    ("unknown", Grade::Unknown),
    ("low", Grade::Low),
    ("medium", Grade::Medium),
    ("high", Grade::High),
    ("trusted", Grade::Trusted),
];

fn key_of(slot: usize) -> String {
    format!("transfer/{slot}")
}

impl Library {
    /// Keeps a transfer over restarts: done once durable.
    pub(super) async fn keep(
        &self,
        slot: usize,
        order: &Standing,
        paused: bool,
    ) -> Result<(), StoreError> {
        let next = self.cells().unused();
        let rows = vec![
            Row::State {
                key: NEXT.into(),
                value: next.to_le_bytes().to_vec(),
            },
            Row::State {
                key: key_of(slot),
                value: encode(order, paused).into_bytes(),
            },
        ];
        self.write(rows).await
    }

    /// Forgets a transfer, durably.
    pub(super) async fn drop_kept(&self, slot: usize) -> Result<(), StoreError> {
        self.write(vec![Row::ForgetState(key_of(slot))]).await
    }

    async fn write(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        let (answer, done) = oneshot::channel();
        let done_then = Box::new(move |result| drop(answer.send(result)));
        self.rows.write(rows, done_then);
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    /// What was not finished, and whether it was paused. What cannot be read is said so, and stops
    /// nothing.
    pub(super) fn kept(&self) -> Vec<(usize, Standing, bool)> {
        let next = self.rows.state(NEXT).ok().flatten();
        let next = next.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_slice()).ok());
        self.cells()
            .given_before(next.map_or(1, u64::from_le_bytes));
        let mut kept = Vec::new();
        for slot in 0..TRANSFERS_MAX {
            match self.rows.state(&key_of(slot)) {
                Ok(None) => {}
                Ok(Some(bytes)) => match decode(&bytes) {
                    Some((order, paused)) => kept.push((slot, order, paused)),
                    None => tracing::warn!(slot, "an unfinished transfer cannot be read"),
                },
                Err(error) => {
                    tracing::warn!(%error, slot, "an unfinished transfer was passed over")
                }
            }
        }
        kept
    }
}

fn encode(order: &Standing, paused: bool) -> String {
    let ids = |ids: &[NodeId]| Value::Array(ids.iter().map(|id| id.to_string().into()).collect());
    let whole = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut table = Table::new();
    let mut put = |name: &str, value: Value| {
        table.insert(name.into(), value);
    };
    put("id", whole(order.id.0));
    put("hash", order.hash.to_string().into());
    if let Some(size) = order.size {
        put("size", whole(size));
    }
    put("name", order.name.clone().into());
    let peers = order.peers.iter().map(|peer| {
        let addresses = peer.addresses.iter().map(|one| one.to_string().into());
        let mut table = Table::new();
        table.insert("id".into(), peer.id.to_string().into());
        table.insert("addresses".into(), Value::Array(addresses.collect()));
        Value::Table(table)
    });
    put("peers", Value::Array(peers.collect()));
    if let Some(output) = &order.output {
        // Other paths are refused before they come here.
        put("output", output.to_string_lossy().into_owned().into());
    }
    put("keep", order.keep.into());
    put("only", ids(&order.choice.only));
    put("prefer", ids(&order.choice.prefer));
    let grade = order.choice.grade_min;
    let grade = grade.and_then(|grade| GRADES.iter().find(|(_, known)| *known == grade));
    if let Some((name, _)) = grade {
        put("grade_min", (*name).into());
    }
    put("since", whole(order.since.as_millis()));
    put("paused", paused.into());
    table.to_string()
}

fn decode(bytes: &[u8]) -> Option<(Standing, bool)> {
    let table: Table = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    let text = |name: &str| table.get(name).and_then(Value::as_str);
    let whole = |name: &str| {
        let number = table.get(name).and_then(Value::as_integer);
        number.and_then(|number| u64::try_from(number).ok())
    };
    let flag = |name: &str| table.get(name).and_then(Value::as_bool);
    let ids = |name: &str| -> Vec<NodeId> {
        let ids = table.get(name).and_then(Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(Value::as_str);
        ids.filter_map(|id| id.parse().ok()).collect()
    };
    let hash: BlobHash = text("hash")?.parse().ok()?;
    let name: BoundedString<{ BlobTicket::NAME_MAX }> =
        BoundedString::truncated(text("name").unwrap_or_default());
    let peers = table.get("peers").and_then(Value::as_array);
    let peers = peers.into_iter().flatten().filter_map(|peer| {
        let addresses = peer.get("addresses")?.as_array()?.iter();
        let addresses = addresses.filter_map(|one| one.as_str()?.parse::<Address>().ok());
        Some(Contact {
            id: peer.get("id")?.as_str()?.parse().ok()?,
            addresses: BoundedVec::truncated(addresses),
        })
    });
    let grade = text("grade_min");
    let grade = grade.and_then(|name| GRADES.iter().find(|(known, _)| *known == name));
    let order = Standing {
        id: TransferId(whole("id")?),
        hash,
        size: whole("size"),
        name: name.as_str().into(),
        peers: peers.collect(),
        output: text("output").map(PathBuf::from),
        keep: flag("keep").unwrap_or(false),
        choice: Choice {
            only: ids("only"),
            prefer: ids("prefer"),
            grade_min: grade.map(|(_, grade)| *grade),
            dry_run: false,
        },
        since: Wall::from_millis(whole("since").unwrap_or_default()),
    };
    Some((order, flag("paused").unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_comes_back_as_it_was_kept() {
        let order = Standing {
            id: TransferId(7),
            hash: BlobHash::from_bytes([3; 32]),
            size: Some(1 << 40),
            name: "a \"name\"\n'''".into(),
            peers: vec![Contact {
                id: NodeId::from_bytes([1; 32]),
                addresses: BoundedVec::truncated([Address::new(([127, 0, 0, 1], 7).into())]),
            }],
            output: Some("/tmp/ü ö".into()),
            keep: true,
            choice: Choice {
                only: vec![NodeId::from_bytes([4; 32])],
                prefer: Vec::new(),
                grade_min: Some(Grade::High),
                dry_run: false,
            },
            since: Wall::from_millis(1_234),
        };
        let kept = encode(&order, true);
        assert_eq!(decode(kept.as_bytes()), Some((order, true)));
        assert_eq!(decode(b"not = [toml"), None);
        assert_eq!(decode(b"id = 1"), None);
    }
}
