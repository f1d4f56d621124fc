//! What the API asks about metrics, scores and the past, in the node's words.

use repute_base::Fixed;
use repute_identity::NodeId;
use repute_node::{
    Node, PeerStatus,
    trust::{Choice, Filter, Level, Sort, Stakes},
};

use crate::{
    BestRequest, ControlError, HistoryView, MetricsView, Peers, PeersQuery, SelectionView,
    node::parse_id,
};

type Answer<T> = Result<T, ControlError>;

/// Peers in one answer unless asked otherwise, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 10_000;
/// Candidates in one question.
const CANDIDATES_MAX: usize = 10_000;

pub(crate) fn page<T>(items: Vec<T>, query: &PeersQuery) -> Vec<T> {
    let limit = query.limit.unwrap_or(PAGE).min(PAGE_MAX);
    items.into_iter().skip(query.offset).take(limit).collect()
}

pub(crate) async fn peers(node: &Node, query: PeersQuery) -> Answer<Peers> {
    let filter = filter(&query)?;
    let mut peers = Node::peers(node).await?;
    peers.retain(|peer| filter.admits(&peer.entry));
    let sort = match query.sort.as_str() {
        "" => None,
        "score" => Some(Sort::Score),
        "interactions" => Some(Sort::Interactions),
        "last-seen" => Some(Sort::LastSeen),
        other => {
            let problem = format!("`{other}` is no order: use score, interactions or last-seen");
            return Err(ControlError::BadRequest(problem));
        }
    };
    order(&mut peers, sort);
    let total = peers.len();
    let peers = page(peers, &query).into_iter().map(Into::into).collect();
    Ok(Peers { peers, total })
}

fn order(peers: &mut [PeerStatus], sort: Option<Sort>) {
    match sort {
        Some(sort) => peers.sort_by(|a, b| sort.compare(&a.entry, &b.entry)),
        // Active first, then by trust; the id makes the order stable.
        None => peers.sort_by_key(|peer| {
            (
                !peer.is_active(),
                std::cmp::Reverse(peer.standing.trust),
                peer.view.id,
            )
        }),
    }
}

fn filter(query: &PeersQuery) -> Answer<Filter> {
    let names = query.level.split(',').map(str::trim);
    let levels = names.filter(|name| !name.is_empty()).map(|name| {
        let level = Level::ALL.into_iter().find(|level| level.name() == name);
        let known = || Level::ALL.map(Level::name).join(", ");
        level.ok_or_else(|| {
            ControlError::BadRequest(format!("`{name}` is no level: use {}", known()))
        })
    });
    if let Some(share) = query.min_uptime
        && !(0.0..=1.0).contains(&share)
    {
        let problem = "the least uptime lies between 0 and 1";
        return Err(ControlError::BadRequest(problem.into()));
    }
    Ok(Filter {
        levels: levels.collect::<Answer<_>>()?,
        encrypted: query.encrypted,
        uptime_min: query.min_uptime.map(Fixed::from_f64),
        search: query.search.clone(),
    })
}

pub(crate) async fn metrics(node: &Node) -> Answer<Vec<MetricsView>> {
    let all = Node::metrics(node).await?;
    let view = |(id, metrics): &(NodeId, _)| MetricsView::new(id.to_string(), metrics);
    Ok(all.iter().map(view).collect())
}

pub(crate) async fn best(node: &Node, request: BestRequest) -> Answer<SelectionView> {
    if request.ids.len() > CANDIDATES_MAX {
        let problem = format!(
            "{} candidates where at most {CANDIDATES_MAX} are ranked at once: send fewer",
            request.ids.len()
        );
        return Err(ControlError::BadRequest(problem));
    }
    let ids = request.ids.iter().map(|id| parse_id(id));
    let ids = ids.collect::<Answer<Vec<NodeId>>>()?;
    let choice = Choice {
        count: request.count.unwrap_or(usize::MAX),
        required: request.required,
        stakes: match request.high_stakes {
            true => Stakes::High,
            false => Stakes::Ordinary,
        },
        encrypted: request.encrypted,
        explore_percent: request.explore_percent,
        ..Choice::default()
    };
    let selection = node.select(&request.model, ids, choice, request.seed);
    Ok(SelectionView::new(request.model.clone(), &selection.await?))
}

pub(crate) async fn history(node: &Node, id: String) -> Answer<HistoryView> {
    let history = Node::history(node, parse_id(&id)?).await?;
    let unknown = || ControlError::NotFound("nothing was done with this peer yet".into());
    history
        .map(|history| HistoryView::new(id, &history))
        .ok_or_else(unknown)
}
