use http::uri::Authority;
use proptest::prelude::*;

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SOCKET: &str = "%2Frun%2Fcertimix.sock";
const REPLACED: &str = "-2Frun-2Fcertimix.sock";

fn frame(code: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[code, flags, 0, 0, 0, 1], payload].concat()
}

/// A string without Huffman code. Lengths from 127 have a second byte.
fn string(text: &str) -> Vec<u8> {
    match u8::try_from(text.len()).unwrap() {
        length if length < 127 => [&[length], text.as_bytes()].concat(),
        length => [&[127, length - 127], text.as_bytes()].concat(),
    }
}

/// A block with the authority `text`, which `name` begins, between other fields.
fn block(name: &[u8], text: &str) -> Vec<u8> {
    [
        // `:method: POST` and `:scheme: http`, and the size of the table.
        &[0x83, 0x86, 0x3f, 0xe1, 0x1f][..],
        // A path, which stays as it is.
        &[0x44],
        &string("/certimix.v1.MixedClassifier/Predict"),
        name,
        &string(text),
        // A literal that is never indexed, and one whose name is as long as that of the authority.
        &[0x10],
        &string("te"),
        &string("trailers"),
        &[0x40],
        &string(":authoritx"),
        &string("a:b"),
    ]
    .concat()
}

/// The names of an authority: its index with and without indexing, and the literal.
fn names() -> Vec<Vec<u8>> {
    vec![vec![0x41], vec![0x01], [&[0x40][..], &string(":authority")].concat()]
}

fn rewritten(bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut rewriter = AuthorityRewriter::new();
    let mut bytes = bytes.to_vec();
    for piece in bytes.chunks_mut(piece) {
        rewriter.rewrite(piece);
    }
    bytes
}

#[test]
fn only_the_authority_is_replaced_wherever_the_bytes_are_split() {
    let long = "a:1,".repeat(60);
    for (text, expected) in [(SOCKET, REPLACED), (long.as_str(), &"a-1-".repeat(60))] {
        for name in names() {
            let (sent, expected) = (block(&name, text), block(&name, expected));
            let half = sent.len() / 2;
            let framed = |block: &[u8]| {
                let padded = [&[7][..], &[0; 5], &block[..half], &[0x41; 7]].concat();
                [
                    PREFACE.to_vec(),
                    frame(4, 0, &[]),
                    // One frame, and one that is padded, has a priority and is continued.
                    frame(1, 4, block),
                    frame(0, 1, &[&[0x41][..], &string(SOCKET)].concat()),
                    frame(1, 8 | 32, &padded),
                    frame(9, 4, &block[half..]),
                ]
                .concat()
            };
            for piece in [1, 2, 3, 7, 4096] {
                assert_eq!(rewritten(&framed(&sent), piece), framed(&expected), "{name:?} {piece}");
            }
        }
    }
}

#[test]
fn the_http_library_accepts_every_replaced_authority() {
    for text in [
        SOCKET,
        "127.0.0.1:50051,127.0.0.1:50052",
        "[::1]:50051",
        "user@host:80",
        "a b\u{e9}",
        "%",
    ] {
        let name = [0x41];
        let bytes = [PREFACE, &frame(1, 4, &[&name[..], &string(text)].concat())].concat();
        let found = rewritten(&bytes, bytes.len());
        let value = &found[found.len() - text.len()..];
        Authority::try_from(value).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn huffman_code_stays_as_it_is() {
    // RFC 7541, C.4.1: `:authority: www.example.com`.
    let block = [
        0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ];
    let bytes = [PREFACE, &frame(1, 4, &block)].concat();
    assert_eq!(rewritten(&bytes, 5), bytes);
}

proptest! {
    /// Foreign bytes change at most some characters, and the pieces in which they come do not matter.
    #[test]
    fn no_bytes_cause_a_panic(
        frames in prop::collection::vec(
            (0_u8..=12, any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)),
            1..12,
        ),
        piece in 1_usize..64,
    ) {
        let frames = frames.iter().map(|(code, flags, payload)| frame(*code, *flags, payload));
        let bytes = [PREFACE.to_vec(), frames.collect::<Vec<_>>().concat()].concat();
        let whole = rewritten(&bytes, bytes.len());
        prop_assert_eq!(&rewritten(&bytes, piece), &whole);
        for (found, sent) in whole.iter().zip(&bytes) {
            prop_assert!(found == sent || *found == b'-');
        }
    }
}
