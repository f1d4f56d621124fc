/// Arguments of the forms `--key value` and `--flag`.
pub struct Args(Vec<String>);

impl Args {
    /// Those of this process.
    pub fn of_process() -> Self {
        Args(std::env::args().skip(1).collect())
    }

    /// Whether `--key` was given.
    pub fn flag(&self, key: &str) -> bool {
        self.0
            .iter()
            .any(|argument| *argument == format!("--{key}"))
    }

    /// The value after `--key`; `default` where it is missing or no `T`.
    pub fn val<T: std::str::FromStr>(&self, key: &str, default: T) -> T {
        let key = format!("--{key}");
        let place = self.0.iter().position(|argument| *argument == key);
        let value = place.and_then(|place| self.0.get(place + 1));
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or(default)
    }

    /// The text after `--key`.
    pub fn str(&self, key: &str, default: &str) -> String {
        self.val(key, default.to_string())
    }
}
