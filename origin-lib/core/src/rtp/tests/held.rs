use crate::rtp::{HELD_LEN_MAX, Held};

/// Adds packets of this length, with numbers from `first` on; what is the number behind them.
fn packets(held: &mut Held, first: u16, count: u16, len: usize) -> u16 {
    (0..count).for_each(|n| held.packet(first.wrapping_add(n), len));
    first.wrapping_add(count)
}

#[test]
fn units_that_come_out_as_they_went_in_leave_nothing_whatever_is_lost() {
    let mut held = Held::default();
    let mut number = 65_000;
    for n in 0..2000_usize {
        let first = number;
        number = packets(&mut held, first, 10, 1200);
        match n % 4 {
            // Two of its packets come in the wrong order, and one twice.
            0 => {
                held.packet(number.wrapping_add(1), 1200);
                held.packet(number, 1200);
                held.packet(first, 1200);
                number = number.wrapping_add(2);
                held.unit((first, number.wrapping_sub(1)), 12 * 1198 + 5);
            }
            // Lost: it never comes out.
            1 => number = number.wrapping_add(3),
            // Whole NAL units, which get a length each.
            _ => held.unit((first, number.wrapping_sub(1)), 10 * 1204),
        }
        assert!(held.is_empty(), "{n}");
    }
}

#[test]
fn what_never_comes_out_is_held_whether_units_come_of_it_or_fail() {
    for fails in [false, true] {
        let (mut held, mut number, mut units) = (Held::default(), 0, 0);
        while held.len() <= HELD_LEN_MAX {
            let first = number;
            number = packets(&mut held, first, 100, 1202);
            // A small one comes out beside it.
            held.packet(number, 50);
            number = number.wrapping_add(1);
            match fails {
                true => held.failed(),
                false => held.unit((first, number.wrapping_sub(1)), 54),
            }
            units += 1;
        }
        // Sixteen times 1024 of 1200 bytes each.
        assert!((138..=141).contains(&units), "{units}");
        // It comes out after all.
        let first = number;
        number = packets(&mut held, first, 1, 1202);
        held.unit((first, number.wrapping_sub(1)), held.len() + 1205);
        assert!(held.is_empty());
    }
}
