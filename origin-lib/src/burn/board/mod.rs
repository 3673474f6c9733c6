//! The board that is drawn into a picture: a theme, what it says, and its pixels.

mod draw;
mod layout;
mod logo;
#[cfg(test)]
mod tests;
mod theme;
mod view;

use draw::Pen;
pub(crate) use layout::Frame;
use layout::Sheet;
pub use theme::{Theme, ThemeError};
pub(crate) use view::View;

/// Draws boards for pictures of one size.
pub(crate) struct Board {
    theme: Theme,
    pen: Pen,
    picture_height: u32,
    frame: Frame,
}

impl Board {
    /// For pictures of that width and height, in pixels.
    pub(crate) fn new(theme: &Theme, picture: (u32, u32)) -> Board {
        let frame = Frame::new(theme, picture);
        Board { theme: theme.clone(), pen: Pen::new(theme), picture_height: picture.1, frame }
    }

    /// Where it lies.
    pub(crate) fn frame(&self) -> Frame {
        self.frame
    }

    /// Its pixels, line by line: red, green, blue and how opaque, a byte each. Without a score, there is nothing to be seen.
    pub(crate) fn pixels(&self, view: Option<&View>) -> Vec<u8> {
        let svg =
            view.map(|view| Sheet::new(&self.theme, &self.pen, self.frame, self.picture_height).svg(view));
        let drawn = svg.and_then(|svg| self.pen.pixels(&svg, self.frame.size()));
        drawn.unwrap_or_else(|| vec![0; self.frame.width as usize * self.frame.height as usize * 4])
    }
}
