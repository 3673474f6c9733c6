use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::code::{BITS, COLUMNS, QUIET, ROWS, TICK_MS, cells, shown, tick};
use super::square::{Point, Square};
use super::*;
use crate::time::{MediaSpan, UtcMs};

const NOW: UtcMs = UtcMs(1_795_171_920_000);

/// A picture of a code, as a camera makes it.
#[derive(Clone, Debug)]
struct Camera {
    size: (usize, usize),
    /// The white sheet's corners, from its upper left one on around it.
    sheet: [Point; 4],
    black: f32,
    white: f32,
    /// Pixels each way over which it is blurred.
    blur: usize,
    /// Most that noise adds or takes.
    noise: f32,
}

impl Camera {
    fn new(sheet: [Point; 4]) -> Camera {
        Camera { size: (320, 240), sheet, black: 30.0, white: 220.0, blur: 0, noise: 0.0 }
    }

    /// Upright, with its upper left corner here and cells of this size.
    fn upright(x: f32, y: f32, cell: f32) -> Camera {
        let (w, h) = ((COLUMNS + 2 * QUIET) as f32 * cell, (ROWS + 2 * QUIET) as f32 * cell);
        Camera::new([(x, y), (x + w, y), (x + w, y + h), (x, y + h)])
    }

    /// The picture of these ticks, each of which was shown for a part of it.
    fn films(&self, shown: &[(u32, f32)]) -> Vec<u8> {
        let (width, height) = self.size;
        let sheet = self.inverse();
        let mut levels: Vec<f32> = (0..width * height)
            .map(|at| {
                let (u, v) = sheet((at % width) as f32, (at / width) as f32);
                let column = u * (COLUMNS + 2 * QUIET) as f32 - QUIET as f32;
                let row = v * (ROWS + 2 * QUIET) as f32 - QUIET as f32;
                if !(0.0..1.0).contains(&u) || !(0.0..1.0).contains(&v) {
                    // The cloth.
                    return 90.0;
                }
                let light = |tick: u32| {
                    let (column, row) = (column.floor(), row.floor());
                    let dark = column >= 0.0
                        && row >= 0.0
                        && cells(tick)
                            .get(row as usize)
                            .and_then(|line| line.get(column as usize))
                            .is_some_and(|dark| *dark);
                    if dark { self.black } else { self.white }
                };
                shown.iter().map(|(tick, part)| light(*tick) * part).sum()
            })
            .collect();
        if self.blur > 0 {
            levels = self.blurred(&levels);
        }
        let mut random = 12345_u32;
        let noisy = |level: f32| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = ((random >> 16) as f32 / 32768.0 - 1.0) * self.noise;
            (level + noise).clamp(0.0, 255.0) as u8
        };
        levels.into_iter().map(noisy).collect()
    }

    /// Over each pixel's neighbours, along the rows and then along the columns.
    fn blurred(&self, levels: &[f32]) -> Vec<f32> {
        let ((width, height), blur) = (self.size, self.blur as isize);
        let along = |levels: &[f32], dx: isize, dy: isize| -> Vec<f32> {
            let mean = |n: usize| {
                let at = |step: isize| {
                    let x = ((n % width) as isize + step * dx).clamp(0, width as isize - 1);
                    let y = ((n / width) as isize + step * dy).clamp(0, height as isize - 1);
                    levels[y as usize * width + x as usize]
                };
                (-blur..=blur).map(at).sum::<f32>() / (2 * blur + 1) as f32
            };
            (0..levels.len()).map(mean).collect()
        };
        along(&along(levels, 1, 0), 0, 1)
    }

    /// From the picture to the sheet: what leads back is found by a few steps towards it.
    fn inverse(&self) -> impl Fn(f32, f32) -> Point {
        let square = Square::new(self.sheet).unwrap();
        move |x, y| {
            let (mut u, mut v) = (0.5, 0.5);
            for _ in 0..8 {
                let (here, step) = (square.at(u, v), 1e-3);
                let (right, lower) = (square.at(u + step, v), square.at(u, v + step));
                let (a, b) = ((right.0 - here.0) / step, (lower.0 - here.0) / step);
                let (c, d) = ((right.1 - here.1) / step, (lower.1 - here.1) / step);
                let (dx, dy, area) = (x - here.0, y - here.1, a * d - b * c);
                (u, v) = (u + (d * dx - b * dy) / area, v + (a * dy - c * dx) / area);
                (u, v) = (u.clamp(-2.0, 3.0), v.clamp(-2.0, 3.0));
            }
            (u, v)
        }
    }

    fn reads(&self, shown: &[(u32, f32)]) -> Option<u32> {
        find(&Picture::new(self.size.0, &self.films(shown)).unwrap())
    }
}

