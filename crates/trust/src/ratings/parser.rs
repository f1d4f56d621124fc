use alloc::{borrow::Cow, string::String, vec::Vec};

use super::{Rating, RatingProblem, Ratings, RatingsError, RatingsLimits};

/// Reads rows `SOURCE,TARGET,RATING,TIME` as their bytes come, in pieces of any size.
///
/// A first line whose rating and time are no numbers is a header. Empty lines are skipped; fields
/// may be quoted. What cannot be read ends it with the number of the line.
#[derive(Debug)]
pub struct RatingsParser {
    limits: RatingsLimits,
    ratings: Ratings,
    /// The beginning of a line whose end has not come yet.
    rest: Vec<u8>,
    /// Lines that ended.
    lines: u64,
    /// Whether a row has been seen, so that no header may follow.
    begun: bool,
}

impl RatingsParser {
    /// A parser that has read nothing.
    pub fn new(limits: RatingsLimits) -> Self {
        Self {
            limits,
            ratings: Ratings::default(),
            rest: Vec::new(),
            lines: 0,
            begun: false,
        }
    }

    /// Reads on.
    ///
    /// # Errors
    /// [`RatingsError`] at the first line that cannot be read; the parser is of no more use then.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), RatingsError> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, following) = bytes.split_at(end);
            bytes = following.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line)?;
            } else {
                self.keep(line)?;
                let whole = core::mem::take(&mut self.rest);
                self.line(&whole)?;
            }
        }
        self.keep(bytes)
    }

    /// Reads what stands behind the last line feed, and ends.
    ///
    /// # Errors
    /// [`RatingsError`] when the last line cannot be read.
    pub fn finish(mut self) -> Result<Ratings, RatingsError> {
        let last = core::mem::take(&mut self.rest);
        self.line(&last)?;
        self.ratings.settle();
        Ok(self.ratings)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), RatingsError> {
        if self.rest.len().saturating_add(bytes.len()) > self.limits.line_bytes {
            self.lines += 1;
            return self.refuse(RatingProblem::LineTooLong {
                max: self.limits.line_bytes,
            });
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }

    fn refuse<T>(&self, problem: RatingProblem) -> Result<T, RatingsError> {
        let line = self.lines;
        Err(RatingsError { line, problem })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), RatingsError> {
        self.lines += 1;
        self.row(bytes).or_else(|problem| self.refuse(problem))
    }

    fn row(&mut self, bytes: &[u8]) -> Result<(), RatingProblem> {
        let max = self.limits.line_bytes;
        if bytes.len() > max {
            return Err(RatingProblem::LineTooLong { max });
        }
        let text = core::str::from_utf8(bytes).map_err(|_| RatingProblem::NotText)?;
        let text = match self.lines {
            1 => text.trim_start_matches('\u{feff}'),
            _ => text,
        };
        if text.trim().is_empty() {
            return Ok(());
        }
        let [source, target, rating, time] = fields(text)?;
        let (rating, time) = (rating.parse::<f64>(), time.parse::<f64>());
        let first = !core::mem::replace(&mut self.begun, true);
        if first && rating.is_err() && time.is_err() {
            return Ok(());
        }
        let rating = rating.ok().filter(|rating| (-10.0..=10.0).contains(rating));
        let rating = rating.ok_or(RatingProblem::Rating)?;
        let time = time.ok().filter(|time| time.is_finite());
        let time = time.ok_or(RatingProblem::Time)?;
        self.add(&source, &target, rating, time)
    }

    fn add(
        &mut self,
        source: &str,
        target: &str,
        rating: f64,
        time: f64,
    ) -> Result<(), RatingProblem> {
        for name in [source, target] {
            self.check_name(name)?;
        }
        if source == target {
            self.ratings.ignored += 1;
            return Ok(());
        }
        let max = self.limits.ratings;
        if self.ratings.rows.len() >= max {
            return Err(RatingProblem::Ratings { max });
        }
        let max = self.limits.people;
        let mut place = |name| {
            let place = self.ratings.place_or_new(name, max);
            place.ok_or(RatingProblem::People { max })
        };
        let (from, to) = (place(source)?, place(target)?);
        // Both casts saturate; the rating is in range, and of the time only the order matters.
        let value = (rating * 100_000.0 + rating.signum() * 0.5) as i32;
        let time = (time * 1_000_000.0) as i64;
        self.ratings.rows.push(Rating {
            from,
            to,
            value,
            time,
        });
        Ok(())
    }

    fn check_name(&self, name: &str) -> Result<(), RatingProblem> {
        let max = self.limits.name_bytes;
        if name.is_empty() {
            return Err(RatingProblem::NameEmpty);
        }
        if name.len() > max {
            return Err(RatingProblem::NameTooLong { max });
        }
        if name.chars().any(char::is_control) {
            return Err(RatingProblem::NameControl);
        }
        Ok(())
    }
}

