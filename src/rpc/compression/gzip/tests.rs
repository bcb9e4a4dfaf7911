use std::cell::Cell;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::rpc::compression::fuzzing::pack;

const LIMIT: usize = 1 << 20;

/// Unpacks, and returns the largest capacity too.
fn unpack_within(packed: &[u8], longest: usize) -> (Result<Vec<u8>, UnpackError<Infallible>>, usize) {
    let largest = Cell::new(0);
    let grow = |capacity| {
        assert!(capacity > largest.get());
        largest.set(capacity);
        Ok(())
    };
    (unpack(packed, longest, grow, || false), largest.get())
}

fn is_invalid<T: std::fmt::Debug>(result: &Result<T, UnpackError<Infallible>>) -> bool {
    matches!(result, Err(UnpackError::Invalid(_)))
}

#[test]
fn messages_of_every_size_unpack_to_themselves() {
    for length in [0, 1, 11, 16_378, 16_379, 16_380, 70_000, LIMIT] {
        let content: Vec<u8> = (0..length).map(|index| ((index * index) >> 3) as u8).collect();
        let (unpacked, capacity) = unpack_within(&pack(&content), LIMIT);
        let unpacked = unpacked.unwrap();
        let (prefix, rest) = unpacked.split_at(PREFIX_BYTES);
        assert_eq!(prefix[0], 0);
        assert_eq!(prefix[1..], u32::try_from(length).unwrap().to_be_bytes());
        assert_eq!(rest, content);
        assert_eq!(capacity, PREFIX_BYTES + length);
    }
}

#[test]
fn a_message_over_the_limit_is_refused_before_it_is_unpacked() {
    let packed = pack(&vec![0; LIMIT + 1]);
    assert!(packed.len() < 2048);
    let (unpacked, capacity) = unpack_within(&packed, LIMIT);
    assert!(
        matches!(unpacked, Err(UnpackError::TooLong(length)) if length == LIMIT + 1),
        "{unpacked:?}"
    );
    assert_eq!(capacity, 0, "nothing is reserved");
}

#[test]
fn a_false_length_ends_the_message_where_it_differs() {
    let mut packed = pack(&vec![0; LIMIT]);
    let trailer = packed.len() - 4;
    packed[trailer..].copy_from_slice(&1000_u32.to_le_bytes());
    let (unpacked, capacity) = unpack_within(&packed, LIMIT);
    assert!(is_invalid(&unpacked), "{unpacked:?}");
    assert_eq!(capacity, PREFIX_BYTES + 1000);

    // A declared length reserves nothing beyond twice what is there.
    let mut packed = pack(&[7; 100]);
    let trailer = packed.len() - 4;
    packed[trailer..].copy_from_slice(&u32::try_from(LIMIT).unwrap().to_le_bytes());
    let (unpacked, capacity) = unpack_within(&packed, LIMIT);
    assert!(is_invalid(&unpacked), "{unpacked:?}");
    assert_eq!(capacity, FIRST_CAPACITY);
}

#[test]
fn bytes_beside_one_member_are_refused() {
    let member = pack(b"message");
    for wrong in [
        Vec::new(),
        vec![0; 19],
        member[..member.len() - 1].to_vec(),
        [&member[..], &member].concat(),
        // Each end declares the right length.
        [&member[..], b"\x07\0\0\0"].concat(),
        [&member[..], b"anything\x07\0\0\0"].concat(),
        [b"x", &member[..]].concat(),
    ] {
        let (unpacked, _) = unpack_within(&wrong, LIMIT);
        assert!(is_invalid(&unpacked), "{wrong:?}: {unpacked:?}");
    }
}

#[test]
fn memory_and_departure_end_the_work() {
    let packed = pack(&vec![0; LIMIT]);
    let limited = |capacity| if capacity > 100_000 { Err(capacity) } else { Ok(()) };
    let refused = unpack(&packed, LIMIT, limited, || false);
    assert!(
        matches!(refused, Err(UnpackError::NoMemory(capacity)) if capacity > 100_000),
        "{refused:?}"
    );
    let left = unpack(&packed, LIMIT, |_| Ok::<_, Infallible>(()), || true);
    assert!(matches!(left, Err(UnpackError::CallerLeft)), "{left:?}");
}

proptest! {
    /// A damaged message is refused or unpacks to what it was, because its bytes are checked.
    #[test]
    fn damage_is_found(content in prop::collection::vec(any::<u8>(), 0..5000), place in any::<prop::sample::Index>(), bits in 1..=255_u8) {
        let mut packed = pack(&content);
        let place = place.index(packed.len());
        packed[place] ^= bits;
        let (unpacked, capacity) = unpack_within(&packed, LIMIT);
        prop_assert!(capacity <= PREFIX_BYTES + LIMIT);
        if let Ok(unpacked) = unpacked {
            prop_assert_eq!(&unpacked[PREFIX_BYTES..], &content[..]);
        }
    }
}
