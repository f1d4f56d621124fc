//! Lists, metrics, scores by model, selection, past and totals.

use std::fmt::Write;

use repute_console::{
    BestRequest, HistoryView, MetricsView, PeerView, Peers, PeersQuery, PointView, ScoreView,
    SelectionView, StatsView, TallyView,
};

use super::{ask::full_id, client};
use crate::{
    args::{Best, Global, ListPeers},
    exit::Failure,
    print::{print, print_json},
    show::{bar, short},
};

type Done = Result<(), Failure>;

pub(super) async fn peers(global: &Global, list: &ListPeers) -> Done {
    let min_uptime = list.min_uptime.map(|percent| percent / 100.0);
    let query = PeersQuery {
        level: list.level.join(","),
        min_uptime,
        encrypted: match (list.encrypted, list.no_encryption) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        },
        sort: list.sort.clone().unwrap_or_default(),
        search: list.search.clone().unwrap_or_default(),
        offset: 0,
        limit: Some(list.limit),
    };
    let view = client(global)?.peers_by(&query).await?;
    if global.json {
        return print_json(&view);
    }
    let all = PeersQuery {
        limit: query.limit,
        ..PeersQuery::default()
    };
    if view.peers.is_empty() {
        return print(match query == all {
            true => "no peers yet: join one with `repute join TICKET`\n",
            false => "no known peer is like that\n",
        });
    }
    let mut out = match query == all {
        true => plain_list(&view),
        false => measured_list(&view),
    };
    if view.total > view.peers.len() {
        let _written = writeln!(
            out,
            "{} more: --limit {}",
            view.total - view.peers.len(),
            view.total
        );
    }
    print(&out)
}

/// Whom we know, and where.
fn plain_list(view: &Peers) -> String {
    let mut out = format!(
        "{:<11} {:<10} {:<17} {:<11} {:<7} ADDRESS\n",
        "PEER", "STATE", "TRUST", "LEVEL", "GATE"
    );
    for peer in &view.peers {
        let standing = &peer.standing;
        let address = peer.link.as_ref().map(|link| link.remote.as_str());
        let address = address
            .or(peer.addresses.first().map(String::as_str))
            .unwrap_or("-");
        // Writing to a string cannot fail.
        let _written = writeln!(
            out,
            "{:<11} {:<10} {} {:.3}  {:<11} {:<7} {address}",
            short(&peer.id),
            peer.state,
            bar(standing.trust, 10),
            standing.trust,
            standing.level,
            standing.gate
        );
    }
    out
}

/// Whom we know, and what filters and sorts look at.
fn measured_list(view: &Peers) -> String {
    let mut out = format!(
        "{:<10} {:<10} {:>5} {:<10} {:<6} {:>6} {:>6} LAST SEEN\n",
        "PEER", "STATE", "TRUST", "LEVEL", "GATE", "UPTIME", "DONE"
    );
    for peer in &view.peers {
        let PeerView { standing, .. } = peer;
        let _written = writeln!(
            out,
            "{:<10} {:<10} {:.3} {:<10} {:<6} {:>5.0}% {:>6} {}",
            short(&peer.id),
            peer.state,
            standing.trust,
            standing.level,
            standing.gate,
            peer.uptime * 100.0,
            peer.interactions,
            minute(&peer.last_seen)
        );
    }
    out
}

/// A time to the minute, for people.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

pub(super) async fn metrics(global: &Global, id: Option<&str>) -> Done {
    let Some(id) = id else {
        let list = client(global)?.metrics().await?;
        if global.json {
            return print_json(&list);
        }
        if list.peers.is_empty() {
            return print("nothing was observed yet\n");
        }
        return print(&metrics_table(&list.peers));
    };
    let id = full_id(global, id).await?;
    let view = client(global)?.metrics_of(&id).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&metrics_text(&view))
    }
}

fn metrics_table(peers: &[MetricsView]) -> String {
    let mut out = format!(
        "{:<10} {:>6} {:>8} {:>8} {:>6} {:>8} {:>9} {:>9}\n",
        "PEER", "DONE", "USEFUL", "FAILED", "UPTIME", "LATENCY", "DOWN", "COMPOSITE"
    );
    for view in peers {
        let _written = writeln!(
            out,
            "{:<10} {:>6} {:>8.1} {:>8.1} {:>5.0}% {:>8} {:>9} {:>9.3}",
            short(&view.id),
            view.interactions,
            view.useful,
            view.invalid + view.timeouts,
            view.uptime * 100.0,
            measured(view.latency_ms, "ms"),
            measured(view.download_kib_s, "KiB/s"),
            view.composite
        );
    }
    out
}

fn measured(value: Option<f64>, unit: &str) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.0} {unit}"))
}

