//! Rating networks: the formulas by hand, and what must hold for every file.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use proptest::prelude::*;
use repute_base::Rng;
use repute_trust::{
    Judgement, Level, RatedSubject, Ratings, RatingsConfig, RatingsLimits, RatingsParser,
};

fn read(text: &str) -> Ratings {
    let mut parser = RatingsParser::new(RatingsLimits::default());
    parser.feed(text.as_bytes()).unwrap();
    parser.finish().unwrap()
}

fn judge(text: &str, anchors: &[&str]) -> Judgement {
    read(text)
        .judge(anchors, &RatingsConfig::default())
        .unwrap()
}

fn of<'a>(judged: &'a Judgement, id: &str) -> &'a RatedSubject {
    judged.subjects.iter().find(|one| &*one.id == id).unwrap()
}

#[test]
fn trust_is_what_the_formulas_give() {
    // Rank: a 1, b 0.8, c 0.64, of 2.44. Three are ranked, so b weighs 3 · 0.8/2.44.
    let judged = judge("a,b,10,1\nb,c,5,2\nb,d,-10,3\n", &["a"]);
    let weight_b = 3.0 * 0.8 / 2.44;
    for (id, good, bad, level, rank) in [
        ("b", 1.0, 0.0, Level::High, 1),
        ("c", weight_b / 2.0, 0.0, Level::Unknown, 2),
        ("d", 0.0, weight_b, Level::Low, 3),
    ] {
        let one = of(&judged, id);
        let all = 2.0 + good + bad;
        assert!(
            (one.trust.to_f64() - (good + 1.0) / all).abs() < 1e-6,
            "{one:?}"
        );
        assert!(
            (one.uncertainty.to_f64() - 2.0 / all).abs() < 1e-6,
            "{one:?}"
        );
        assert_eq!((one.level, one.rank, one.ratings), (level, rank, 1), "{id}");
    }
    assert_eq!((judged.credible, judged.anchors_by_activity), (3, false));
}

#[test]
fn who_rates_everybody_weighs_less_on_each() {
    // The anchor hands out 5 of strength to five, then 10 to ten: each weighs half.
    for (count, weight) in [(5, 1.0), (10, 0.5)] {
        let text: String = (0..count).map(|n| format!("a,s{n},-10,1\n")).collect();
        let trust = of(&judge(&text, &["a"]), "s0").trust.to_f64();
        assert!(
            (trust - 1.0 / (2.0 + weight)).abs() < 1e-9,
            "{count}: {trust}"
        );
    }
}

#[test]
fn equals_share_a_rank_and_the_unknown_take_none() {
    let text = "a,b,10,1\na,c,10,1\na,d,-10,1\nx,y,10,1\ny,z,10,1\n";
    let judged = judge(text, &["a"]);
    let ranks: Vec<(&str, u64)> = judged
        .subjects
        .iter()
        .map(|one| (&*one.id, one.rank))
        .collect();
    // d is the third of whom something is known; y and z stand where nothing is known.
    assert_eq!(ranks, [("b", 1), ("c", 1), ("d", 3), ("y", 3), ("z", 3)]);
    assert_eq!(of(&judged, "y").level, Level::Unknown);
    assert!(of(&judged, "y").trust > of(&judged, "d").trust);
}

#[test]
fn the_most_active_stand_in_for_anchors_and_a_wrong_name_is_refused() {
    let mut text = String::new();
    for rater in 0..8 {
        (0..=rater).for_each(|n| text += &format!("r{rater},s{n},1,1\n"));
    }
    let judged = judge(&text, &[]);
    let mut anchors: Vec<&str> = judged.anchors.iter().map(AsRef::as_ref).collect();
    anchors.sort_unstable();
    assert_eq!(anchors, ["r3", "r4", "r5", "r6", "r7"]);
    assert!(judged.anchors_by_activity);
    let error = read(&text)
        .judge(&["r1", "r9"], &RatingsConfig::default())
        .unwrap_err();
    assert!(error.to_string().contains("r9"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_and_never_break_it(
        bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1usize..80,
    ) {
        let limits = RatingsLimits { line_bytes: 64, people: 20, ..RatingsLimits::default() };
        let mut parser = RatingsParser::new(limits);
        if bytes.chunks(piece).try_for_each(|piece| parser.feed(piece)).is_ok()
            && let Ok(ratings) = parser.finish()
        {
            prop_assert!(ratings.judge(&[], &RatingsConfig::default()).is_ok());
        }
    }

    #[test]
    fn any_rows_give_numbers_in_range_whatever_their_order(
        rows in prop::collection::vec((0u8..12, 0u8..12, -10i8..=10, any::<i32>()), 0..60),
        anchor in 0u8..12, seed in any::<u64>(),
    ) {
        // Equal times of a pair are decided by the order of rows: here none are.
        let mut lines: Vec<String> = rows.iter().zip(0..)
            .map(|((from, to, rating, time), row)| format!("u{from},u{to},{rating},{time}.{row:03}"))
            .chain([format!("u{anchor},u99,1,0")])
            .collect();
        let anchor = format!("u{anchor}");
        let first = judge(&lines.join("\n"), &[&anchor]);
        for one in &first.subjects {
            prop_assert!((0.0..=1.0).contains(&one.trust.to_f64()));
            prop_assert!((0.0..=1.0).contains(&one.uncertainty.to_f64()));
            prop_assert!(one.rank >= 1 && one.rank <= first.subjects.len() as u64);
            prop_assert!(one.ratings > 0);
        }
        Rng::from_u64(seed).shuffle(&mut lines);
        prop_assert_eq!(judge(&lines.join("\n"), &[&anchor]), first);
    }
}
