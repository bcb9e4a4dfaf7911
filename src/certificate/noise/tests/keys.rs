//! Keys, secrets and streams: published vectors, redacted text, and independence of order.

use super::samples::{counting_key, noise};
use crate::certificate::noise::{NoiseKey, NoiseSecret, NoiseStream, NoiseTable};

/// `count` bytes of the stream, as hexadecimal digits.
fn hex(mut stream: NoiseStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.fill_bytes(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 8439, appendix A.1, vectors 1, 2 and 5. In vector 5 the RFC's nonce ends in 2, which is bit
/// 57 of the stream number.
#[test]
fn the_stream_is_chacha20() {
    let zero = NoiseKey::from_bytes([0; 32]);
    assert_eq!(
        hex(NoiseStream::new(&zero, 0), 128),
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7\
         da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586\
         9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
         29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    );
    assert_eq!(
        hex(NoiseStream::new(&zero, 0x0200_0000_0000_0000), 64),
        "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7\
         8a970e0e955c14f3a88e741b97c286f75f8fc299e8148362fa198a39531bed6d"
    );
}

#[test]
fn coordinate_i_takes_the_ith_word() {
    let table = NoiseTable::new(63.75).unwrap();
    let mut bytes = vec![0; 8 * 1500];
    NoiseStream::new(&counting_key(), 11).fill_bytes(&mut bytes);
    let words = bytes
        .chunks_exact(8)
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    let expected: Vec<i32> = words.map(|word| table.sample(word)).collect();
    assert_eq!(noise(&table, &counting_key(), 11, 1500), expected);
    // A shorter row is a prefix of a longer one, at any length.
    for length in [0, 1, 7, 8, 511, 512, 513, 1024, 1499] {
        assert_eq!(noise(&table, &counting_key(), 11, length), expected[..length]);
    }
}

#[test]
fn a_vote_does_not_depend_on_earlier_votes() {
    let table = NoiseTable::new(63.75).unwrap();
    let draw = |vote| noise(&table, &counting_key(), vote, 600);
    let forward: Vec<_> = (0..16).map(draw).collect();
    let mut backward: Vec<_> = (0..16).rev().map(draw).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(
        noise(&NoiseTable::new(63.75).unwrap(), &counting_key(), 3, 600),
        forward[3]
    );
    for (index, vote) in forward.iter().enumerate() {
        assert!(!forward[..index].contains(vote), "vote {index} repeats another");
    }
}

#[test]
fn each_request_has_its_own_key_and_the_same_one_again() {
    let secret = NoiseSecret::new([7; 32]);
    let numbers = (0..1000).chain([u64::MAX, 1 << 32, 1 << 63]);
    let keys: std::collections::HashSet<[u8; 32]> = numbers.map(|number| *secret.derive(number).as_bytes()).collect();
    assert_eq!(keys.len(), 1003);
    assert_eq!(NoiseSecret::new([7; 32]).derive(5), secret.derive(5));
    assert_ne!(NoiseSecret::new([8; 32]).derive(5), secret.derive(5));
    assert!(!keys.contains(&[7; 32]), "no key is the secret");
}

/// The derivation is part of the format: a change would make it impossible to reproduce old
/// certificates from a stored secret.
#[test]
fn the_derivation_is_pinned() {
    let key = NoiseSecret::new([0; 32]).derive(0x0200_0000_0000_0000);
    let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "c2c64d378cd536374ae204b9ef933fcd1a8b2288b3dfa49672ab765b54ee27c7");
}

#[test]
fn neither_key_nor_secret_shows_in_a_log() {
    let texts = [
        format!("{:?}", NoiseKey::from_bytes([0xAB; 32])),
        format!("{:#?}", NoiseKey::from_bytes([0xAB; 32])),
        format!("{:?}", NoiseSecret::new([0xAB; 32])),
        format!("{:#?}", NoiseSecret::new([0xAB; 32])),
    ];
    for text in texts {
        assert!(text.ends_with("(redacted)"), "{text}");
        assert!(
            !text.contains("171") && !text.to_lowercase().contains("ab,") && !text.contains("abab"),
            "{text}"
        );
    }
}
