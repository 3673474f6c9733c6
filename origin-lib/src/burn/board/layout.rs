//! Where everything stands on a board: from what it says to SVG.

use std::fmt::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use railbird_core::score::Ball;

use super::draw::Pen;
use super::theme::{Colour, Column, Place, Theme};
use super::view::{Row, View};

/// By how much a name's letters may shrink before it is cut short, in hundredths.
const SHRINK: [f32; 4] = [1.0, 0.9, 0.8, 0.7];

/// Heights as parts of a row's.
const TITLE: f32 = 0.68;
const FOOT: f32 = 0.68;

/// The height of letters, as a part of their row's.
const LETTERS: f32 = 0.5;
const SMALL: f32 = 0.38;

/// Between what stands beside each other, as a part of a row's height.
const SPACE: f32 = 0.22;

/// Where a board lies in a picture, in pixels. Width, height and both places are even, as pictures' colours are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Frame {
    pub(super) fn new(theme: &Theme, (width, height): (u32, u32)) -> Frame {
        let layout = &theme.layout;
        let scale = scale(height);
        let rows = 2.0 + FOOT + if layout.title { TITLE } else { 0.0 };
        let even = |length: f32| (length as u32).next_multiple_of(2);
        let margin = even(f32::from(layout.margin) * scale);
        let own_width = even(f32::from(layout.width) * scale).clamp(2, (width & !1).max(2));
        let own_height = even(f32::from(layout.row) * rows * scale).clamp(2, (height & !1).max(2));
        let right = width.saturating_sub(own_width + margin) & !1;
        let bottom = height.saturating_sub(own_height + margin) & !1;
        let middle = (width.saturating_sub(own_width) / 2) & !1;
        let left = margin.min(width.saturating_sub(own_width) & !1);
        let top = margin.min(height.saturating_sub(own_height) & !1);
        let (left, top) = match layout.place {
            Place::TopLeft => (left, top),
            Place::Top => (middle, top),
            Place::TopRight => (right, top),
            Place::BottomLeft => (left, bottom),
            Place::Bottom => (middle, bottom),
            Place::BottomRight => (right, bottom),
        };
        Frame { left, top, width: own_width, height: own_height }
    }

    pub(super) fn size(self) -> (u32, u32) {
        (self.width, self.height)
    }
}

/// Pixels for 1/1080 of a picture's height.
fn scale(height: u32) -> f32 {
    height as f32 / 1080.0
}

/// How a text stands to its place.
#[derive(Clone, Copy)]
enum Anchor {
    Start,
    Middle,
    End,
}

/// Writes one board.
pub(super) struct Sheet<'a> {
    theme: &'a Theme,
    pen: &'a Pen,
    frame: Frame,
    /// The height of a row, in pixels.
    row: f32,
    svg: String,
}