#[test]
fn ticks_go_up_with_time_and_differ_from_the_next_in_one_pair_of_cells() {
    assert_eq!(tick(UtcMs(0)), 0);
    assert_eq!(tick(NOW.plus_ms(TICK_MS)), tick(NOW) + 1);
    for at in [0, 1, 1000, (1 << BITS) - 2, (1 << BITS) - 1] {
        let next = cells((at + 1) % (1 << BITS));
        let changed = cells(at).iter().flatten().zip(next.iter().flatten()).filter(|(a, b)| a != b).count();
        assert_eq!(changed, 2, "{at}");
    }
}

#[test]
fn a_tick_is_taken_for_the_time_that_is_nearest_to_the_picture() {
    for ms in [-40_000_000, -5000, 0, 19, 20, 3000, 40_000_000] {
        let was = UtcMs(NOW.0.checked_add_signed(ms).unwrap());
        let told = shown(tick(was), NOW.media());
        assert!(told.0.abs_diff(was.0) <= TICK_MS / 2, "{ms}: {told} for {was}");
    }
    assert_eq!(shown(tick(UtcMs(0)), UtcMs(5).media()), UtcMs(TICK_MS / 2));
}

#[test]
fn an_upright_code_is_read_at_any_size() {
    for cell in [3.5, 4.0, 6.3, 10.0, 18.0] {
        let at = tick(NOW);
        assert_eq!(Camera::upright(20.3, 10.6, cell).reads(&[(at, 1.0)]), Some(at), "{cell}");
    }
}

#[test]
fn a_code_is_read_whichever_side_is_up() {
    let mut camera = Camera::upright(60.0, 40.0, 14.0);
    for _ in 0..4 {
        camera.sheet.rotate_left(1);
        assert_eq!(camera.reads(&[(4711, 1.0)]), Some(4711));
    }
    // In a mirror it is none.
    camera.sheet.swap(1, 3);
    assert_eq!(camera.reads(&[(4711, 1.0)]), None);
}

#[test]
fn a_picture_that_is_exposed_during_changes_gives_a_tick_between_them() {
    let camera = Camera::upright(30.0, 20.0, 12.0);
    for first in [0, 1, 7, 8, 4095, 1 << 20] {
        let half = camera.reads(&[(first, 0.5), (first + 1, 0.5)]).unwrap();
        assert!((first..=first + 1).contains(&half), "{half} of {first}");
        let thirds = camera.reads(&[(first, 0.34), (first + 1, 0.33), (first + 2, 0.33)]).unwrap();
        assert!((first..=first + 2).contains(&thirds), "{thirds} of {first}");
    }
    // What can't follow each other was never one code.
    assert_eq!(camera.reads(&[(0, 0.5), (1 << 12, 0.5)]), None);
    assert_eq!(camera.reads(&[(3, 0.5), (700_000, 0.5)]), None);
}

#[test]
fn what_is_no_code_is_not_read() {
    let of = |level: &dyn Fn(usize, usize) -> u8| -> Vec<u8> {
        (0..320 * 240).map(|at| level(at % 320, at / 320)).collect()
    };
    let stripes = of(&|x, y| if (x / 9 + y / 9) % 2 == 0 { 20 } else { 230 });
    let frame = of(&|x, y| {
        let edge = |at: usize, low: usize, high: usize| {
            (low..low + 8).contains(&at) || (high..high + 8).contains(&at)
        };
        let inside = (60..200).contains(&x) && (60..186).contains(&y);
        if inside && (edge(x, 60, 192) || edge(y, 60, 178)) { 20 } else { 230 }
    });
    for picture in [of(&|_, _| 0), of(&|_, _| 255), of(&|x, _| x as u8), stripes, frame] {
        assert_eq!(find(&Picture::new(320, &picture).unwrap()), None);
    }
    for (width, len) in [(0, 10), (3, 10), (4097, 4097), (1, 4097), (5, 0)] {
        assert!(Picture::new(width, &vec![0; len]).is_none(), "{width} of {len}");
    }
}

