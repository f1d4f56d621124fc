//! Two identities: sign and verify, seal and open, a ticket, and a key file.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use repute_base::{BoundedVec, Wall};
use repute_identity::{Check, Ticket, keystore, open, seal, verify, verify_batch};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (alice, recovery) = keystore::generate()?;
    let (bob, _) = keystore::generate()?;
    println!("alice    {}", alice.id());
    println!("bob      {} (short: {})", bob.id(), bob.id().short());

    let message = b"the harbour is open";
    let signature = alice.sign(message);
    let check = Check {
        key: alice.inception().key,
        message,
        signature,
    };
    let forged = Check {
        message: b"the harbour is shut",
        ..check
    };
    println!("verify   {}, forged: {}", verify(&check), verify(&forged));
    println!(
        "batch    {:?}",
        verify_batch(&[check, forged, check], entropy()?)
    );

    let sealed = seal(
        &bob.inception().key,
        b"example",
        b"",
        b"meet at noon",
        entropy()?,
    )?;
    let opened = open(bob.secret(), b"example", b"", &sealed)?;
    println!(
        "sealed   {} bytes, bob reads: {}",
        sealed.len(),
        String::from_utf8_lossy(&opened)
    );
    println!(
        "         alice reads: {:?}",
        open(alice.secret(), b"example", b"", &sealed)
    );

    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let now = Wall::from_millis(u64::try_from(now)?);
    let ticket = Ticket {
        inception: *alice.inception(),
        addresses: BoundedVec::truncated(["192.0.2.1:7000".parse()?]),
        expires: now + Duration::from_secs(3_600),
        discovery: None,
    };
    println!("ticket   {ticket}");
    let read: Ticket = ticket.to_string().parse()?;
    read.check_fresh(now)?;
    println!("         leads to alice: {}", read.node_id() == alice.id());

    let dir = tempfile::tempdir()?;
    let path = dir.path().join("identity.key");
    let passphrase = keystore::Passphrase::new("correct horse battery staple")?;
    keystore::create(&path, &alice, Some(&passphrase))?;
    keystore::save_recovery(&dir.path().join("recovery.key"), &recovery)?;
    println!(
        "keystore {}",
        keystore::load(&path, Some(&passphrase))?.id() == alice.id()
    );
    match keystore::load(&path, None) {
        Ok(_) => println!("         loaded without its passphrase"),
        Err(refused) => println!("         {refused}"),
    }
    Ok(())
}

fn entropy() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
