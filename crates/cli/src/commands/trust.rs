//! Evidence and judgement: `repute trust …`.

use super::{hearsay, import_ratings, insight, receipts, replay};
use crate::{
    args::{Global, TrustCommand},
    exit::Failure,
};

pub(super) async fn run(global: &Global, command: TrustCommand) -> Result<(), Failure> {
    match command {
        TrustCommand::Replay { top } => replay::run(global, top),
        TrustCommand::Receipts { id } => receipts::run(global, id.as_deref()).await,
        TrustCommand::Metrics { id } => insight::metrics(global, id.as_deref()).await,
        TrustCommand::Score { id, model } => insight::score(global, &id, &model).await,
        TrustCommand::Best(best) => insight::best(global, best).await,
        TrustCommand::History { id } => insight::history(global, &id).await,
        TrustCommand::Stats { top } => insight::stats(global, top).await,
        TrustCommand::ImportRatings { file, anchors } => {
            import_ratings::run(&file, &anchors, global.json)
        }
        TrustCommand::Recommend { id, value, reason } => {
            hearsay::recommend(global, &id, value, reason).await
        }
        TrustCommand::Sources => hearsay::sources(global).await,
        TrustCommand::Withdraw { source, undo } => hearsay::withdraw(global, &source, undo).await,
    }
}
