//! Finds a code in a picture, and reads it.

use super::code::{self, COLUMNS, HEAD, ROWS};
use super::shapes::{self, Shape, Sums};
use super::square::{Square, corners};

/// The longest side of a picture, in pixels.
pub const SIDE_MAX: usize = 4096;

/// The shortest side of a code, in pixels: three for a cell.
const SHAPE_MIN: u32 = 27;

/// How far around a pixel it is compared, in pixels: for codes that are small, and for larger ones.
const AROUND: [usize; 3] = [24, 80, 240];

/// How much lighter white is than black, at least, of 255.
const CONTRAST_MIN: f32 = 24.0;

/// A picture in grey: 0 is black.
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    width: usize,
    levels: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Of these pixels, row by row. `None` where they don't make up rows, or a side has none or more than [`SIDE_MAX`].
    pub fn new(width: usize, levels: &'a [u8]) -> Option<Picture<'a>> {
        let height = levels.len().checked_div(width)?;
        let sides = [width, height].iter().all(|side| (1..=SIDE_MAX).contains(side));
        (sides && width * height == levels.len()).then_some(Picture { width, levels })
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.levels.len() / self.width
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'a [u8]> {
        self.levels.chunks_exact(self.width)
    }

    /// The level at a point; the nearest pixel's where it lies outside.
    fn level(&self, x: f32, y: f32) -> f32 {
        // What is below zero, or no number, is cast to zero.
        let inside = |at: f32, side: usize| ((at + 0.5) as usize).min(side - 1);
        let at = inside(y, self.height()) * self.width + inside(x, self.width);
        f32::from(self.levels.get(at).copied().unwrap_or_default())
    }
}

/// The tick of the code that is in the picture, if one can be read.
///
/// It may be turned any way, seen from the side within reason, blurred, and of any size from three pixels a cell on. A
/// picture that was exposed during up to two changes of the code gives a tick between them.
pub fn find(picture: &Picture<'_>) -> Option<u32> {
    let sums = Sums::of(picture);
    AROUND.iter().find_map(|around| {
        let mut shapes = shapes::dark(picture, &sums, *around);
        shapes.retain(could_be);
        shapes.iter().find_map(|shape| read(picture, shape))
    })
}

/// Whether a shape may be a code's frame, by its sides.
fn could_be(shape: &Shape) -> bool {
    let [left, top, right, bottom] = shape.within;
    let (width, height) = (right - left + 1, bottom - top + 1);
    width >= SHAPE_MIN && height >= SHAPE_MIN && width <= height * 3 && height <= width * 3
}

fn read(picture: &Picture<'_>, shape: &Shape) -> Option<u32> {
    let corners = corners(shape);
    (0..corners.len()).find_map(|turns| {
        let mut corners = corners;
        corners.rotate_left(turns);
        read_cells(&cells(picture, &Square::new(corners)?))
    })
}

/// How light each cell is.
fn cells(picture: &Picture<'_>, square: &Square) -> [[f32; COLUMNS]; ROWS] {
    const OFF: [f32; 3] = [-0.2, 0.0, 0.2];
    let mut levels = [[0.0; COLUMNS]; ROWS];
    for (row, line) in levels.iter_mut().enumerate() {
        for (column, level) in line.iter_mut().enumerate() {
            let mut sum = 0.0;
            for (dx, dy) in OFF.iter().flat_map(|dx| OFF.map(|dy| (dx, dy))) {
                let u = (column as f32 + 0.5 + dx) / COLUMNS as f32;
                let (x, y) = square.at(u, (row as f32 + 0.5 + dy) / ROWS as f32);
                sum += picture.level(x, y);
            }
            *level = sum / 9.0;
        }
    }
    levels
}

/// The tick that these cells show: the frame and the head must be what they are in every code.
fn read_cells(levels: &[[f32; COLUMNS]; ROWS]) -> Option<u32> {
    let frame =
        |row: usize, column: usize| row == 0 || row == ROWS - 1 || column == 0 || column == COLUMNS - 1;
    let all = || {
        levels
            .iter()
            .enumerate()
            .flat_map(|(y, row)| row.iter().enumerate().map(move |(x, level)| (y, x, *level)))
    };
    let head = || {
        levels
            .get(1)
            .into_iter()
            .flat_map(|row| row.iter().skip(1).zip(HEAD))
            .map(|(level, dark)| (*level, dark))
    };
    let mean = |levels: &mut dyn Iterator<Item = f32>| {
        let (sum, count) = levels.fold((0.0, 0.0), |(sum, count), level| (sum + level, count + 1.0));
        sum / count
    };
    let black = mean(&mut all().filter(|(y, x, _)| frame(*y, *x)).map(|(_, _, level)| level));
    let white = mean(&mut head().filter(|(_, dark)| !dark).map(|(level, _)| level));
    let (contrast, between) = (white - black, (white + black) / 2.0);
    let right = all().filter(|(y, x, _)| frame(*y, *x)).all(|(_, _, level)| level < between)
        && head().all(|(level, dark)| (level < between) == dark);
    if contrast < CONTRAST_MIN || !right {
        return None;
    }
    // Half of it: what is less clear may have been either, or both one after the other.
    let clear = contrast / 2.0;
    code::read(code::pairs(levels).map(|darker| match darker {
        darker if darker >= clear => Some(true),
        darker if darker <= -clear => Some(false),
        _ => None,
    }))
}
