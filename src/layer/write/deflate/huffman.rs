//! Huffman codes (RFC 1951 section 3.2.2): frequencies to code lengths of limited size, and lengths to codes.

/// Room for every alphabet.
const ROOM: usize = 512;
/// A leaf is its weight and below that its symbol: sorted by weight, then by symbol.
const SYMBOL_BITS: u32 = 16;

/// Code lengths for `frequencies`, none above `limit`, written to `lengths`; a symbol that does not occur has length 0.
/// At least two symbols get a code, so that every code is complete: where fewer occur, the first ones are taken in.
///
/// The lengths are those of a Huffman tree in which, of equal weights, leaves come before inner nodes, and earlier symbols
/// before later ones. If it is too deep, leaves below the limit are raised to it, and for the room that this takes others
/// are lowered: each time one of the longest codes that is still shorter than the limit grows by a bit. Then the rarest
/// symbols get the longest codes.
pub fn lengths(frequencies: &[u32], limit: usize, lengths: &mut [u8]) {
    lengths.fill(0);
    let mut leaves = [0u64; ROOM];
    let mut count = 0;
    let mut add = |weight: u64, symbol: usize| {
        if let Some(leaf) = leaves.get_mut(count) {
            *leaf = weight << SYMBOL_BITS | symbol as u64;
            count += 1;
        }
    };
    let used = frequencies.iter().filter(|frequency| **frequency != 0).count();
    let mut missing = 2usize.saturating_sub(used);
    for (symbol, frequency) in frequencies.iter().enumerate() {
        if *frequency != 0 {
            add(u64::from(*frequency), symbol);
        } else if missing > 0 {
            missing -= 1;
            add(1, symbol);
        }
    }
    let leaves = leaves.get_mut(..count).unwrap_or_default();
    leaves.sort_unstable();

    let mut at_depth = [0usize; 64];
    depths(leaves, &mut at_depth);
    limit_depths(&mut at_depth, limit);

    let mut rarest = leaves.iter().map(|leaf| (leaf & ((1 << SYMBOL_BITS) - 1)) as usize);
    for depth in (1..=limit).rev() {
        for symbol in rarest.by_ref().take(at_depth[depth % 64]) {
            if let Some(length) = lengths.get_mut(symbol) {
                *length = depth as u8;
            }
        }
    }
}

/// How many leaves of the Huffman tree are at each depth. Weights below 2^32 keep it less than 64 deep.
fn depths(leaves: &[u64], at_depth: &mut [usize; 64]) {
    // Inner nodes come into being in the order of their weight, so that two queues do for a heap. Numbers of nodes are
    // taken modulo the size of the arrays, which they never reach.
    let mut weights = [0u64; ROOM];
    let mut parents = [0usize; ROOM];
    let mut leaf_parents = [0usize; ROOM];
    let (mut leaf, mut inner) = (0, 0);
    let nodes = leaves.len().saturating_sub(1);
    for node in 0..nodes {
        let mut weight = 0;
        for _ in 0..2 {
            match leaves.get(leaf).map(|leaf| leaf >> SYMBOL_BITS) {
                Some(next) if inner >= node || next <= weights[inner % ROOM] => {
                    weight += next;
                    leaf_parents[leaf % ROOM] = node;
                    leaf += 1;
                }
                _ => {
                    weight += weights[inner % ROOM];
                    parents[inner % ROOM] = node;
                    inner += 1;
                }
            }
        }
        weights[node % ROOM] = weight;
    }
    // The root is the last node, and each node's parent is later than it.
    let mut depth = [0usize; ROOM];
    for node in (0..nodes.saturating_sub(1)).rev() {
        depth[node % ROOM] = depth[parents[node % ROOM] % ROOM] + 1;
    }
    for parent in leaf_parents.iter().take(leaves.len()) {
        at_depth[(depth[parent % ROOM] + 1) % 64] += 1;
    }
}

/// Makes the code fit the limit and stay complete.
fn limit_depths(at_depth: &mut [usize; 64], limit: usize) {
    let deeper: usize = at_depth[limit + 1..].iter().sum();
    if deeper == 0 {
        return;
    }
    // In units of a code of `limit` bits: what the codes take, and what there is.
    let below: usize = (1..limit).map(|depth| at_depth[depth] << (limit - depth)).sum();
    at_depth[limit + 1..].fill(0);
    at_depth[limit] += deeper;
    let mut excess = (below + at_depth[limit]).saturating_sub(1 << limit);
    while excess > 0 {
        // A leaf at `depth` makes room for itself and one of the leaves at the limit: that saves one unit.
        let Some(depth) = (1..limit).rev().find(|depth| at_depth[*depth] > 0) else { return };
        at_depth[depth] -= 1;
        at_depth[depth + 1] += 2;
        at_depth[limit] -= 1;
        excess -= 1;
    }
}

/// The codes for code lengths, the first bit lowest, as deflate sends them.
pub fn codes(lengths: &[u8], codes: &mut [u16]) {
    let mut count = [0u16; 16];
    for length in lengths {
        count[usize::from(*length & 15)] += 1;
    }
    count[0] = 0;
    let mut next = [0u16; 17];
    for length in 1..16 {
        next[length] = (next[length - 1].wrapping_add(count[length - 1])) << 1;
    }
    for (length, code) in lengths.iter().zip(codes) {
        let next = &mut next[usize::from(*length & 15)];
        *code = if *length == 0 { 0 } else { next.reverse_bits() >> (16 - u32::from(*length & 15)) };
        *next = next.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {

    fn kraft(lengths: &[u8]) -> u32 {
        lengths.iter().filter(|length| **length != 0).map(|length| 1 << (15 - u32::from(*length))).sum()
    }

    #[test]
    fn codes_are_complete_and_within_the_limit() {
        let fibonacci: Vec<u32> = (0..40)
            .scan((1, 1), |(a, b), _| {
                (*a, *b) = (*b, *a + *b);
                Some(*a)
            })
            .collect();
        let all: Vec<u32> = (0..286).map(|n| n * n + 1).collect();
        for limit in [7, 15] {
            for frequencies in [&fibonacci[..], &all, &[1; 30], &[0, 5, 0], &[0; 19], &[3, 3]] {
                let mut lengths = vec![0; frequencies.len()];
                if frequencies.len() > 1 << limit {
                    continue;
                }
                super::lengths(frequencies, limit, &mut lengths);
                assert_eq!(kraft(&lengths), 1 << 15, "{frequencies:?}");
                assert!(lengths.iter().all(|length| usize::from(*length) <= limit));
                let missing =
                    frequencies.iter().zip(&lengths).any(|(frequency, length)| *frequency != 0 && *length == 0);
                assert!(!missing);
            }
        }
    }

    #[test]
    fn ties_are_broken_by_the_symbol() {
        // A tree of three: the two rarest are one deeper, and of equals the first ones count as rarer.
        let mut lengths = [0; 3];
        super::lengths(&[1, 1, 1], 15, &mut lengths);
        assert_eq!(lengths, [2, 2, 1]);
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        // The example of RFC 1951 section 3.2.2; the first bit of a code is lowest here.
        let mut codes = [0; 8];
        super::codes(&[3, 3, 3, 3, 3, 2, 4, 4], &mut codes);
        assert_eq!(codes, [0b010, 0b110, 0b001, 0b101, 0b011, 0b00, 0b0111, 0b1111]);
    }
}