/// The four fields of a line, without the space around them.
fn fields(line: &str) -> Result<[Cow<'_, str>; 4], RatingProblem> {
    let all: Vec<Cow<'_, str>> = if line.contains('"') {
        quoted_fields(line)?
    } else {
        line.split(',').map(|field| field.trim().into()).collect()
    };
    let found = all.len();
    all.try_into().map_err(|_| RatingProblem::Fields { found })
}

/// Fields of which some are in quotes, with a doubled quote for one that belongs to the text.
fn quoted_fields(line: &str) -> Result<Vec<Cow<'_, str>>, RatingProblem> {
    let mut found = Vec::new();
    let mut left = Some(line);
    while let Some(text) = left {
        let text = text.trim_start();
        let Some(quoted) = text.strip_prefix('"') else {
            let (field, behind) = match text.split_once(',') {
                Some((field, behind)) => (field, Some(behind)),
                None => (text, None),
            };
            found.push(field.trim().into());
            left = behind;
            continue;
        };
        let (field, behind) = unquote(quoted)?;
        found.push(field.into());
        let behind = behind.trim_start();
        left = match behind.strip_prefix(',') {
            Some(behind) => Some(behind),
            None if behind.is_empty() => None,
            None => return Err(RatingProblem::Quotes),
        };
    }
    Ok(found)
}

