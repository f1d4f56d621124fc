//! Layered configuration: flags over environment over file over profile over defaults, with the
//! origin of every value kept.
//!
//! One table, [`KEYS`], is the schema: it says what each key means, its default and its range, and
//! the command line, the documentation and the checks are made from it.

mod keys;
mod profile;

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use keys::{KEYS, Key, Kind};
pub use profile::Profile;
use toml::Value;

/// The longest configuration file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;
/// What the environment variable of a key begins with.
const ENV_PREFIX: &str = "REPUTE_";

/// Where a value came from. Later ones win.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Built in.
    Default,
    /// One of the named tuning profiles.
    Profile(Profile),
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(profile) => write!(f, "profile {profile}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "${name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// Why a configuration was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is implausibly long.
    #[error("{}: {len} bytes where a configuration has at most {FILE_MAX}", path.display())]
    FileTooLong {
        /// Which file.
        path: PathBuf,
        /// Its length.
        len: u64,
    },
    /// Not TOML.
    #[error("{}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        message: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}`{}", suggestion.map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// Who set it.
        origin: Origin,
        /// The nearest key that exists.
        suggestion: Option<&'static str>,
    },
    /// A value of the wrong type or outside its range.
    #[error("{origin}: `{key}` = {value}: {problem}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        problem: String,
        /// Who set it.
        origin: Origin,
    },
    /// Values that are fine alone and unsound together.
    #[error("unsound configuration: {0}")]
    Unsound(String),
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

/// All keys with their values, resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    values: BTreeMap<&'static str, Setting>,
}

impl Default for Settings {
    fn default() -> Self {
        let values = KEYS
            .iter()
            .map(|key| {
                (
                    key.name,
                    Setting {
                        value: key.default_value(),
                        origin: Origin::Default,
                    },
                )
            })
            .collect();
        Self { values }
    }
}

/// The layers above the defaults, lowest first.
#[derive(Clone, Debug, Default)]
pub struct Layers<'a> {
    /// The configuration file; `None` if there is none.
    pub file: Option<&'a Path>,
    /// The environment. Names that begin with `REPUTE_` and the name of a section must be keys;
    /// other names are not ours, or not of the configuration.
    pub environment: Vec<(String, String)>,
    /// `key=value` pairs of the command line.
    pub flags: Vec<(String, String)>,
}

impl Settings {
    /// Resolves all layers. The profile, wherever it is named, lies just above the defaults.
    ///
    /// # Errors
    /// [`SettingsError`], naming the key, the value, its origin and what it must be.
    pub fn resolve(layers: &Layers<'_>) -> Result<Self, SettingsError> {
        let mut above: Vec<(&'static Key, Setting)> = Vec::new();
        if let Some(path) = layers.file {
            above.extend(read_file(path)?);
        }
        for (name, text) in &layers.environment {
            let origin = Origin::Environment(name.clone());
            if let Some(key) = KEYS.iter().find(|key| key.env_name() == *name) {
                let value = key.parse_text(text, &origin)?;
                above.push((key, Setting { value, origin }));
            } else if let Some(meant) = keys::meant_by_env(name) {
                find(&meant, &origin)?;
            }
        }
        for (name, text) in &layers.flags {
            let key = find(name, &Origin::Flag)?;
            let value = key.parse_text(text, &Origin::Flag)?;
            above.push((
                key,
                Setting {
                    value,
                    origin: Origin::Flag,
                },
            ));
        }
        let mut settings = Self::default();
        let profile = above.iter().rev().find(|(key, _)| key.name == "profile");
        if let Some((key, chosen)) = profile {
            key.check(&chosen.value, &chosen.origin)?;
            settings.apply_profile(&chosen.value);
        }
        for (key, setting) in above {
            key.check(&setting.value, &setting.origin)?;
            settings.values.insert(key.name, setting);
        }
        Ok(settings)
    }

    fn apply_profile(&mut self, chosen: &Value) {
        let Some(profile) = chosen
            .as_str()
            .and_then(|name| name.parse::<Profile>().ok())
        else {
            return;
        };
        for (name, value) in profile.values() {
            let origin = Origin::Profile(profile);
            self.values.insert(name, Setting { value, origin });
        }
    }

    /// Every key with its value and origin, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.values.iter().map(|(name, setting)| (*name, setting))
    }

