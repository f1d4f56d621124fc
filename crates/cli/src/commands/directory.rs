//! Services: offering them, and finding those of others.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

use repute_console::{
    AdvertiseRequest, AdvertisementView, CriterionView, FindRequest, Lines, OfferView,
    OwnOffersView,
};

use super::{ask::full_id, client, dht};
use crate::{
    args::{Advertise, Find, Global},
    exit::{Exit, Failure},
    print::{print, print_json},
    show::{escaped, parse_span},
};

type Done = Result<(), Failure>;

pub(super) async fn advertise(global: &Global, args: Advertise) -> Done {
    if args.list {
        return list(global).await;
    }
    if args.retract {
        return retract(global, args.key.as_deref()).await;
    }
    let usage = |error| Failure::new(Exit::Usage, error);
    let seconds = parse_span(&args.lifetime).map_err(usage)?;
    let (metadata, metadata_hex) = match &args.metadata {
        Some(file) => dht::text_or_hex(dht::read(file)?),
        None => (None, None),
    };
    let request = AdvertiseRequest {
        services: args.services,
        min_amount: args.min,
        max_amount: args.max,
        key: args.key.unwrap_or_default(),
        criteria: criteria(&args.criterion)?,
        metadata,
        metadata_hex,
        seconds: Some(seconds),
    };
    let view = client(global)?.advertise(&request).await?;
    if global.json {
        return print_json(&view);
    }
    print(&format!(
        "advertised; signed until {}, and again and again until you retract it\n",
        view.expires
    ))
}

fn criteria(pairs: &[String]) -> Result<Vec<CriterionView>, Failure> {
    let criterion = |pair: &String| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(CriterionView {
            name: name.into(),
            value: value.into(),
        }),
        _ => {
            let problem = format!("--criterion {}: expected NAME=VALUE", escaped(pair));
            Err(Failure::new(Exit::Usage, problem))
        }
    };
    pairs.iter().map(criterion).collect()
}

/// The least scores, by model.
fn scores(pairs: &[String]) -> Result<BTreeMap<String, f64>, Failure> {
    let mut scores = BTreeMap::new();
    for pair in pairs {
        let usage = |says: &str| {
            let problem = format!("--min-score {}: {says}", escaped(pair));
            Failure::new(Exit::Usage, problem)
        };
        let read = pair.split_once('=').and_then(|(model, value)| {
            let value: f64 = value.parse().ok()?;
            (!model.is_empty() && value.is_finite()).then(|| (model.to_owned(), value))
        });
        let (model, value) =
            read.ok_or_else(|| usage("expected MODEL=VALUE, such as transfer=0.6"))?;
        if scores.insert(model, value).is_some() {
            return Err(usage("this model is named twice: name it once"));
        }
    }
    Ok(scores)
}

async fn list(global: &Global) -> Done {
    let view = client(global)?.offers().await?;
    if global.json {
        print_json(&view)
    } else {
        print(&list_text(&view))
    }
}

fn list_text(view: &OwnOffersView) -> String {
    if view.advertisements.is_empty() {
        return "nothing is advertised: see `repute advertise --help`\n".into();
    }
    let mut out = String::new();
    for own in &view.advertisements {
        let until = own.expires.as_deref().unwrap_or("(being signed)");
        let services = escaped(&own.advertisement.services.join(" "));
        let _written = writeln!(out, "{services}  until {until}");
        details(&mut out, &own.advertisement);
    }
    out
}

async fn retract(global: &Global, key: Option<&str>) -> Done {
    let view = client(global)?.retract(key).await?;
    if global.json {
        return print_json(&view);
    }
    match view.retracted {
        1 => print("one advertisement taken back\n"),
        count => print(&format!("{count} advertisements taken back\n")),
    }
}