fn metrics_text(view: &MetricsView) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: String| {
        let _written = writeln!(out, "{name:<13}{value}");
    };
    let tally = |tally: &TallyView| format!("{:.1} good, {:.1} not", tally.ok, tally.failed);
    let seen = |time: &Option<String>| time.as_deref().map_or("never".into(), minute);
    line("id", view.id.clone());
    line(
        "seen",
        format!(
            "first {}, last {}",
            seen(&view.first_seen),
            seen(&view.last_seen)
        ),
    );
    line("interactions", view.interactions.to_string());
    line(
        "messages",
        format!(
            "{:.1} useful, {:.1} broken rules, {:.1} timeouts",
            view.useful, view.invalid, view.timeouts
        ),
    );
    line("transfers", tally(&view.transfers));
    line("latency", measured(view.latency_ms, "ms"));
    line(
        "bandwidth",
        format!(
            "{} from it, {} to it",
            measured(view.download_kib_s, "KiB/s"),
            measured(view.upload_kib_s, "KiB/s")
        ),
    );
    line(
        "uptime",
        format!("{:.0} %, by {:.0} probes", view.uptime * 100.0, view.probes),
    );
    line(
        "signing",
        format!(
            "{}, {:.1} points of penalty",
            tally(&view.signing),
            view.penalties
        ),
    );
    line(
        "relaying",
        format!(
            "circuits {}; {:.1} MiB",
            tally(&view.circuits),
            view.relayed_mib
        ),
    );
    line(
        "swing",
        format!("{:.4} (deviation of trust)", view.deviation),
    );
    line("composite", format!("{:.4}", view.composite));
    out
}

pub(super) async fn score(global: &Global, id: &str, model: &str) -> Done {
    let id = full_id(global, id).await?;
    let view = client(global)?.score(&id, model).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&score_text(&view))
    }
}

fn score_text(view: &ScoreView) -> String {
    let share = view.score / view.score_max;
    let mut out = format!(
        "{}\n{} {} {:.4} of {:.0}; with high stakes {:.4}\n\n{:<16} {:<10} {:>9} {:>9}\n",
        view.id,
        view.model,
        bar(share, 20),
        view.score,
        view.score_max,
        view.cautious,
        "PART",
        "",
        "VALUE",
        "WEIGHT"
    );
    for part in &view.components {
        let _written = writeln!(
            out,
            "{:<16} {} {:>9.4} {:>9.2}",
            part.name,
            bar(part.value / part.weight.max(1.0), 10),
            part.value,
            part.weight
        );
    }
    out
}

pub(super) async fn best(global: &Global, best: Best) -> Done {
    let mut ids = Vec::new();
    for id in &best.ids {
        ids.push(full_id(global, id).await?);
    }
    let request = BestRequest {
        model: best.model,
        required: best.min,
        count: best.count,
        ids,
        high_stakes: best.high_stakes,
        encrypted: best.encrypted,
        explore_percent: best.explore,
        seed: best.seed,
    };
    let view = client(global)?.best(&request).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&best_text(&view))
    }
}

fn best_text(view: &SelectionView) -> String {
    if view.chosen.is_empty() && view.refused.is_empty() {
        return "no candidates: no peer is known\n".into();
    }
    let mut out = format!(
        "{:>5} {:<10} {:<12} {:>9} {:<10} WHY\n",
        "PLACE", "PEER", "", "SCORE", "LEVEL"
    );
    let highest = view.chosen.iter().map(|one| one.score).fold(1.0, f64::max);
    for one in &view.chosen {
        let _written = writeln!(
            out,
            "{:>5} {:<10} {:<12} {:>9.4} {:<10} {}",
            one.place,
            short(&one.id),
            bar(one.score / highest, 12),
            one.score,
            one.level,
            one.reason
        );
    }
    for one in &view.refused {
        let _written = writeln!(
            out,
            "{:>5} {:<10} {:<12} {:>9} {:<10} refused: {}",
            "-",
            short(&one.id),
            "",
            "-",
            "-",
            one.obstacle
        );
    }
    out
}

pub(super) async fn history(global: &Global, id: &str) -> Done {
    let id = full_id(global, id).await?;
    let view = client(global)?.history(&id).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&history_text(&view))
    }
}

fn history_text(view: &HistoryView) -> String {
    let mut out = format!(
        "{}\n{} over a week ({:+.3})\n",
        view.id, view.trend, view.change
    );
    for (name, points) in [
        ("hours", &view.hours),
        ("days", &view.days),
        ("weeks", &view.weeks),
    ] {
        if let Some(first) = points.first() {
            let (line, since) = (spark(points), minute(&first.time));
            let _written = writeln!(out, "{name:<6} {line}\n       since {since}");
        }
    }
    if !view.changes.is_empty() {
        out.push_str("\nlevels\n");
    }
    for change in &view.changes {
        let (time, from, to) = (minute(&change.time), &change.from, &change.to);
        let _written = writeln!(out, "  {time}  {from} to {to}");
    }
    out.push_str("\nlast interactions\n");
    // All hundred are in the JSON; a screen holds these.
    for one in view.interactions.iter().rev().take(15) {
        let fault = match one.good {
            true => "good",
            false => one.fault.as_str(),
        };
        let _written = writeln!(out, "  {}  {:<22} {fault}", minute(&one.time), one.event);
    }
    out
}

