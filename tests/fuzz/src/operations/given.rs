//! What people hand to each other as files: whatever a stranger wrote, it is read or refused with
//! words.

use repute_console::{BlacklistView, EntryView, SharedList};
use repute_node::trust::{RatingsConfig, RatingsLimits, RatingsParser};

const TIME: &str = "2026-11-21T08:00:00Z";

/// A rating network as CSV, read in pieces of the size that the first byte says.
pub fn ratings(bytes: &[u8]) {
    let Some((size, text)) = bytes.split_first() else {
        return;
    };
    let limits = RatingsLimits {
        line_bytes: 200,
        name_bytes: 40,
        people: 200,
        ratings: 500,
    };
    let piece = usize::from(*size).max(1);
    let read = |piece| {
        let mut parser = RatingsParser::new(limits);
        text.chunks(piece)
            .try_for_each(|piece| parser.feed(piece))
            .and_then(|()| parser.finish())
    };
    let ratings = match read(piece) {
        Ok(ratings) => ratings,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(ratings.people() <= limits.people && ratings.len() <= limits.ratings);
    let judge = |ratings: &repute_node::trust::Ratings| {
        ratings.judge(&[], &RatingsConfig::default()).unwrap()
    };
    let judged = judge(&ratings);
    for one in &judged.subjects {
        let numbers = [one.trust.to_f64(), one.uncertainty.to_f64()];
        assert!(numbers.iter().all(|part| (0.0..=1.0).contains(part)));
        assert!(one.id.len() <= limits.name_bytes && one.ratings > 0);
    }
    // How the file comes in changes nothing.
    let whole = read(text.len().max(1)).unwrap();
    assert_eq!(judge(&whole), judged);
}

/// A shared blacklist, and what taking it in would do to a node that has two entries.
pub fn blacklist(bytes: &[u8]) {
    let list = match SharedList::parse(bytes) {
        Ok(list) => list,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let own = |target: &str| EntryView {
        target: target.into(),
        kind: "prefix".into(),
        since: TIME.into(),
        until: None,
        by: "operator".into(),
        code: "operator".into(),
        reason: "own".into(),
    };
    let own = BlacklistView {
        time: TIME.into(),
        total: 2,
        entries: vec![own("192.0.2.0/24"), own("2001:db8::/48")],
        ..BlacklistView::default()
    };
    let preview = list.preview(&own, None, &[]);
    assert_eq!(preview.changes.len(), preview.new + preview.replaced);
    let told = preview.new + preview.replaced + preview.unchanged + preview.skipped;
    assert_eq!(told, preview.entries, "each entry comes to something");
    assert!(!preview.warning.is_empty() && preview.hits.is_empty());
    for change in &preview.changes {
        assert!(change.reason.len() <= 128 && change.target.len() <= 80);
        assert!(change.seconds != Some(0));
    }
    for skipped in &preview.skipped_because {
        assert!(!skipped.why.chars().any(char::is_control), "{skipped:?}");
        assert!(!skipped.target.chars().any(char::is_control), "{skipped:?}");
    }
    // Written and read again, it says the same.
    let written = serde_json::to_vec(&list).unwrap();
    assert_eq!(SharedList::parse(&written).unwrap(), list);
}