pub(super) async fn find(global: &Global, args: Find) -> Done {
    let author = match &args.author {
        Some(author) => Some(full_id(global, author).await?),
        None => None,
    };
    let request = FindRequest {
        kind: args.kind.clone(),
        min_amount: args.min_amount,
        max_amount: args.max_amount,
        min_trust: args.min_trust,
        min_score: scores(&args.min_score)?,
        class: args.class,
        criteria: criteria(&args.criterion)?,
        author,
        max: Some(args.limit),
        local: args.local,
        seconds: args.timeout,
    };
    if args.watch {
        return watch(global, &request, args.timeout).await;
    }
    let view = client(global)?.find_services(&request).await?;
    if global.json {
        print_json(&view)?;
    } else {
        view.found
            .iter()
            .try_for_each(|offer| print(&offer_text(offer)))?;
        if !view.complete {
            anstream::eprintln!("the DHT did not answer in time: there may be more");
        }
    }
    some(view.found.len(), &args.kind)
}

/// Nothing found is a failure of its own.
fn some(found: usize, kind: &str) -> Done {
    if found == 0 {
        let problem = format!(
            "nobody known here offers {} that fits: try a wider filter, or later",
            escaped(kind)
        );
        return Err(Failure::new(Exit::NotFound, problem));
    }
    Ok(())
}

/// Prints what is known, and then what becomes known.
async fn watch(global: &Global, request: &FindRequest, timeout: Option<u64>) -> Done {
    let client = client(global)?;
    // Listens before it asks, so that nothing falls between the two.
    let mut news = client.watch_services(request).await?;
    anstream::eprintln!("listening for {}; Ctrl-C ends", escaped(&request.kind));
    let mut seen = BTreeSet::new();
    let print_all = async {
        for offer in client.find_services(request).await?.found {
            tell(global, &mut seen, &offer)?;
        }
        follow(global, &mut seen, &mut news).await
    };
    match timeout {
        None => print_all.await,
        Some(seconds) => {
            match tokio::time::timeout(Duration::from_secs(seconds), print_all).await {
                Ok(ended) => ended,
                Err(_) => some(seen.len(), &request.kind),
            }
        }
    }
}

/// What was told of: who, which of its keys, signed when.
type Told = BTreeSet<(String, u8, String)>;

async fn follow(global: &Global, seen: &mut Told, news: &mut Lines<OfferView>) -> Done {
    while let Some(offer) = news.next().await? {
        tell(global, seen, &offer)?;
    }
    Err(Failure::new(Exit::Failure, "the node has stopped"))
}

fn tell(global: &Global, seen: &mut Told, offer: &OfferView) -> Done {
    if !seen.insert((offer.id.clone(), offer.slot, offer.sent.clone())) {
        return Ok(());
    }
    if global.json {
        print_json(offer)
    } else {
        print(&offer_text(offer))
    }
}

fn offer_text(offer: &OfferView) -> String {
    let said = &offer.advertisement;
    let mut out = format!(
        "{}  trust {:.3} ({})\n  {}\n  {} identity, heard by {}, until {}\n",
        offer.id,
        offer.trust,
        offer.level,
        escaped(&said.services.join(" ")),
        offer.class,
        offer.heard_by,
        offer.expires
    );
    if !offer.scores.is_empty() {
        let scores = offer.scores.iter();
        let scores: Vec<String> = scores
            .map(|(model, score)| format!("{} {score:.3}", escaped(model)))
            .collect();
        let _written = writeln!(out, "  scores: {}", scores.join(", "));
    }
    if !said.addresses.is_empty() {
        let _written = writeln!(out, "  at {}", said.addresses.join(", "));
    }
    details(&mut out, said);
    out
}

fn details(out: &mut String, said: &AdvertisementView) {
    // Writing to a string cannot fail.
    match (said.min_amount, said.max_amount) {
        (0, None) => {}
        (least, None) => {
            let _written = writeln!(out, "  amounts from {least}");
        }
        (least, Some(most)) => {
            let _written = writeln!(out, "  amounts from {least} to {most}");
        }
    }
    if !said.key.is_empty() {
        let _written = writeln!(out, "  key {}", said.key);
    }
    for criterion in &said.criteria {
        let (name, value) = (escaped(&criterion.name), escaped(&criterion.value));
        let _written = writeln!(out, "  asks {name}={value}");
    }
    match (&said.metadata, &said.metadata_hex) {
        (Some(text), _) => {
            let _written = writeln!(out, "  says {}", escaped(text));
        }
        (None, Some(hex)) => {
            let _written = writeln!(out, "  says 0x{hex}");
        }
        (None, None) => {}
    }
}
