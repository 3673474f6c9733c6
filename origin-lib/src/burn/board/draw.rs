//! From SVG to pixels.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Node, Options, Tree, fontdb};

use super::theme::Theme;

pub(super) use fontdb::Database as Fonts;

/// What a family is called that is always there.
const BUILT_IN: &str = "DejaVu Sans";

/// Draws SVG with a theme's fonts.
pub(super) struct Pen {
    options: Options<'static>,
}

impl Pen {
    /// With the theme's fonts, those that are built in, and for letters that neither has, those that are installed.
    pub(super) fn new(theme: &Theme) -> Pen {
        let mut fonts = own_fonts(theme);
        fonts.load_system_fonts();
        let mut options =
            Options { fontdb: Arc::new(fonts), font_family: theme.family.clone(), ..Options::default() };
        // A picture comes along with its theme: nothing else is read.
        options.image_href_resolver.resolve_string = Box::new(|_, _| None);
        Pen { options }
    }

    /// The pixels of an SVG of this size in red, green, blue and how opaque, a byte each, line by line from the top. `None`
    /// where it is none.
    pub(super) fn pixels(&self, svg: &str, (width, height): (u32, u32)) -> Option<Vec<u8>> {
        let tree = Tree::from_str(svg, &self.options).ok()?;
        let mut pixels = Pixmap::new(width, height)?;
        resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
        Some(pixels.take_demultiplied())
    }

    /// How wide an SVG's text is, in its own units.
    pub(super) fn width(&self, svg: &str) -> f32 {
        let Ok(tree) = Tree::from_str(svg, &self.options) else { return 0.0 };
        let width = |node: &Node| match node {
            Node::Text(text) => text.bounding_box().right(),
            _ => 0.0,
        };
        tree.root().children().iter().map(width).fold(0.0, f32::max)
    }
}

fn own_fonts(theme: &Theme) -> Fonts {
    let mut fonts = Fonts::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    theme.fonts.iter().for_each(|font| fonts.load_font_data(font.to_vec()));
    fonts
}

/// Whether there is a font of the theme's family.
pub(super) fn has_family(theme: &Theme) -> bool {
    let has = |fonts: &Fonts| {
        fonts.faces().any(|face| face.families.iter().any(|(family, _)| *family == theme.family))
    };
    let mut fonts = own_fonts(theme);
    theme.family == BUILT_IN || has(&fonts) || {
        fonts.load_system_fonts();
        has(&fonts)
    }
}
