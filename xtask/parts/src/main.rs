//! The load that guards against slower code: counted in instructions by callgrind.

use anyhow::{Result, ensure};
use parts::{GUARDED, Messages, Relay, relay};

fn main() -> Result<()> {
    let messages = Messages::sign(GUARDED, 4)?;
    let mut engine = Relay::new()?;
    let passed_on = relay(&mut engine, &messages);
    // Every message goes on to all neighbours but the one it came from, or the count means nothing.
    let expected = GUARDED * (Relay::NEIGHBOURS - 1);
    ensure!(
        passed_on == expected,
        "{passed_on} copies were passed on instead of {expected}: the load has changed"
    );
    println!("{passed_on}");
    Ok(())
}
