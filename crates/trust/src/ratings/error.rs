use alloc::string::String;

/// A row that cannot be read. Nothing after it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RatingsError {
    /// The number of the line, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub problem: RatingProblem,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RatingProblem {
    /// A line without end, or not a file of ratings.
    #[error("it is longer than {max} bytes; a row is SOURCE,TARGET,RATING,TIME")]
    LineTooLong {
        /// The most.
        max: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("it is not UTF-8 text; save the file as UTF-8")]
    NotText,
    /// Too few fields, or too many.
    #[error("it has {found} fields instead of 4; a row is SOURCE,TARGET,RATING,TIME")]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// A quote that does not end, or text behind it.
    #[error("a quoted field does not end; double a quote that belongs to a name")]
    Quotes,
    /// A field without a name.
    #[error("a name is empty; name both the rater and the rated")]
    NameEmpty,
    /// A name of too many bytes.
    #[error("a name is longer than {max} bytes; shorten it")]
    NameTooLong {
        /// The most.
        max: usize,
    },
    /// A name with characters that nobody sees.
    #[error("a name has a control character; remove it")]
    NameControl,
    /// No number, or one out of range.
    #[error("the rating must be a number from -10 to 10")]
    Rating,
    /// No number.
    #[error("the time must be a number, such as seconds since 1970")]
    Time,
    /// More people than there is room for.
    #[error("there are more than {max} people; split the file")]
    People {
        /// The most.
        max: usize,
    },
    /// More ratings than there is room for.
    #[error("there are more than {max} ratings; split the file")]
    Ratings {
        /// The most.
        max: usize,
    },
}

/// An anchor that is nobody in the file: a wrong name would turn the judgement around unseen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the anchor {name:?} neither rates nor is rated here; check the name")]
pub struct UnknownAnchor {
    /// The name.
    pub name: String,
}