    /// The value of one key, if it exists.
    pub fn value(&self, name: &str) -> Option<&Setting> {
        self.values.get(name)
    }

    /// Whether anything but the built-in default is meant. What is written as precisely as the
    /// default is shown is the default, to the last bit.
    pub(crate) fn differs(&self, name: &str) -> bool {
        let default = KEYS
            .iter()
            .find(|key| key.name == name)
            .map(Key::default_value);
        self.value(name).map(|setting| &setting.value) != default.as_ref()
    }

    /// A whole number; the schema guarantees it is there and in range.
    pub(crate) fn int(&self, name: &str) -> u64 {
        let value = self
            .value(name)
            .and_then(|setting| setting.value.as_integer());
        debug_assert!(
            value.is_some(),
            "{name} is not a whole number in the schema"
        );
        value
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or_default()
    }

    /// A fraction.
    pub(crate) fn float(&self, name: &str) -> f64 {
        let value = self.value(name).map(|setting| &setting.value);
        value
            .and_then(|value| {
                value
                    .as_float()
                    .or_else(|| value.as_integer().map(|i| i as f64))
            })
            .unwrap_or_default()
    }

    /// Yes or no.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.value(name)
            .and_then(|setting| setting.value.as_bool())
            .unwrap_or_default()
    }

    /// Text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.value(name)
            .and_then(|setting| setting.value.as_str())
            .unwrap_or_default()
    }

    /// A list of texts.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let items = self
            .value(name)
            .and_then(|setting| setting.value.as_array());
        items
            .map(|items| {
                items
                    .iter()
                    .filter_map(|item| item.as_str().map(Into::into))
                    .collect()
            })
            .unwrap_or_default()
    }

    /// A configuration file with every key, its meaning and its default.
    pub fn documented_defaults() -> String {
        let mut out = String::from("# Every key with its default. Uncomment what you change.\n");
        let mut section = "";
        // Keys without a section must come before the first section.
        let (top, rest): (Vec<&Key>, Vec<&Key>) =
            KEYS.iter().partition(|key| !key.name.contains('.'));
        for key in top.into_iter().chain(rest) {
            let (of, name) = key.name.rsplit_once('.').unwrap_or(("", key.name));
            if of != section {
                section = of;
                out.push_str(&format!("\n[{section}]\n"));
            }
            out.push_str(&format!(
                "# {} ({})\n# {name} = {}\n",
                key.doc, key.kind, key.default
            ));
        }
        out
    }
}

fn find(name: &str, origin: &Origin) -> Result<&'static Key, SettingsError> {
    KEYS.iter()
        .find(|key| key.name == name)
        .ok_or_else(|| SettingsError::UnknownKey {
            key: name
                .chars()
                .take(128)
                .collect::<String>()
                .escape_default()
                .to_string(),
            origin: origin.clone(),
            suggestion: keys::nearest(name),
        })
}

fn read_file(path: &Path) -> Result<Vec<(&'static Key, Setting)>, SettingsError> {
    let read = |source| SettingsError::Read {
        path: path.into(),
        source,
    };
    let len = fs::metadata(path).map_err(read)?.len();
    if len > FILE_MAX {
        return Err(SettingsError::FileTooLong {
            path: path.into(),
            len,
        });
    }
    let text = fs::read_to_string(path).map_err(read)?;
    let table: toml::Table =
        text.parse()
            .map_err(|error: toml::de::Error| SettingsError::Syntax {
                path: path.into(),
                message: error.to_string().trim_end().into(),
            })?;
    let mut found = Vec::new();
    flatten("", table, &Origin::File(path.into()), &mut found)?;
    Ok(found)
}

/// Turns nested tables into dotted keys, refusing the first that does not exist. The schema is two
/// levels deep, so a deeper table ends the recursion as an unknown key.
fn flatten(
    prefix: &str,
    table: toml::Table,
    origin: &Origin,
    found: &mut Vec<(&'static Key, Setting)>,
) -> Result<(), SettingsError> {
    for (name, value) in table {
        let name = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) if keys::is_section(&name) => {
                flatten(&name, inner, origin, found)?;
            }
            value => {
                let key = find(&name, origin)?;
                found.push((
                    key,
                    Setting {
                        value,
                        origin: origin.clone(),
                    },
                ));
            }
        }
    }
    Ok(())
}
