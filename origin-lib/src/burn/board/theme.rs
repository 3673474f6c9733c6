//! What a board looks like: a file of colours, fonts, a logo and a layout.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use railbird_core::score::Words;
use serde::Deserialize;

use super::logo::Logo;

/// The longest theme, in bytes.
const THEME_LEN_MAX: u64 = 64 << 10;

/// The longest font and the longest logo, in bytes.
const FONT_LEN_MAX: u64 = 32 << 20;
const LOGO_LEN_MAX: u64 = 2 << 20;

/// The most files of fonts.
const FONTS_MAX: usize = 8;

const LIGHT: &str = include_str!("../../../themes/light.toml");
const DARK: &str = include_str!("../../../themes/dark.toml");

/// A theme can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// A file can't be read.
    #[error("{path}: {error}", path = path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is too long.
    #[error("{path} has more than {most} bytes", path = path.display())]
    Long {
        /// Which one.
        path: PathBuf,
        /// How long it may be.
        most: u64,
    },
    /// It is no theme.
    #[error("{path}: {text}", path = path.display())]
    Text {
        /// The theme's file.
        path: PathBuf,
        /// What is wrong, and where.
        text: String,
    },
    /// A file that shows nothing.
    #[error("{path} {text}", path = path.display())]
    Logo {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it, and what can be done.
        text: &'static str,
    },
    /// A file without a font.
    #[error("{path} has no font: name .ttf or .otf files", path = .0.display())]
    Font(PathBuf),
    /// A family that is nowhere.
    #[error("fonts.family: no font is called {0:?}: install it, or name its file in fonts.files")]
    Family(String),
}

/// A theme, with its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    pub(super) layout: Layout,
    pub(super) colours: Colours,
    pub(super) family: String,
    pub(super) fonts: Vec<Arc<Vec<u8>>>,
    pub(super) logo: Option<Logo>,
    pub(super) words: Words,
}

/// A theme's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    #[serde(default)]
    layout: Layout,
    colours: Colours,
    #[serde(default)]
    fonts: Fonts,
    logo: Option<LogoFile>,
    #[serde(default)]
    words: Words,
}

/// Where a board lies in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Place {
    TopLeft,
    Top,
    TopRight,
    BottomLeft,
    Bottom,
    BottomRight,
}

/// What stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Column {
    Ball,
    Country,
    Name,
    Won,
    Average,
    HighRun,
    Run,
    Points,
}

/// Lengths are in 1/1080 of the picture's height.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Layout {
    pub(super) place: Place,
    pub(super) margin: u16,
    pub(super) width: u16,
    pub(super) row: u16,
    pub(super) corner: u16,
    pub(super) title: bool,
    pub(super) columns: Vec<Column>,
}

impl Default for Layout {
    fn default() -> Layout {
        use Column::{Average, Ball, Country, HighRun, Name, Points, Run, Won};
        let columns = vec![Ball, Country, Name, Won, Average, HighRun, Run, Points];
        Layout { place: Place::BottomLeft, margin: 48, width: 780, row: 62, corner: 10, title: true, columns }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Colours {
    pub(super) board: Colour,
    pub(super) title: Colour,
    pub(super) title_text: Colour,
    pub(super) text: Colour,
    pub(super) muted: Colour,
    pub(super) turn: Colour,
    pub(super) points: Colour,
    pub(super) points_text: Colour,
    pub(super) white: Colour,
    pub(super) yellow: Colour,
    pub(super) line: Colour,
    pub(super) clock: Colour,
    pub(super) clock_low: Colour,
}

/// `#rrggbb` or `#rrggbbaa`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Colour(String);

impl Colour {
    /// As SVG has it.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Colour {
    type Error = String;

    fn try_from(text: String) -> Result<Colour, String> {
        let digits = text.strip_prefix('#').filter(|digits| [6, 8].contains(&digits.len()));
        match digits {
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => Ok(Colour(text)),
            _ => Err(format!("{text:?} is no colour: write \"#rrggbb\" or \"#rrggbbaa\"")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fonts {
    family: String,
    files: Vec<PathBuf>,
}

impl Default for Fonts {
    fn default() -> Fonts {
        Fonts { family: "DejaVu Sans".into(), files: Vec::new() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogoFile {
    file: PathBuf,
}

impl Theme {
    /// The theme of that name (`light`, `dark`), or that of a file, whose path is relative to `dir`.
    pub fn load(name: &str, dir: &Path) -> Result<Theme, ThemeError> {
        match name {
            "light" => Theme::parse(LIGHT, Path::new("light")),
            "dark" => Theme::parse(DARK, Path::new("dark")),
            file => {
                let path = dir.join(file);
                let bytes = read(&path, THEME_LEN_MAX)?;
                let text = String::from_utf8(bytes).map_err(|error| wrong(&path, error))?;
                Theme::parse(&text, &path)
            }
        }
    }

    /// In which words a match stands.
    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    fn parse(text: &str, path: &Path) -> Result<Theme, ThemeError> {
        let kept: Kept = toml::from_str(text).map_err(|error| wrong(path, error))?;
        let layout = kept.layout;
        let lengths = [
            ("margin", layout.margin, 0..=400),
            ("width", layout.width, 200..=1920),
            ("row", layout.row, 20..=200),
            ("corner", layout.corner, 0..=100),
        ];
        if let Some((name, length, range)) = lengths.into_iter().find(|(_, l, range)| !range.contains(l)) {
            let text =
                format!("layout.{name}: {length} is out of range: use {} to {}", range.start(), range.end());
            return Err(wrong(path, text));
        }
        if layout.columns.is_empty() || layout.columns.len() > 16 {
            return Err(wrong(path, "layout.columns: name 1 to 16 of them"));
        }
        if kept.fonts.files.len() > FONTS_MAX {
            return Err(wrong(path, format!("fonts.files: at most {FONTS_MAX}")));
        }
        let dir = path.parent().unwrap_or(Path::new(""));
        let font = |file: &PathBuf| read(&dir.join(file), FONT_LEN_MAX).map(Arc::new);
        let fonts = kept.fonts.files.iter().map(font).collect::<Result<Vec<_>, _>>()?;
        let logo = kept.logo.map(|logo| {
            let path = dir.join(logo.file);
            Logo::draw(&read(&path, LOGO_LEN_MAX)?).map_err(|text| ThemeError::Logo { path, text })
        });
        let logo = logo.transpose()?;
        let theme = Theme {
            layout,
            colours: kept.colours,
            family: kept.fonts.family,
            fonts,
            logo,
            words: kept.words,
        };
        theme.check_fonts(&kept.fonts.files)?;
        Ok(theme)
    }

    fn check_fonts(&self, files: &[PathBuf]) -> Result<(), ThemeError> {
        for (font, file) in self.fonts.iter().zip(files) {
            let mut alone = super::draw::Fonts::new();
            alone.load_font_data(font.to_vec());
            if alone.is_empty() {
                return Err(ThemeError::Font(file.clone()));
            }
        }
        if super::draw::has_family(self) { Ok(()) } else { Err(ThemeError::Family(self.family.clone())) }
    }
}

fn wrong(path: &Path, text: impl ToString) -> ThemeError {
    ThemeError::Text { path: path.into(), text: text.to_string() }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, ThemeError> {
    let io = |error| ThemeError::Io { path: path.into(), error };
    let mut bytes = Vec::new();
    // The length that a file claims is no bound: a device has none.
    File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes)).map_err(io)?;
    if bytes.len() as u64 > most { Err(ThemeError::Long { path: path.into(), most }) } else { Ok(bytes) }
}