/// The text up to the closing quote, and what stands behind it.
fn unquote(mut text: &str) -> Result<(String, &str), RatingProblem> {
    let mut field = String::new();
    loop {
        let (before, behind) = text.split_once('"').ok_or(RatingProblem::Quotes)?;
        field.push_str(before);
        match behind.strip_prefix('"') {
            Some(following) => {
                field.push('"');
                text = following;
            }
            None => return Ok((field, behind)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec};

    use super::*;

    fn read(text: &[u8]) -> Result<Ratings, RatingsError> {
        // In pieces of every small size the result is the same.
        let whole = read_in(text, text.len().max(1));
        for piece in 1..text.len().min(9) {
            let pieces = read_in(text, piece);
            let rows = |read: &Result<Ratings, RatingsError>| match read {
                Ok(ratings) => Ok((ratings.rows.clone(), ratings.names.clone(), ratings.ignored)),
                Err(error) => Err(*error),
            };
            assert_eq!(rows(&pieces), rows(&whole), "pieces of {piece}");
        }
        whole
    }

    fn read_in(text: &[u8], piece: usize) -> Result<Ratings, RatingsError> {
        let limits = RatingsLimits {
            line_bytes: 60,
            name_bytes: 20,
            people: 4,
            ratings: 5,
        };
        let mut parser = RatingsParser::new(limits);
        for bytes in text.chunks(piece) {
            parser.feed(bytes)?;
        }
        parser.finish()
    }

    #[test]
    fn a_file_may_begin_with_a_header_and_a_mark_and_end_anyhow() {
        for text in [
            "a,b,10,1\nb,a,-3.5,2\n",
            "a,b,10,1\r\nb,a,-3.5,2.25",
            "SOURCE,TARGET,RATING,TIME\na,b,10,1\n\n  \nb,a,-3.5,2",
            "\u{feff}source,target,rating,time\r\n a , b ,+10, 1e0\r\nb,a,-3.5,2\r\n",
            "\"from\",\"to\",\"r\",\"t\"\n\"a\",b,\"10\",1\nb, \"a\" ,-3.5,2\n",
        ] {
            let ratings = read(text.as_bytes()).unwrap();
            let values: Vec<i32> = ratings.rows.iter().map(|row| row.value).collect();
            assert_eq!(values, [1_000_000, -350_000], "{text:?}");
            assert_eq!(ratings.names, vec!["a".into(), "b".into()], "{text:?}");
        }
        assert!(read(b"").unwrap().is_empty());
    }

    #[test]
    fn names_are_of_any_kind() {
        let text = "6,\"Smith, J \"\"x\"\"\",1,1\n6,\u{e9}l\u{e8}ve,1,1\n6,6,10,1\n";
        let ratings = read(text.as_bytes()).unwrap();
        let names: Vec<&str> = ratings.names.iter().map(AsRef::as_ref).collect();
        assert_eq!(names, ["6", "Smith, J \"x\"", "\u{e9}l\u{e8}ve"]);
        // Nobody's opinion of oneself counts.
        assert_eq!((ratings.len(), ratings.ignored()), (2, 1));
    }

    #[test]
    fn the_latest_rating_of_a_pair_counts_and_of_two_at_once_the_later_row() {
        let ratings = read(b"a,b,1,5\na,b,2,9\na,b,3,7\nb,a,4,1\nb,a,5,1\n").unwrap();
        let values: Vec<i32> = ratings.rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [200_000, 500_000]);
        assert_eq!(ratings.ignored(), 3);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_line_and_the_remedy() {
        let long = format!("{},b,1,1", "x".repeat(80));
        let name = format!("a,b,1,1\n{},b,1,1", "x".repeat(21));
        let people = "a,b,1,1\nc,d,1,1\ne,a,1,1";
        let ratings = "a,b,1,1\n".repeat(6);
        for (text, line, part) in [
            ("a,b,1,1\n\na,b,11,1\n", 3, "-10 to 10"),
            ("a,b,nan,1\n", 1, "-10 to 10"),
            ("a,b,-inf,1\n", 1, "-10 to 10"),
            ("a,b,x,1\n", 1, "-10 to 10"),
            ("a,b,r,t\na,b,r,t\n", 2, "-10 to 10"),
            ("a,b,,t\na,b,1,\n", 2, "time"),
            ("a,b,1,inf\n", 1, "time"),
            ("a,b,1\n", 1, "3 fields"),
            ("a,b,1,1,\n", 1, "5 fields"),
            ("a;b;1;1\n", 1, "SOURCE,TARGET,RATING,TIME"),
            (",b,1,1\n", 1, "empty"),
            ("a,\"\",1,1\n", 1, "empty"),
            ("\"a,b,1,1\n", 1, "quote"),
            ("\"a\"x,b,1,1\n", 1, "quote"),
            ("a,b\0c,1,1\n", 1, "control"),
            (&long, 1, "60 bytes"),
            (&name, 2, "20 bytes"),
            (people, 3, "4 people"),
            (&ratings, 6, "5 ratings"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error}");
            assert!(error.to_string().contains(part), "{text:?}: {error}");
        }
        let error = read(b"a,b,1,1\na,\xff,1,1\n").unwrap_err();
        assert_eq!((error.line, error.problem), (2, RatingProblem::NotText));
    }

    #[test]
    fn a_line_without_end_is_given_up_early() {
        let mut parser = RatingsParser::new(RatingsLimits::default());
        let fed = (0..10_000).take_while(|_| parser.feed(&[b'x'; 64]).is_ok());
        assert_eq!(fed.count(), 64);
    }
}
