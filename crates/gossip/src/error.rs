/// Why a configuration was refused. The engine was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number lies outside its range.
    #[error("gossip {name} is {value}, allowed is {min} to {max}")]
    OutOfRange {
        /// Which setting.
        name: &'static str,
        /// What it was set to.
        value: u64,
        /// The smallest allowed value.
        min: u64,
        /// The largest allowed value.
        max: u64,
    },
}