impl Sheet<'_> {
    pub(super) fn new<'a>(theme: &'a Theme, pen: &'a Pen, frame: Frame, picture_height: u32) -> Sheet<'a> {
        let row = f32::from(theme.layout.row) * scale(picture_height);
        Sheet { theme, pen, frame, row, svg: String::new() }
    }

    /// The board as SVG.
    pub(super) fn svg(mut self, view: &View) -> String {
        // Writing to a String can't fail.
        let _ = self.write(view);
        self.svg
    }

    fn write(&mut self, view: &View) -> fmt::Result {
        let (theme, row) = (self.theme, self.row);
        let (width, height) = (self.frame.width as f32, self.frame.height as f32);
        let corner = f32::from(theme.layout.corner) * row / f32::from(theme.layout.row);
        write!(
            self.svg,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"><defs><clipPath id="board"><rect width="{width}" height="{height}" rx="{corner}"/></clipPath></defs><g clip-path="url(#board)">"#
        )?;
        self.rect((0.0, 0.0), (width, height), &theme.colours.board)?;
        let mut top = 0.0;
        if theme.layout.title {
            self.title(view, row * TITLE)?;
            top = row * TITLE;
        }
        for (n, side) in view.rows.iter().enumerate() {
            self.side(view, side, top)?;
            if n == 0 {
                self.rect((0.0, top + row - 0.5), (width, 1.0), &theme.colours.line)?;
            }
            top += row;
        }
        self.foot(view, top, height - top)?;
        self.svg.write_str("</g></svg>")
    }

    fn title(&mut self, view: &View, height: f32) -> fmt::Result {
        let (colours, space, width) = (&self.theme.colours, self.row * SPACE, self.frame.width as f32);
        self.rect((0.0, 0.0), (width, height), &colours.title)?;
        let mut left = space;
        if let Some(logo) = &self.theme.logo {
            let side = height * 0.76;
            write!(
                self.svg,
                r#"<image x="{left}" y="{}" width="{side}" height="{side}" href="data:image/png;base64,{}"/>"#,
                height * 0.12,
                STANDARD.encode(logo.png())
            )?;
            left += side + space;
        }
        let letters = self.row * SMALL;
        self.fitted(
            &view.title,
            (left, height / 2.0),
            letters,
            width - left - space,
            &colours.title_text,
            true,
        )
    }

    /// A side's row, from its right end to its name, which gets what is left.
    fn side(&mut self, view: &View, side: &Row, top: f32) -> fmt::Result {
        let (colours, row, width) = (&self.theme.colours, self.row, self.frame.width as f32);
        if side.at_table {
            self.rect((0.0, top), (width, row), &colours.turn)?;
        }
        let columns: Vec<Column> =
            self.theme.layout.columns.iter().copied().filter(|column| shows(*column, view)).collect();
        let widths: Vec<f32> = columns.iter().map(|column| self.width(*column, view)).collect();
        let taken: f32 = widths.iter().sum();
        let names = columns.iter().filter(|column| **column == Column::Name).count().max(1);
        let name = (width - taken).max(0.0) / names as f32;
        let mut left = 0.0;
        for (column, own) in columns.iter().zip(widths) {
            let own = if *column == Column::Name { name } else { own };
            self.cell(*column, view, side, (left, top), own)?;
            left += own;
        }
        Ok(())
    }

    /// How wide a column is; a name's gets what the others leave.
    fn width(&self, column: Column, view: &View) -> f32 {
        let shootout = view.rows.iter().any(|side| side.shootout.is_some());
        self.row
            * match column {
                Column::Name => 0.0,
                Column::Ball => 0.62,
                Column::Country => 0.86,
                Column::Won => 0.8,
                Column::Average => 1.4,
                Column::HighRun => 0.9,
                Column::Run => 1.0,
                Column::Points if shootout => 2.2,
                Column::Points => 1.5,
            }
    }

    fn cell(
        &mut self,
        column: Column,
        view: &View,
        side: &Row,
        (left, top): (f32, f32),
        width: f32,
    ) -> fmt::Result {
        let (colours, row, space) = (&self.theme.colours, self.row, self.row * SPACE);
        let (middle, centre) = (top + row / 2.0, left + width / 2.0);
        let small = row * SMALL;
        let plain = |text: &Option<String>| text.clone().unwrap_or_default();
        match column {
            Column::Ball => match side.ball {
                Some(ball) => {
                    let colour = if ball == Ball::White { &colours.white } else { &colours.yellow };
                    write!(
                        self.svg,
                        r#"<circle cx="{}" cy="{middle}" r="{}" fill="{}" stroke="{}" stroke-width="{}"/>"#,
                        left + width * 0.6,
                        row * 0.15,
                        colour.as_str(),
                        colours.muted.as_str(),
                        row * 0.02
                    )
                }
                None => Ok(()),
            },
            Column::Country => self.text(
                &plain(&side.country),
                (centre, middle),
                small,
                Anchor::Middle,
                &colours.muted,
                false,
            ),
            Column::Name => {
                let letters = row * LETTERS;
                let bold = side.at_table || side.winner;
                self.fitted(
                    &side.name,
                    (left + space, middle),
                    letters,
                    width - 2.0 * space,
                    &colours.text,
                    bold,
                )
            }
            Column::Won => self.text(
                &plain(&side.won),
                (centre, middle),
                row * LETTERS,
                Anchor::Middle,
                &colours.text,
                true,
            ),
            Column::Average => self.text(
                &plain(&side.average),
                (centre, middle),
                small,
                Anchor::Middle,
                &colours.muted,
                false,
            ),
            Column::HighRun => self.text(
                &plain(&side.high_run),
                (centre, middle),
                small,
                Anchor::Middle,
                &colours.muted,
                false,
            ),
            Column::Run => {
                let at = (left + width - space / 2.0, middle);
                self.text(&plain(&side.run), at, row * LETTERS, Anchor::End, &colours.text, false)
            }
            Column::Points => {
                self.rect((left, top), (width, row), &colours.points)?;
                let shootout = view.rows.iter().any(|side| side.shootout.is_some());
                let at = if shootout { left + width / 3.0 } else { centre };
                let letters = row * 0.62;
                self.text(
                    &plain(&side.points),
                    (at, middle),
                    letters,
                    Anchor::Middle,
                    &colours.points_text,
                    true,
                )?;
                let at = (left + width * 0.8, middle);
                self.text(&plain(&side.shootout), at, small, Anchor::Middle, &colours.points_text, true)
            }
        }
    }

    fn foot(&mut self, view: &View, top: f32, height: f32) -> fmt::Result {
        let (colours, space, width) = (&self.theme.colours, self.row * SPACE, self.frame.width as f32);
        let (letters, middle) = (self.row * SMALL, top + height / 2.0);
        let mut right = width - space;
        if let Some(target) = &view.target {
            self.text(target, (right, middle), letters, Anchor::End, &colours.muted, true)?;
            right -= self.measured(target, letters, true) + 2.0 * space;
        }
        if let Some(clock) = view.clock {
            let text = clock.seconds.to_string();
            let colour = if clock.low { &colours.clock_low } else { &colours.clock };
            self.text(&text, (right, middle), letters * 1.15, Anchor::End, colour, true)?;
            right -= self.row * 1.2;
        }
        self.fitted(&view.place, (space, middle), letters, right - space, &colours.muted, false)
    }

    fn rect(&mut self, (left, top): (f32, f32), (width, height): (f32, f32), colour: &Colour) -> fmt::Result {
        let colour = colour.as_str();
        write!(self.svg, r#"<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="{colour}"/>"#)
    }

    /// A text that gets smaller, and at last is cut short, until it fits.
    fn fitted(
        &mut self,
        text: &str,
        at: (f32, f32),
        letters: f32,
        width: f32,
        colour: &Colour,
        bold: bool,
    ) -> fmt::Result {
        let mut smallest = letters;
        for shrink in SHRINK {
            smallest = letters * shrink;
            if self.measured(text, smallest, bold) <= width {
                return self.text(text, at, smallest, Anchor::Start, colour, bold);
            }
        }
        let chars: Vec<char> = text.chars().collect();
        let cut = |len: usize| chars.iter().take(len).chain(&['…']).collect::<String>();
        let (mut fits, mut over) = (0, chars.len());
        while over - fits > 1 {
            let len = fits + (over - fits) / 2;
            if self.measured(&cut(len), smallest, bold) <= width { fits = len } else { over = len }
        }
        self.text(&cut(fits), at, smallest, Anchor::Start, colour, bold)
    }

    fn measured(&self, text: &str, letters: f32, bold: bool) -> f32 {
        let mut svg = String::from(r#"<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">"#);
        let colour = &self.theme.colours.text;
        let _ = write_text(&mut svg, text, (0.0, 0.0), letters, Anchor::Start, colour, bold);
        svg.push_str("</svg>");
        self.pen.width(&svg)
    }

    fn text(
        &mut self,
        text: &str,
        at: (f32, f32),
        letters: f32,
        anchor: Anchor,
        colour: &Colour,
        bold: bool,
    ) -> fmt::Result {
        if text.is_empty() {
            Ok(())
        } else {
            write_text(&mut self.svg, text, at, letters, anchor, colour, bold)
        }
    }
}

/// Whether anybody has something in a column.
fn shows(column: Column, view: &View) -> bool {
    let any = |has: fn(&Row) -> bool| view.rows.iter().any(has);
    match column {
        Column::Name | Column::Run => true,
        Column::Ball => any(|side| side.ball.is_some()),
        Column::Country => any(|side| side.country.is_some()),
        Column::Won => any(|side| side.won.is_some()),
        Column::Average => any(|side| side.average.is_some()),
        Column::HighRun => any(|side| side.high_run.is_some()),
        Column::Points => any(|side| side.points.is_some() || side.shootout.is_some()),
    }
}

/// A line of text around `middle`, which is the height of its small letters' half.
fn write_text(
    svg: &mut String,
    text: &str,
    (at, middle): (f32, f32),
    letters: f32,
    anchor: Anchor,
    colour: &Colour,
    bold: bool,
) -> fmt::Result {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let (base, weight) = (middle + letters * 0.36, if bold { "700" } else { "400" });
    let fill = colour.as_str();
    write!(
        svg,
        r#"<text x="{at}" y="{base}" font-size="{letters}" font-weight="{weight}" text-anchor="{anchor}" fill="{fill}">"#
    )?;
    for c in text.chars() {
        match c {
            '&' => svg.push_str("&amp;"),
            '<' => svg.push_str("&lt;"),
            '>' => svg.push_str("&gt;"),
            // What XML has no way to write.
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => svg.push(' '),
            c => svg.push(c),
        }
    }
    svg.write_str("</text>")
}
