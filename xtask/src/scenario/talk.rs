use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{ear::Ear, member::Member, tale::Tale};

const TOPIC: &str = "news";

/// A conversation: an ear at every node, and what each should hear. Nodes are named by their place.
pub(super) struct Talk {
    ears: Vec<(Ear, Vec<String>)>,
}

impl Talk {
    pub(super) fn among(members: &[Member]) -> Result<Self> {
        let ear = |member: &Member| Ok((member.subscribe(TOPIC)?, Vec::new()));
        let ears = members.iter().map(ear).collect::<Result<_>>()?;
        Ok(Self { ears })
    }

    /// A node that was restarted is listened to again; what it was to hear before is dropped.
    pub(super) fn listen_again(&mut self, place: usize, member: &Member) -> Result<()> {
        let ear = self.ears.get_mut(place).context("no such node")?;
        *ear = (member.subscribe(TOPIC)?, Vec::new());
        Ok(())
    }

    /// Everybody says so many things, to be heard by all others.
    pub(super) fn round(&mut self, round: &str, members: &[Member], count: usize) -> Result<()> {
        self.round_among(round, members, count, |_| true)
    }

    /// Those of a circle say so many things, to be heard by all others of the circle.
    pub(super) fn round_among(
        &mut self,
        round: &str,
        members: &[Member],
        count: usize,
        is_in: impl Fn(usize) -> bool,
    ) -> Result<()> {
        for (speaker, member) in members.iter().enumerate() {
            for nth in 0..count {
                if is_in(speaker) {
                    let text = format!("{round}: message {nth} of node {speaker}");
                    self.say(speaker, member, &text, &is_in)?;
                }
            }
        }
        Ok(())
    }

    /// One node says something, to be heard by these others.
    pub(super) fn say(
        &mut self,
        speaker: usize,
        member: &Member,
        text: &str,
        hears: impl Fn(usize) -> bool,
    ) -> Result<()> {
        member.publish(TOPIC, text)?;
        for (place, (_, expected)) in self.ears.iter_mut().enumerate() {
            if place != speaker && hears(place) {
                expected.push(text.to_owned());
            }
        }
        Ok(())
    }

    /// One node says something; whether others should hear it is left open.
    pub(super) fn whisper(member: &Member, text: &str) -> Result<()> {
        member.publish(TOPIC, text)
    }

    /// Takes in what has come so far, expected or not.
    pub(super) fn listen(&mut self) -> Result<()> {
        self.ears.iter_mut().try_for_each(|(ear, _)| ear.listen())
    }

    /// How many have heard this, among what was listened to so far.
    pub(super) fn heard_by(&self, text: &str) -> usize {
        let heard = |(ear, _): &&(Ear, Vec<String>)| ear.has_heard(text);
        self.ears.iter().filter(heard).count()
    }

    /// Listens until everything was heard by everybody, and tells how that went.
    pub(super) fn settle(&mut self, tale: &mut Tale, round: &str, limit: Duration) -> Result<()> {
        let begun = Instant::now();
        let (mut missing, mut repeated) = (0, 0);
        for (ear, expected) in &mut self.ears {
            let left = limit.saturating_sub(begun.elapsed());
            missing += expected.len() - ear.hear(expected, left)?;
            repeated += ear.repeated();
        }
        tale.counts(&format!("{round}, missing deliveries"), missing as u64, 0);
        tale.counts(&format!("{round}, repeated deliveries"), repeated, 0);
        let seconds = begun.elapsed().as_secs_f64();
        tale.takes(&format!("{round}, all heard after"), seconds, limit);
        Ok(())
    }
}
