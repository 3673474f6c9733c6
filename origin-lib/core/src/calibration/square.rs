//! Four corners of a picture, and what lies between them: a rectangle as a camera sees it.

use super::shapes::Shape;

/// A point of a picture, in pixels.
pub(super) type Point = (f32, f32);

/// Leads from a rectangle, whose corners are (0, 0), (1, 0), (1, 1) and (0, 1), to a picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Square([f32; 8]);

impl Square {
    /// The rectangle whose corners these are, in this order. `None` where three of them are on a line.
    pub(super) fn new([a, b, c, d]: [Point; 4]) -> Option<Square> {
        let sum = (a.0 - b.0 + c.0 - d.0, a.1 - b.1 + c.1 - d.1);
        let (right, lower) = ((b.0 - c.0, b.1 - c.1), (d.0 - c.0, d.1 - c.1));
        let cross = |(u, v): Point, (x, y): Point| u * y - x * v;
        let area = cross(right, lower);
        // Less than a pixel.
        if area.is_nan() || (-1.0..=1.0).contains(&area) {
            return None;
        }
        let (g, h) = (cross(sum, lower) / area, cross(right, sum) / area);
        Some(Square([
            b.0 - a.0 + g * b.0,
            d.0 - a.0 + h * d.0,
            a.0,
            b.1 - a.1 + g * b.1,
            d.1 - a.1 + h * d.1,
            a.1,
            g,
            h,
        ]))
    }

    /// Where a point of the rectangle is in the picture.
    pub(super) fn at(&self, u: f32, v: f32) -> Point {
        let [a, b, c, d, e, f, g, h] = self.0;
        let depth = g * u + h * v + 1.0;
        ((a * u + b * v + c) / depth, (d * u + e * v + f) / depth)
    }
}

/// The corners of a shape that is a rectangle as a camera sees it, one after the other around it.
///
/// What is furthest from its middle is a corner, what is furthest from that the one opposite, and the other two are
/// furthest from the line between them.
pub(super) fn corners(shape: &Shape) -> [Point; 4] {
    let [left, top, right, bottom] = shape.within.map(i64::from);
    let ends = || {
        shape.runs.iter().flat_map(|run| {
            let y = i64::from(run.y);
            [(i64::from(run.start), y), (i64::from(run.end) - 1, y)]
        })
    };
    let furthest = |of: &dyn Fn((i64, i64)) -> i64| ends().max_by_key(|end| of(*end)).unwrap_or_default();
    let square = |x: i64, y: i64| x * x + y * y;
    let first = furthest(&|(x, y)| square(2 * x - left - right, 2 * y - top - bottom));
    let third = furthest(&|(x, y)| square(x - first.0, y - first.1));
    let side = |(x, y): (i64, i64)| (third.0 - first.0) * (y - first.1) - (third.1 - first.1) * (x - first.0);
    let (second, fourth) = (furthest(&|end| -side(end)), furthest(&side));
    let middle = ((left + right) as f32 / 2.0, (top + bottom) as f32 / 2.0);
    // A pixel's outer edge is half a pixel beyond its middle.
    let out = |at: f32, middle: f32| if at < middle { at - 0.5 } else { at + 0.5 };
    [first, second, third, fourth].map(|(x, y)| (out(x as f32, middle.0), out(y as f32, middle.1)))
}
