//! A theme's logo: drawn once, when the theme is read. Boards get a small bitmap, whatever the file would cost to draw.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Group, ImageKind, Node, Options, Tree, roxmltree};

/// Width and height of what is drawn, in pixels: as much as a board of 2160 lines shows of it.
const SIDE: u32 = 256;

/// The largest bitmap that is decoded, in pixels: width and height.
const DECODED_MAX: f32 = 4096.0;

/// How deep pictures in pictures are looked into.
const DEPTH_MAX: usize = 16;

/// A bitmap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logo {
    png: Arc<Vec<u8>>,
}

impl Logo {
    /// Draws an SVG, PNG or JPEG file. The error says what is wrong with it, as a predicate of the file.
    pub(super) fn draw(file: &[u8]) -> Result<Logo, &'static str> {
        const NO_PICTURE: &str = "is no picture: a logo is an SVG, PNG or JPEG file";
        let mime = match file {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            file if has_text(file) => return Err("has text: turn it into paths, or save it as PNG"),
            file if is_svg(file) => "image/svg+xml",
            _ => return Err(NO_PICTURE),
        };
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}"><image width="{SIDE}" height="{SIDE}" href="data:{mime};base64,{}"/></svg>"#,
            STANDARD.encode(file)
        );
        let mut options = Options::default();
        options.image_href_resolver.resolve_string = Box::new(|_, _| None);
        // What comes from a file must not end what plays on, whatever the library makes of it.
        let drawn = catch_unwind(AssertUnwindSafe(|| {
            let tree = Tree::from_str(&svg, &options).map_err(|_| NO_PICTURE)?;
            modest(&tree, DEPTH_MAX)?;
            let mut pixels = Pixmap::new(SIDE, SIDE).ok_or(NO_PICTURE)?;
            resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
            if pixels.pixels().iter().all(|pixel| pixel.alpha() == 0) {
                return Err("shows nothing: look at it in a browser, and save it as PNG");
            }
            pixels.encode_png().map_err(|_| NO_PICTURE)
        }));
        let png = drawn.unwrap_or(Err("can't be drawn: save it as PNG"))?;
        Ok(Logo { png: Arc::new(png) })
    }

    /// The bitmap as PNG.
    pub(super) fn png(&self) -> &[u8] {
        &self.png
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    roxmltree::Document::parse(text).is_ok_and(|xml| xml.root_element().tag_name().name() == "svg")
}

/// Whether it has text, which would need the fonts that it was made with.
fn has_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let xml = roxmltree::Document::parse(text);
    is_svg(bytes) && xml.is_ok_and(|xml| xml.descendants().any(|node| node.tag_name().name() == "text"))
}

/// Whether drawing it costs little: no filters, and no bitmaps of a size that nobody sees.
fn modest(tree: &Tree, depth: usize) -> Result<(), &'static str> {
    if !tree.filters().is_empty() {
        return Err("has filters: save it as PNG");
    }
    let groups = tree.patterns().iter().map(|pattern| pattern.root());
    let groups = groups.chain(tree.masks().iter().map(|mask| mask.root()));
    groups.chain([tree.root()]).try_for_each(|group| modest_group(group, depth))
}

fn modest_group(group: &Group, depth: usize) -> Result<(), &'static str> {
    let depth = depth.checked_sub(1).ok_or("has too much in one another: save it as PNG")?;
    group.children().iter().try_for_each(|node| match node {
        Node::Group(group) => modest_group(group, depth),
        Node::Image(image) => match image.kind() {
            ImageKind::SVG(tree) => modest(tree, depth),
            _ if image.size().width().max(image.size().height()) <= DECODED_MAX => Ok(()),
            _ => Err("has more than 4096 pixels a side: save it smaller"),
        },
        Node::Path(_) | Node::Text(_) => Ok(()),
    })
}
