//! Dark shapes of a picture, as their runs of pixels in each row.

use alloc::vec;
use alloc::vec::Vec;

use super::find::Picture;

/// The most runs of a picture that are looked at. One of noise has more, and no code that could be read.
const RUNS_MAX: usize = 200_000;

/// Neighbouring dark pixels of a row: from `start` up to `end`, which is not one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) y: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What belongs together.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) runs: Vec<Run>,
    /// Left, top, right and bottom pixels, all of them in it.
    pub(super) within: [u32; 4],
}

/// Sums over rectangles of a picture in four steps.
pub(super) struct Sums {
    width: usize,
    sums: Vec<u64>,
}

impl Sums {
    pub(super) fn of(picture: &Picture<'_>) -> Sums {
        let width = picture.width() + 1;
        let mut sums = vec![0; width];
        for row in picture.rows() {
            let (mut sum, above) = (0_u64, sums.len() - width);
            sums.push(0);
            for (x, level) in row.iter().enumerate() {
                sum += u64::from(*level);
                let above = sums.get(above + x + 1).copied().unwrap_or_default();
                sums.push(above + sum);
            }
        }
        Sums { width, sums }
    }

    /// The mean of the pixels from (`left`, `top`) up to (`right`, `bottom`).
    fn mean(&self, [left, top, right, bottom]: [usize; 4]) -> u64 {
        let at = |x: usize, y: usize| self.sums.get(y * self.width + x).copied().unwrap_or_default();
        let sum = (at(right, bottom) + at(left, top)) - (at(left, bottom) + at(right, top));
        let count = ((right - left) * (bottom - top)) as u64;
        sum / count.max(1)
    }
}

/// The shapes that are darker than what surrounds each pixel by so many pixels each way.
pub(super) fn dark(picture: &Picture<'_>, sums: &Sums, around: usize) -> Vec<Shape> {
    let (width, height) = (picture.width(), picture.height());
    let mut runs: Vec<Run> = Vec::new();
    let mut parents: Vec<usize> = Vec::new();
    let (mut above, mut row_begins) = (0, 0);
    for (y, row) in picture.rows().enumerate() {
        let (top, bottom) = (y.saturating_sub(around), (y + around + 1).min(height));
        let mut start = None;
        for x in 0..=width {
            let is_dark = row.get(x).is_some_and(|level| {
                let (left, right) = (x.saturating_sub(around), (x + around + 1).min(width));
                let (level, mean) = (u64::from(*level), sums.mean([left, top, right, bottom]));
                level + 6 < mean && level * 8 < mean * 7
            });
            match (is_dark, start) {
                (true, None) => start = Some(x),
                (false, Some(from)) => {
                    if runs.len() >= RUNS_MAX {
                        return Vec::new();
                    }
                    // A picture's side has at most 4096 pixels.
                    let [y, start, end] = [y, from, x].map(|n| n as u32);
                    parents.push(runs.len());
                    runs.push(Run { y, start, end });
                }
                _ => {}
            }
            if !is_dark {
                start = None;
            }
        }
        join(&runs, &mut parents, above, row_begins);
        (above, row_begins) = (row_begins, runs.len());
    }
    gather(runs, &mut parents)
}

/// Joins the runs from `begin` on with those of the row above, from `above` on, that they touch.
fn join(runs: &[Run], parents: &mut [usize], above: usize, begin: usize) {
    let mut first = above;
    for (n, run) in runs.iter().enumerate().skip(begin) {
        let mut other = first;
        while let Some(upper) = runs.get(other).filter(|upper| other < begin && upper.start < run.end) {
            if upper.y + 1 == run.y && upper.end > run.start {
                let (a, b) = (root(parents, other), root(parents, n));
                if let Some(parent) = parents.get_mut(a.max(b)) {
                    *parent = a.min(b);
                }
            }
            if upper.end <= run.start {
                first = other + 1;
            }
            other += 1;
        }
    }
}

/// The first run of the shape that a run belongs to. What is walked is made shorter.
fn root(parents: &mut [usize], run: usize) -> usize {
    let mut at = run;
    while let Some(parent) = parents.get(at).copied().filter(|parent| *parent != at) {
        let further = parents.get(parent).copied().unwrap_or(parent);
        if let Some(slot) = parents.get_mut(at) {
            *slot = further;
        }
        at = parent;
    }
    at
}

fn gather(runs: Vec<Run>, parents: &mut [usize]) -> Vec<Shape> {
    let mut places = vec![usize::MAX; runs.len()];
    let mut shapes: Vec<Shape> = Vec::new();
    for (n, run) in runs.into_iter().enumerate() {
        let root = root(parents, n);
        let Some(place) = places.get_mut(root) else { continue };
        if *place == usize::MAX {
            *place = shapes.len();
            shapes.push(Shape { runs: Vec::new(), within: [run.start, run.y, run.end - 1, run.y] });
        }
        let Some(shape) = shapes.get_mut(*place) else { continue };
        let [left, top, right, bottom] = shape.within;
        shape.within = [left.min(run.start), top.min(run.y), right.max(run.end - 1), bottom.max(run.y)];
        shape.runs.push(run);
    }
    shapes
}
