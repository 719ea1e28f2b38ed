//! How long is the way back?
//!
//! Hosts send with a TTL of 32, 64, 128 or 255, so what is left of it in an answer tells how many
//! routers it has crossed. A router's answer crosses those between it and here.

/// The length of the way back that an answer took, counted as a TTL is: 1 from the next router.
///
/// `hop_limit` is the TTL or hop limit left in the answer.
pub fn reverse_hops(hop_limit: u8) -> u8 {
    let initial = [32, 64, 128, u8::MAX];
    let initial = initial.into_iter().find(|initial| *initial >= hop_limit);
    (initial.unwrap_or(u8::MAX) - hop_limit).saturating_add(1)
}

/// How much longer the way back is than the way there; negative if it is shorter.
///
/// Not zero means that the two ways differ. Zero does not mean that they are the same.
pub fn asymmetry(ttl: u8, hop_limit: u8) -> i16 {
    i16::from(reverse_hops(hop_limit)) - i16::from(ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_counted_from_the_likeliest_initial_ttl() {
        for (hop_limit, expected) in [
            (64, 1),
            (63, 2),
            (255, 1),
            (244, 12),
            (128, 1),
            (119, 10),
            (32, 1),
            (30, 3),
            (1, 32),
            (0, 33),
        ] {
            assert_eq!(reverse_hops(hop_limit), expected, "ttl {hop_limit}");
        }
    }

    #[test]
    fn a_symmetric_way_has_no_asymmetry() {
        assert_eq!(asymmetry(2, 63), 0);
        assert_eq!(asymmetry(2, 60), 3);
        assert_eq!(asymmetry(12, 64), -11);
    }
}