/// Sheets as cameras see them: turned, from the side, of several sizes, all of them in the picture.
fn cameras() -> impl Strategy<Value = Camera> {
    let corner = || (-0.06_f32..0.06, -0.06_f32..0.06);
    let placed = (0.0_f32..core::f32::consts::TAU, 60.0_f32..105.0, [corner(), corner(), corner(), corner()]);
    let seen = (0_usize..=1, 0.0_f32..14.0, 10.0_f32..70.0, 130.0_f32..250.0);
    (placed, seen).prop_map(|((turn, half, lean), (blur, noise, black, white))| {
        let (sin, cos) = turn.sin_cos();
        let sheet = [(-1.0, -0.9), (1.0, -0.9), (1.0, 0.9), (-1.0, 0.9)];
        let mut placed = [(0.0, 0.0); 4];
        for (n, (x, y)) in sheet.into_iter().enumerate() {
            let (x, y) = ((x + lean[n].0) * half * 0.72, (y + lean[n].1) * half * 0.72);
            placed[n] = (160.0 + x * cos - y * sin, 120.0 + x * sin + y * cos);
        }
        Camera { blur, noise, black, white, ..Camera::new(placed) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However it is filmed: the code is read, and as it was.
    #[test]
    fn a_code_is_read_as_it_was_shown(camera in cameras(), tick in 0_u32..1 << BITS) {
        prop_assert_eq!(camera.reads(&[(tick, 1.0)]), Some(tick));
    }

    /// Any picture is looked at without harm, and noise says nothing.
    #[test]
    fn noise_says_nothing(seed in any::<u32>(), width in 1_usize..200, height in 1_usize..200) {
        let mut random = seed;
        let levels: Vec<u8> = (0..width * height).map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 24) as u8
        }).collect();
        prop_assert_eq!(find(&Picture::new(width, &levels).unwrap()), None);
    }
}

/// What is filmed at 25 pictures a second, each so many milliseconds late.
fn filmed(late_ms: impl Fn(u64) -> i64, pictures: u64) -> Vec<(MediaTime, u32)> {
    (0..pictures)
        .map(|n| {
            let was = NOW.plus_ms(n * 40 + 3);
            (was.media() + MediaSpan::from_ms(late_ms(n)), tick(was))
        })
        .collect()
}

#[test]
fn the_delay_is_what_pictures_are_late_by() {
    for late_ms in [-1500, 0, 640, 9000] {
        let told = delay(filmed(|_| late_ms, 100), 100).unwrap();
        assert!((told.ms - late_ms).abs() <= 10 && told.spread_ms <= 20 && told.read == 100, "{told:?}");
    }
    // A few that were read wrongly change nothing.
    let told = delay(filmed(|n| if n % 20 == 0 { 30_000 } else { 500 }, 100), 300).unwrap();
    assert!((told.ms - 500).abs() <= 10, "{told:?}");
}

#[test]
fn a_delay_that_is_not_sure_is_refused_and_the_reason_says_what_to_do() {
    let words = |filmed, pictures| delay(filmed, pictures).unwrap_err().to_string();
    let few = words(filmed(|_| 500, 24), 150);
    assert!(few.contains("24 of 150") && few.contains("brighter"), "{few}");
    let wide = words(filmed(|n| if n % 2 == 0 { 500 } else { 900 }, 100), 100);
    assert!(wide.contains("smoothly"), "{wide}");
    let far = words(filmed(|_| 70_000, 100), 100);
    assert!(far.contains("this origin's page"), "{far}");
    assert_eq!(delay(Vec::new(), 0), Err(Unmeasured::Few { read: 0, pictures: 0 }));
}
