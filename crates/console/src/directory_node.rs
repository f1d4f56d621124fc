//! What the API asks of the directory, in the node's words.

use std::{collections::BTreeMap, time::Duration};

use repute_base::{BoundedBytes, BoundedString, BoundedVec, Fixed};
use repute_node::{
    Demands, Node, NodeError, Offer, OwnOffer,
    dht::{DirectoryError, DirectoryEvent, Filter},
    trust::IdentityClass,
};
use repute_protocol::{
    Advertisement, Criterion, ServiceName,
    limits::{CRITERIA_MAX, METADATA_MAX, SERVICE_KEY_MAX, SERVICES_MAX, TEXT_MAX, WORD_MAX},
};
use tokio::sync::mpsc;

use crate::{
    AdvertiseRequest, AdvertisedView, AdvertisementView, ControlError, CriterionView, FindRequest,
    FoundView, OfferView, OwnOfferView, Stream,
    node::parse_id,
    octets::{from_hex, from_text_or_hex, hex, text_or_hex},
    time::rfc3339,
    view::{CLASSES, class_name, shown},
};

type Answer<T> = Result<T, ControlError>;

/// How long an advertisement stays findable without its node, unless told otherwise.
const LIFETIME: Duration = Duration::from_secs(3_600);
/// News of a watch that wait for a slow reader at most.
const WATCH_QUEUE: usize = 256;

pub(crate) async fn advertise(node: &Node, request: AdvertiseRequest) -> Answer<AdvertisedView> {
    let lifetime = request.seconds.map_or(LIFETIME, Duration::from_secs);
    let advertised = node.advertise(advertisement_of(request)?, lifetime).await;
    let (slot, expires) = advertised.map_err(refused)?;
    Ok(AdvertisedView {
        slot,
        expires: rfc3339(expires),
    })
}

fn advertisement_of(request: AdvertiseRequest) -> Answer<Advertisement> {
    let services = request.services.into_iter();
    let services = services.map(|name| {
        ServiceName::new(name).map_err(|_| refused(DirectoryError::ServiceName.into()))
    });
    let services: Vec<ServiceName> = services.collect::<Answer<_>>()?;
    let metadata = from_text_or_hex(request.metadata, request.metadata_hex)?;
    Ok(Advertisement {
        services: BoundedVec::try_from(services)
            .map_err(|error| too_many("services", error.len, SERVICES_MAX))?,
        key: key_of(&request.key)?,
        amount_min: request.min_amount,
        amount_max: request.max_amount.unwrap_or(u64::MAX),
        addresses: BoundedVec::new(),
        criteria: BoundedVec::try_from(criteria_of(request.criteria)?)
            .map_err(|error| too_many("criteria", error.len, CRITERIA_MAX))?,
        metadata: BoundedBytes::new(metadata)
            .map_err(|error| too_many("bytes of metadata", error.len, METADATA_MAX))?,
    })
}

fn key_of(text: &str) -> Answer<BoundedBytes<SERVICE_KEY_MAX>> {
    BoundedBytes::new(from_hex(text)?)
        .map_err(|error| too_many("bytes of a key", error.len, SERVICE_KEY_MAX))
}

fn criteria_of(criteria: Vec<CriterionView>) -> Answer<Vec<Criterion>> {
    let criterion = |one: CriterionView| {
        Ok(Criterion {
            name: BoundedString::new(one.name)
                .map_err(|error| too_many("bytes of a criterion's name", error.len, WORD_MAX))?,
            value: BoundedString::new(one.value)
                .map_err(|error| too_many("bytes of a criterion's value", error.len, TEXT_MAX))?,
        })
    };
    criteria.into_iter().map(criterion).collect()
}

fn too_many(what: &str, len: usize, most: usize) -> ControlError {
    ControlError::BadRequest(format!("{len} {what}, at most {most} fit: give fewer"))
}

/// What the operator asked for wrongly is told from what the node does not do now.
fn refused(error: NodeError) -> ControlError {
    match &error {
        NodeError::Directory(
            reason @ (DirectoryError::NoService
            | DirectoryError::ServiceName
            | DirectoryError::Amounts
            | DirectoryError::TooLong { .. }
            | DirectoryError::Lifetime),
        ) => ControlError::BadRequest(reason.to_string()),
        NodeError::Directory(DirectoryError::NotAdvertised) => {
            ControlError::NotFound(DirectoryError::NotAdvertised.to_string())
        }
        _ => error.into(),
    }
}

pub(crate) async fn offers(node: &Node) -> Answer<Vec<OwnOfferView>> {
    let own = node.offers().await?;
    Ok(own.into_iter().map(own_view).collect())
}

fn own_view(own: OwnOffer) -> OwnOfferView {
    OwnOfferView {
        slot: own.slot,
        advertisement: advertisement_view(&own.advertisement),
        seconds: own.lifetime.as_secs(),
        expires: own.expires.map(rfc3339),
    }
}

pub(crate) async fn retract(node: &Node, key: Option<String>) -> Answer<usize> {
    let key = key.as_deref().map(key_of).transpose()?;
    node.retract(key).await.map_err(refused)
}

