//! Files without a node: the fake tells what it was given, and remembers what it was asked.

use repute_console::{
    ControlError, FetchRequest, Files, ReadView, ShareEvent, ShareRequest, ShareView, Stream,
    TransferEvent, TransferView, VerifyEvent, VerifyRequest, VerifyView,
};
use tokio::sync::mpsc;

use super::{Answer, Fake};

pub fn share() -> ShareView {
    ShareView {
        ticket: "reputeblobticket".into(),
        hash: "a".repeat(52),
        bytes: 5,
        name: "hello.txt".into(),
        kind: "file".into(),
        files: 1,
        reference: false,
        since: "2026-11-22T08:00:00.000Z".into(),
        trouble: None,
    }
}

pub fn transfer(id: u64) -> TransferView {
    TransferView {
        id,
        hash: "a".repeat(52),
        name: "hello.txt".into(),
        state: "fetching".into(),
        problem: None,
        output: Some("/tmp/hello.txt".into()),
        keep: true,
        since: "2026-11-22T08:00:00.000Z".into(),
        progress: repute_console::ProgressView::default(),
    }
}

fn stream<T>(events: Vec<T>) -> Stream<T> {
    let (lines, stream) = mpsc::channel(events.len().max(1));
    for event in events {
        lines.try_send(event).ok().unwrap();
    }
    stream
}

impl Files for Fake {
    async fn share(&self, request: ShareRequest) -> Answer<Stream<ShareEvent>> {
        self.note(format!(
            "share {} {} {:?}",
            request.path, request.reference, request.name
        ));
        let failed = ShareEvent::Failed {
            problem: ControlError::NoRoom("the disk is full".into()).into(),
        };
        let progress = ShareEvent::Progress(ReadView { bytes: 3, total: 5 });
        Ok(stream(match request.path.as_str() {
            "/full" => vec![failed],
            "/breaks" => vec![progress, failed],
            "/stops" => Vec::new(),
            _ => vec![progress, ShareEvent::Shared(share())],
        }))
    }

    async fn shares(&self) -> Answer<Vec<ShareView>> {
        Ok(vec![share()])
    }

    async fn unshare(&self, hash: String) -> Answer<()> {
        self.note(format!("unshare {hash}"));
        match hash == share().hash {
            true => Ok(()),
            false => Err(ControlError::NotFound("this is not shared".into())),
        }
    }

    async fn verify(&self, request: VerifyRequest) -> Answer<Stream<VerifyEvent>> {
        self.note(format!("verify {:?}", request.hash));
        Ok(stream(vec![VerifyEvent::Verified(VerifyView {
            sound: true,
            blobs: 1,
            bytes: 5,
            damaged: Vec::new(),
        })]))
    }

    async fn fetch(&self, request: FetchRequest) -> Answer<Stream<TransferEvent>> {
        self.note(format!("fetch {request:?}"));
        if request.what == "nonsense" {
            return Err(ControlError::BadRequest("neither a ticket".into()));
        }
        self.watch_transfer(1).await
    }

    async fn watch_transfer(&self, id: u64) -> Answer<Stream<TransferEvent>> {
        if id != 1 {
            return Err(ControlError::NotFound("no such transfer".into()));
        }
        let mut news = vec![TransferEvent::Begun(transfer(id))];
        news.extend(self.news.lock().unwrap().iter().cloned());
        Ok(stream(news))
    }

    async fn transfers(&self) -> Answer<Vec<TransferView>> {
        Ok(vec![transfer(1), transfer(2)])
    }

    async fn pause_transfer(&self, id: u64) -> Answer<()> {
        self.note(format!("pause {id}"));
        Ok(())
    }

    async fn resume_transfer(&self, id: u64) -> Answer<()> {
        self.note(format!("resume {id}"));
        Ok(())
    }

    async fn cancel_transfer(&self, id: u64) -> Answer<()> {
        self.note(format!("cancel {id}"));
        Ok(())
    }
}