/// A line of bars, one a point, for scores from 0 to 1.
fn spark(points: &[PointView]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |point: &PointView| {
        let place = (point.trust.clamp(0.0, 1.0) * 7.0).round() as usize;
        BARS.get(place).copied().unwrap_or('█')
    };
    points.iter().map(bar).collect()
}

pub(super) async fn stats(global: &Global, top: usize) -> Done {
    let view = client(global)?.stats(top).await?;
    if global.json {
        print_json(&view)
    } else {
        print(&stats_text(&view))
    }
}

fn stats_text(view: &StatsView) -> String {
    let mean = match (view.mean, view.mean_known) {
        (None, _) => "none, as there are no peers".to_owned(),
        (Some(all), None) => format!("{all:.3}"),
        (Some(all), Some(known)) => format!("{all:.3}, of those that are known {known:.3}"),
    };
    let mut out = format!(
        "peers known {}, kept out {}; interactions {}\nmean trust {mean}\n\n",
        view.total, view.closed, view.interactions
    );
    for level in ["trusted", "high", "medium", "low", "unknown", "distrusted"] {
        let count = view.levels.get(level).copied().unwrap_or_default();
        let share = count as f64 / view.total.max(1) as f64;
        let _written = writeln!(out, "{level:<11} {} {count:>6}", bar(share, 30));
    }
    if !view.top.is_empty() {
        out.push_str("\nthe best of the known\n");
    }
    for (place, one) in (1..).zip(&view.top) {
        let _written = writeln!(
            out,
            "{place:>4}. {:<10} {} {:.3}",
            short(&one.id),
            bar(one.trust, 20),
            one.trust
        );
    }
    out
}

/// A share such as `80` or `80%`, in percent.
pub(crate) fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let percent: Result<f64, _> = number.trim().parse();
    percent
        .ok()
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| format!("`{text}` is no share: use a number from 0 to 100, such as 80%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn width(text: &str) -> usize {
        text.lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap_or(0)
    }

    fn points(count: usize) -> Vec<PointView> {
        let point = |n: usize| PointView {
            time: "2026-11-21T08:00:00.000Z".into(),
            trust: n as f64 / count as f64,
            lowest: 0.0,
        };
        (0..count).map(point).collect()
    }

    #[test]
    fn a_full_past_fits_eighty_columns() {
        let view = HistoryView {
            id: "a".repeat(52),
            trend: "falling".into(),
            change: -0.5,
            hours: points(48),
            days: points(35),
            weeks: points(52),
            interactions: Vec::new(),
            changes: Vec::new(),
        };
        let text = history_text(&view);
        assert!(width(&text) <= 80, "{text}");
        assert!(text.contains("▁") && text.contains("▇"), "{text}");
    }

    #[test]
    fn tables_fit_eighty_columns() {
        let tally = TallyView {
            ok: 99_999.0,
            failed: 99_999.0,
        };
        let metrics = MetricsView {
            id: "a".repeat(52),
            interactions: 999_999,
            first_seen: Some("2026-11-21T08:00:00.000Z".into()),
            last_seen: Some("2026-11-21T08:00:00.000Z".into()),
            useful: 99_999.9,
            invalid: 9_999.9,
            timeouts: 9_999.9,
            transfers: tally,
            latency_ms: Some(59_999.0),
            download_kib_s: Some(999_999.0),
            upload_kib_s: Some(999_999.0),
            uptime: 1.0,
            probes: 720.0,
            signing: tally,
            penalties: 40.0,
            circuits: tally,
            reservations: tally,
            relayed_mib: 999_999.0,
            custom: [tally; 4],
            deviation: 0.5,
            composite: 1.0,
        };
        let table = metrics_table(std::slice::from_ref(&metrics));
        assert!(width(&table) <= 80, "{table}");
        let text = metrics_text(&metrics);
        assert!(width(&text) <= 80, "{text}");
    }

    #[test]
    fn a_share_is_read_with_and_without_its_sign() {
        assert_eq!(parse_percent("80"), Ok(80.0));
        assert_eq!(parse_percent("99.5%"), Ok(99.5));
        for bad in ["", "101", "-1", "NaN", "many"] {
            assert!(parse_percent(bad).is_err(), "{bad}");
        }
    }
}
