//! Primitive ceilings on one core. --secs 1 --runs 5 [--only name-part]
use driver::{Args, XorShift, rate, report, thread_cpu};
use std::hint::black_box as bb;

#[derive(
    serde::Serialize, serde::Deserialize, bincode::Encode, bincode::Decode, Clone, PartialEq, Debug,
)]
struct Envelope {
    version: u16,
    kind: u8,
    flags: u8,
    sender: [u8; 32],
    recipient: Option<[u8; 32]>,
    seq: u64,
    sent_ms: u64,
    ttl: u8,
    topic: String,
    payload: Vec<u8>,
    sig: Vec<u8>,
}

fn main() -> anyhow::Result<()> {
    let a = Args::of_process();
    let secs = a.val("secs", 0.7f64);
    let runs = a.val("runs", 5usize);
    let only = a.str("only", "");
    let want = |n: &str| only.is_empty() || only.split(',').any(|o| n.contains(o));
    let mut x = XorShift(42);
    let mut k1 = vec![0u8; 1024];
    x.fill(&mut k1);
    let m64 = k1[..64].to_vec();

    if want("ed25519") {
        {
            use ed25519_dalek::{Signer, SigningKey, Verifier};
            let sk = SigningKey::generate(&mut rand::rngs::OsRng);
            let vk = sk.verifying_key();
            let sig = sk.sign(&k1);
            report("ed25519-dalek2 sign 1KiB", "op/s", runs, || {
                rate(secs, || {
                    bb(sk.sign(bb(&k1)));
                })
            });
            report("ed25519-dalek2 verify 1KiB", "op/s", runs, || {
                rate(secs, || {
                    vk.verify(bb(&k1), &sig).unwrap();
                })
            });
            report("ed25519-dalek2 verify_strict 1KiB", "op/s", runs, || {
                rate(secs, || {
                    vk.verify_strict(bb(&k1), &sig).unwrap();
                })
            });
            let s64 = sk.sign(&m64);
            report("ed25519-dalek2 verify_strict 64B", "op/s", runs, || {
                rate(secs, || {
                    vk.verify_strict(bb(&m64), &s64).unwrap();
                })
            });
            // 64 messages of 1 KiB from 64 keys, and from one key
            for (label, nk) in [("64 keys", 64usize), ("1 key", 1)] {
                let keys: Vec<SigningKey> = (0..nk)
                    .map(|_| SigningKey::generate(&mut rand::rngs::OsRng))
                    .collect();
                let msgs: Vec<Vec<u8>> = (0..64)
                    .map(|_| {
                        let mut v = vec![0; 1024];
                        x.fill(&mut v);
                        v
                    })
                    .collect();
                let sigs: Vec<_> = msgs
                    .iter()
                    .enumerate()
                    .map(|(i, m)| keys[i % nk].sign(m))
                    .collect();
                let vks: Vec<_> = (0..64).map(|i| keys[i % nk].verifying_key()).collect();
                let refs: Vec<&[u8]> = msgs.iter().map(|m| &m[..]).collect();
                for b in [8usize, 64] {
                    report(
                        &format!("ed25519-dalek2 verify_batch of {b} 1KiB {label}"),
                        "sig/s",
                        runs,
                        || {
                            b as f64
                                * rate(secs, || {
                                    ed25519_dalek::verify_batch(
                                        bb(&refs[..b]),
                                        &sigs[..b],
                                        &vks[..b],
                                    )
                                    .unwrap()
                                })
                        },
                    );
                }
            }
            report("ed25519-dalek2 pubkey decompress", "op/s", runs, || {
                rate(secs, || {
                    bb(ed25519_dalek::VerifyingKey::from_bytes(bb(vk.as_bytes())).unwrap());
                })
            });
        }
        {
            use ed25519_dalek3::{Signer, SigningKey, Verifier};
            let mut s = [0u8; 32];
            x.fill(&mut s);
            let sk = SigningKey::from_bytes(&s);
            let vk = sk.verifying_key();
            let sig = sk.sign(&k1);
            report("ed25519-dalek3 sign 1KiB", "op/s", runs, || {
                rate(secs, || {
                    bb(sk.sign(bb(&k1)));
                })
            });
            report("ed25519-dalek3 verify 1KiB", "op/s", runs, || {
                rate(secs, || {
                    vk.verify(bb(&k1), &sig).unwrap();
                })
            });
            report("ed25519-dalek3 verify_strict 1KiB", "op/s", runs, || {
                rate(secs, || {
                    vk.verify_strict(bb(&k1), &sig).unwrap();
                })
            });
        }
        {
            use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
            let mut s = [0u8; 32];
            x.fill(&mut s);
            let kp = Ed25519KeyPair::from_seed_unchecked(&s).unwrap();
            let sig = kp.sign(&k1);
            let pk = UnparsedPublicKey::new(&ED25519, kp.public_key().as_ref().to_vec());
            report("ring ed25519 sign 1KiB", "op/s", runs, || {
                rate(secs, || {
                    bb(kp.sign(bb(&k1)));
                })
            });
            report("ring ed25519 verify 1KiB", "op/s", runs, || {
                rate(secs, || {
                    pk.verify(bb(&k1), sig.as_ref()).unwrap();
                })
            });
        }
    }
    if want("x25519") {
        use x25519_dalek::{PublicKey, StaticSecret};
        let s1 = StaticSecret::random_from_rng(rand::rngs::OsRng);
        let p2 = PublicKey::from(&StaticSecret::random_from_rng(rand::rngs::OsRng));
        report("x25519-dalek2 diffie-hellman", "op/s", runs, || {
            rate(secs, || {
                bb(s1.diffie_hellman(bb(&p2)));
            })
        });
        report("x25519-dalek2 public key", "op/s", runs, || {
            rate(secs, || {
                bb(PublicKey::from(bb(&s1)));
            })
        });
        report(
            "ring x25519 ephemeral (keygen+pub+agree)",
            "op/s",
            runs,
            || {
                let rng = ring::rand::SystemRandom::new();
                let pk = ring::agreement::UnparsedPublicKey::new(
                    &ring::agreement::X25519,
                    p2.as_bytes().to_vec(),
                );
                rate(secs, || {
                    let e = ring::agreement::EphemeralPrivateKey::generate(
                        &ring::agreement::X25519,
                        &rng,
                    )
                    .unwrap();
                    bb(e.compute_public_key().unwrap());
                    ring::agreement::agree_ephemeral(e, &pk, |k| {
                        bb(k[0]);
                    })
                    .unwrap();
                })
            },
        );
    }
    if want("aes") {
        use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInPlace};
        let c = Aes256Gcm::new_from_slice(&k1[..32]).unwrap();
        let n = aes_gcm::Nonce::from_slice(&k1[..12]);
        let lk = ring::aead::LessSafeKey::new(
            ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &k1[..32]).unwrap(),
        );
        for sz in [64usize, 1024] {
            let mut b = k1[..sz].to_vec();
            report(&format!("aes-gcm 0.10 seal {sz}B"), "op/s", runs, || {
                rate(secs, || {
                    bb(c.encrypt_in_place_detached(n, b"", &mut b).unwrap());
                })
            });
            let mut ct = k1[..sz].to_vec();
            let tag = c.encrypt_in_place_detached(n, b"", &mut ct).unwrap();
            let mut w = ct.clone();
            report(&format!("aes-gcm 0.10 open {sz}B"), "op/s", runs, || {
                rate(secs, || {
                    w.copy_from_slice(&ct);
                    c.decrypt_in_place_detached(n, b"", &mut w, &tag).unwrap();
                })
            });
            let mut b2 = k1[..sz].to_vec();
            report(
                &format!("ring aes-256-gcm seal {sz}B"),
                "op/s",
                runs,
                || {
                    rate(secs, || {
                        let _ = bb(lk
                            .seal_in_place_separate_tag(
                                ring::aead::Nonce::assume_unique_for_key([1; 12]),
                                ring::aead::Aad::empty(),
                                &mut b2,
                            )
                            .unwrap());
                    })
                },
            );
        }
    }
    if want("blake3") {
        report("blake3 1KiB", "op/s", runs, || {
            rate(secs, || {
                bb(blake3::hash(bb(&k1)));
            })
        });
        report("blake3 64B", "op/s", runs, || {
            rate(secs, || {
                bb(blake3::hash(bb(&m64)));
            })
        });
        report("blake3 keyed 1KiB", "op/s", runs, || {
            rate(secs, || {
                bb(blake3::keyed_hash(&[7; 32], bb(&k1)));
            })
        });
    }
    if want("bincode") {
        let e = Envelope {
            version: 1,
            kind: 3,
            flags: 0,
            sender: [7; 32],
            recipient: Some([9; 32]),
            seq: 123456,
            sent_ms: 1_790_000_000_000,
            ttl: 8,
            topic: "anchor/topic".into(),
            payload: k1.clone(),
            sig: vec![5; 64],
        };
        let cfg = bincode::config::standard();
        let v = bincode::encode_to_vec(&e, cfg)?;
        println!("# bincode envelope of 1 KiB payload: {} bytes", v.len());
        report("bincode 2.0.1 derive encode_to_vec", "op/s", runs, || {
            rate(secs, || {
                bb(bincode::encode_to_vec(bb(&e), cfg).unwrap());
            })
        });
        let mut buf = vec![0u8; 4096];
        report(
            "bincode 2.0.1 derive encode_into_slice",
            "op/s",
            runs,
            || {
                rate(secs, || {
                    bb(bincode::encode_into_slice(bb(&e), &mut buf, cfg).unwrap());
                })
            },
        );
        report("bincode 2.0.1 derive decode", "op/s", runs, || {
            rate(secs, || {
                bb(bincode::decode_from_slice::<Envelope, _>(bb(&v), cfg).unwrap());
            })
        });
        let vs = bincode::serde::encode_to_vec(&e, cfg)?;
        report("bincode 2.0.1 serde encode", "op/s", runs, || {
            rate(secs, || {
                bb(bincode::serde::encode_to_vec(bb(&e), cfg).unwrap());
            })
        });
        report("bincode 2.0.1 serde decode", "op/s", runs, || {
            rate(secs, || {
                bb(bincode::serde::decode_from_slice::<Envelope, _>(bb(&vs), cfg).unwrap());
            })
        });
    }
    if want("sqlite") {
        let dir = std::path::PathBuf::from(a.str("dir", "sqlite-tmp"));
        std::fs::create_dir_all(&dir)?;
        for sync in ["NORMAL", "FULL"] {
            let p = dir.join(format!("{sync}.db"));
            for s in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{s}", p.display()));
            }
            let mut c = rusqlite::Connection::open(&p)?;
            c.pragma_update(None, "journal_mode", "WAL")?;
            c.pragma_update(None, "synchronous", sync)?;
            c.execute_batch("create table msg(id blob primary key, sender blob not null, seq integer not null, at integer not null, body blob not null) without rowid; create index msg_at on msg(at);")?;
            let mut n = 0u64;
            let sql = "insert into msg values(?1,?2,?3,?4,?5)";
            let mut x = XorShift(5);
            report(
                &format!("rusqlite WAL {sync} insert 1KiB row, tx of 1000"),
                "row/s",
                runs,
                || {
                    let (t, c0) = (std::time::Instant::now(), thread_cpu());
                    for _ in 0..10 {
                        let tx = c.transaction().unwrap();
                        {
                            let mut st = tx.prepare_cached(sql).unwrap();
                            for _ in 0..1000 {
                                let mut id = [0u8; 32];
                                x.fill(&mut id);
                                n += 1;
                                st.execute(rusqlite::params![
                                    &id[..],
                                    &k1[..32],
                                    n as i64,
                                    n as i64,
                                    &k1[..]
                                ])
                                .unwrap();
                            }
                        }
                        tx.commit().unwrap();
                    }
                    println!(
                        "# cpu-time rate {:.0} row/s",
                        10_000.0 / (thread_cpu() - c0)
                    );
                    10_000.0 / t.elapsed().as_secs_f64()
                },
            );
            report(
                &format!("rusqlite WAL {sync} insert 1KiB row, tx of 1"),
                "row/s",
                runs,
                || {
                    let (t, c0) = (std::time::Instant::now(), thread_cpu());
                    let k = if sync == "FULL" { 300 } else { 3000 };
                    let mut st = c.prepare_cached(sql).unwrap();
                    for _ in 0..k {
                        let mut id = [0u8; 32];
                        x.fill(&mut id);
                        n += 1;
                        st.execute(rusqlite::params![
                            &id[..],
                            &k1[..32],
                            n as i64,
                            n as i64,
                            &k1[..]
                        ])
                        .unwrap();
                    }
                    println!(
                        "# cpu-time rate {:.0} row/s",
                        k as f64 / (thread_cpu() - c0)
                    );
                    k as f64 / t.elapsed().as_secs_f64()
                },
            );
            let ids: Vec<Vec<u8>> = c
                .prepare("select id from msg limit 5000")?
                .query_map([], |r| r.get(0))?
                .collect::<Result<_, _>>()?;
            let mut i = 0;
            report(
                &format!("rusqlite WAL {sync} point select 1KiB row"),
                "row/s",
                runs,
                || {
                    rate(secs, || {
                        let mut st = c
                            .prepare_cached("select body from msg where id=?1")
                            .unwrap();
                        let b: Vec<u8> = st.query_row([&ids[i]], |r| r.get(0)).unwrap();
                        bb(b);
                        i = (i + 7) % ids.len();
                    })
                },
            );
        }
        std::fs::remove_dir_all(&dir)?;
    }
    if want("musig2") {
        use musig2::{
            CompactSignature, FirstRound, KeyAggContext, PartialSignature, SecNonceSpices,
            secp256k1::{PublicKey, Secp256k1, SecretKey},
        };
        let secp = Secp256k1::new();
        let mut x = XorShift(77);
        let sks: Vec<SecretKey> = (0..3)
            .map(|_| {
                loop {
                    let mut b = [0u8; 32];
                    x.fill(&mut b);
                    if let Ok(k) = SecretKey::from_byte_array(b) {
                        break k;
                    }
                }
            })
            .collect();
        let pks: Vec<PublicKey> = sks.iter().map(|s| s.public_key(&secp)).collect();
        let msg = [3u8; 32];
        report("musig2 0.4 KeyAggContext::new 3 keys", "op/s", runs, || {
            rate(secs, || {
                bb(KeyAggContext::new(pks.clone()).unwrap());
            })
        });
        let ctx = KeyAggContext::new(pks.clone())?;
        let agg: PublicKey = ctx.aggregated_pubkey();
        let mut session = |verify: bool| {
            let mut r1: Vec<FirstRound> = (0..3)
                .map(|i| {
                    let mut s = [0u8; 32];
                    x.fill(&mut s);
                    FirstRound::new(
                        ctx.clone(),
                        s,
                        i,
                        SecNonceSpices::new().with_seckey(sks[i]).with_message(&msg),
                    )
                    .unwrap()
                })
                .collect();
            let pn: Vec<_> = r1.iter().map(|r| r.our_public_nonce()).collect();
            for i in 0..3 {
                for j in 0..3 {
                    if i != j {
                        r1[i].receive_nonce(j, pn[j].clone()).unwrap();
                    }
                }
            }
            let mut r2: Vec<_> = r1
                .into_iter()
                .enumerate()
                .map(|(i, r)| r.finalize(sks[i], msg).unwrap())
                .collect();
            let ps: Vec<PartialSignature> = r2.iter().map(|r| r.our_signature()).collect();
            for i in 0..3 {
                for j in 0..3 {
                    if i != j {
                        r2[i].receive_signature(j, ps[j]).unwrap();
                    }
                }
            }
            let sigs: Vec<CompactSignature> =
                r2.into_iter().map(|r| r.finalize().unwrap()).collect();
            if verify {
                for s in &sigs {
                    musig2::verify_single(agg, *s, msg).unwrap();
                }
            }
        };
        report(
            "musig2 0.4 3-party session (all 3 parties, each checks the partials and finalizes)",
            "session/s",
            runs,
            || rate(secs, || session(false)),
        );
        report(
            "musig2 0.4 3-party session + 3 final verifies",
            "session/s",
            runs,
            || rate(secs, || session(true)),
        );
    }
    if want("shamir") {
        let d = k1[..64].to_vec();
        report(
            "shamirsecretsharing 0.1.7 split 5-of-9 64B",
            "op/s",
            runs,
            || {
                rate(secs, || {
                    bb(shamirsecretsharing::create_shares(bb(&d), 9, 5).unwrap());
                })
            },
        );
        report(
            "shamirsecretsharing 0.1.7 split+combine 5-of-9 64B",
            "op/s",
            runs,
            || {
                rate(secs, || {
                    let s = shamirsecretsharing::create_shares(bb(&d), 9, 5).unwrap();
                    let r = shamirsecretsharing::combine_shares(&s[2..7])
                        .unwrap()
                        .unwrap();
                    assert_eq!(r, d);
                })
            },
        );
    }
    Ok(())
}