pub(crate) async fn find(node: &Node, request: FindRequest) -> Answer<FoundView> {
    let (filter, demands) = (filter_of(node, &request)?, demands_of(node, &request)?);
    let search = node.find_services_by(filter.clone(), demands.clone(), request.local);
    let found = match request.seconds.map(Duration::from_secs) {
        Some(limit) => tokio::time::timeout(limit, search).await.ok(),
        None => Some(search.await),
    };
    let (offers, complete) = match found {
        Some(found) => {
            let found = found.map_err(refused)?;
            (found.offers, found.complete)
        }
        // What is known by now is the answer.
        None => {
            let known = node.find_services_by(filter, demands, true).await;
            let known = known.map_err(refused)?;
            (known.offers, false)
        }
    };
    let found = offers.into_iter().map(offer_view).collect();
    Ok(FoundView { found, complete })
}

fn filter_of(node: &Node, request: &FindRequest) -> Answer<Filter> {
    let kind = Filter::of(&request.kind);
    let kind = kind.map_err(|_| {
        let problem = format!(
            "`{}` is no kind of service: use a service such as signer:spend, a family such as \
             signer, or all",
            request.kind.escape_default()
        );
        ControlError::BadRequest(problem)
    })?;
    if request
        .min_trust
        .is_some_and(|least| !(0.0..=1.0).contains(&least))
    {
        let problem = "the least trust lies between 0 and 1";
        return Err(ControlError::BadRequest(problem.into()));
    }
    let (least, most) = (request.min_amount, request.max_amount.unwrap_or(u64::MAX));
    if least > most {
        let problem = DirectoryError::Amounts.to_string();
        return Err(ControlError::BadRequest(problem));
    }
    Ok(Filter {
        amount_min: least,
        amount_max: most,
        criteria: criteria_of(request.criteria.clone())?,
        trust_min: request.min_trust.map(Fixed::from_f64),
        author: request.author.as_deref().map(parse_id).transpose()?,
        exclude: Some(node.id()),
        max: request.max.unwrap_or(Filter::MAX),
        ..kind
    })
}

/// What who offers must be worth.
fn demands_of(node: &Node, request: &FindRequest) -> Answer<Demands> {
    let mut scores = BTreeMap::new();
    for (model, least) in &request.min_score {
        let max = node.score_max(model).map_err(|error| match error {
            NodeError::NoModel(known) => ControlError::BadRequest(format!(
                "`{}` is no scoring model: use one of {known}",
                model.escape_default()
            )),
            other => other.into(),
        })?;
        if !(0.0..=max.to_f64()).contains(least) {
            let problem = format!(
                "the least score by {model} lies between 0 and {}",
                max.to_f64()
            );
            return Err(ControlError::BadRequest(problem));
        }
        scores.insert(model.clone(), Fixed::from_f64(*least));
    }
    let class = request.class.as_deref().map(class_of).transpose()?;
    Ok(Demands {
        scores,
        class: class.unwrap_or_default(),
    })
}

fn class_of(name: &str) -> Answer<IdentityClass> {
    let class = CLASSES.into_iter().find(|class| class_name(*class) == name);
    class.ok_or_else(|| {
        ControlError::BadRequest(format!(
            "`{}` is no class of identity: use {}",
            name.escape_default(),
            CLASSES.map(class_name).join(", ")
        ))
    })
}

pub(crate) async fn watch(node: &Node, request: FindRequest) -> Answer<Stream<OfferView>> {
    let (filter, demands) = (filter_of(node, &request)?, demands_of(node, &request)?);
    let trust_min = filter.trust_min;
    let mut news = node.watch_services(filter).await.map_err(refused)?;
    let (lines, stream) = mpsc::channel(WATCH_QUEUE);
    let node = node.clone();
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                biased;
                () = lines.closed() => return,
                event = news.recv() => event,
            };
            let Some(event) = event else { return };
            let DirectoryEvent::Discovered { entry, .. } = event else {
                continue;
            };
            let judged = node.judge_service(entry, trust_min, demands.clone()).await;
            let Ok(offer) = judged else { return };
            if let Some(offer) = offer
                && lines.send(offer_view(offer)).await.is_err()
            {
                return;
            }
        }
    });
    Ok(stream)
}

fn offer_view(offer: Offer) -> OfferView {
    let (entry, scores) = (&offer.entry, offer.scores.iter());
    OfferView {
        id: entry.author.to_string(),
        slot: entry.slot,
        trust: shown(offer.trust),
        level: offer.level.name().into(),
        class: class_name(offer.class).into(),
        scores: scores
            .map(|(model, score)| ((*model).into(), shown(*score)))
            .collect(),
        advertisement: advertisement_view(&entry.advertisement),
        sent: rfc3339(entry.sent),
        expires: rfc3339(entry.expires),
        heard_by: entry.heard_by.name().into(),
    }
}

fn advertisement_view(said: &Advertisement) -> AdvertisementView {
    let (metadata, metadata_hex) = match said.metadata.is_empty() {
        true => (None, None),
        false => text_or_hex(&said.metadata),
    };
    let services = said.services.iter();
    let criteria = said.criteria.iter();
    AdvertisementView {
        services: services.map(|name| name.as_str().into()).collect(),
        key: hex(&said.key),
        min_amount: said.amount_min,
        max_amount: Some(said.amount_max).filter(|most| *most < u64::MAX),
        addresses: said.addresses.iter().map(ToString::to_string).collect(),
        criteria: criteria
            .map(|one| CriterionView {
                name: one.name.as_str().into(),
                value: one.value.as_str().into(),
            })
            .collect(),
        metadata,
        metadata_hex,
    }
}
