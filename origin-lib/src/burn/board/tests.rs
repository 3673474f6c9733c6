use std::fs;
use std::path::Path;

use railbird_core::score::Words;

use super::logo::Logo;
use super::*;
use crate::burn::tests::{at, document};

fn theme(text: &str) -> Result<Theme, ThemeError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("own.toml"), text).unwrap();
    fs::write(dir.path().join("not.ttf"), "no font").unwrap();
    fs::write(dir.path().join("not.png"), "no picture").unwrap();
    let logo = r#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8" fill="red"/></svg>"#;
    fs::write(dir.path().join("logo.svg"), logo).unwrap();
    Theme::load("own.toml", dir.path())
}

fn named(name: &str) -> Theme {
    Theme::load(name, Path::new("")).unwrap()
}

const LIGHT: &str = include_str!("../../../themes/light.toml");

#[test]
fn both_themes_are_good_and_look_different() {
    let document = document("final", 0, &[1_000]);
    let view = View::of(&document, at(2_000), &Words::ENGLISH);
    let drawn = ["light", "dark"].map(|name| Board::new(&named(name), (1280, 720)).pixels(view.as_ref()));
    assert!(drawn[0].len() == drawn[1].len() && drawn[0] != drawn[1]);
    // The same board has the same pixels.
    assert!(drawn[0] == Board::new(&named("light"), (1280, 720)).pixels(view.as_ref()));
    assert_eq!(theme(LIGHT).unwrap(), named("light"));
}

#[test]
fn what_is_wrong_with_a_theme_is_said() {
    let with = |from: &str, to: &str| {
        assert!(LIGHT.contains(from), "{from}");
        theme(&LIGHT.replace(from, to)).unwrap_err().to_string()
    };
    let cases = [
        ("\"#1f6b57\"", "\"green\"", "\"green\" is no colour: write \"#rrggbb\" or \"#rrggbbaa\""),
        ("width = 780", "width = 80", "layout.width: 80 is out of range: use 200 to 1920"),
        ("width = 780", "wide = 780", "unknown field `wide`"),
        ("\"run\", ", "\"runs\", ", "unknown variant `runs`"),
        ("place = \"bottom-left\"", "place = \"left\"", "unknown variant `left`"),
        ("family = \"DejaVu Sans\"", "family = \"No Such\"", "no font is called \"No Such\""),
        ("files = []", "files = [\"not.ttf\"]", "not.ttf has no font: name .ttf or .otf files"),
        ("files = []", "files = [\"gone.ttf\"]", "gone.ttf: No such file"),
        ("# [logo]\n# file = \"club.svg\"", "[logo]\nfile = \"not.png\"", "not.png is no picture"),
    ];
    for (from, to, said) in cases {
        let text = with(from, to);
        assert!(text.contains(said), "{text}");
    }
    let long = "#".repeat(70_000);
    assert!(theme(&long).unwrap_err().to_string().ends_with("own.toml has more than 65536 bytes"));
    let gone = Theme::load("gone.toml", Path::new("/nowhere")).unwrap_err().to_string();
    assert_eq!(gone, "/nowhere/gone.toml: No such file or directory (os error 2)");
}

#[test]
fn a_logo_and_own_words_are_shown() {
    let (plain, document) = (named("light"), document("final", 0, &[1_000]));
    let own = LIGHT.replace("# [logo]\n# file = \"club.svg\"", "[logo]\nfile = \"logo.svg\"");
    let own = theme(&own.replace("# [words] ", "[words]").replace("# inning", "inning")).unwrap();
    let view = View::of(&document, at(2_000), own.words()).unwrap();
    assert_eq!(view.place, "Reprise 1");
    let red = |theme| {
        let pixels = Board::new(theme, (1280, 720)).pixels(Some(&view));
        pixels.chunks_exact(4).filter(|pixel| *pixel == [0xff, 0, 0, 0xff]).count()
    };
    assert!(red(&plain) == 0 && red(&own) > 50);
}

#[test]
fn a_board_lies_in_its_picture_on_even_pixels_wherever_it_is_put() {
    let places = ["top-left", "top", "top-right", "bottom-left", "bottom", "bottom-right"];
    for place in places {
        let theme = theme(&LIGHT.replace("bottom-left\"", &format!("{place}\""))).unwrap();
        for picture in [(1920, 1080), (640, 360), (176, 144), (1080, 1920), (33, 17), (3840, 2160)] {
            let Frame { left, top, width, height } = Board::new(&theme, picture).frame();
            assert!([left, top, width, height].iter().all(|length| length % 2 == 0), "{place} {picture:?}");
            assert!(width > 0 && height > 0, "{place} {picture:?}");
            assert!(left + width <= picture.0 && top + height <= picture.1, "{place} {picture:?}");
        }
    }
    let frame = Board::new(&named("light"), (1920, 1080)).frame();
    assert_eq!(frame, Frame { left: 48, top: 824, width: 780, height: 208 });
    assert_eq!(Board::new(&named("light"), (640, 360)).frame().size(), (260, 70));
}

#[test]
fn whatever_somebody_is_called_there_is_a_board() {
    let mut document = document("final", 0, &[1_000]);
    let board = Board::new(&named("light"), (640, 360));
    let blank = board.pixels(None);
    assert!(blank.iter().all(|byte| *byte == 0));
    let long = "W".repeat(100);
    for name in ["<b>&amp;]]>", "\u{fffe}\u{ffff}", "سامح سيدهم", "조명우", long.as_str(), "–", "  "]
    {
        document.sides[0].name = name.into();
        let view = View::of(&document, at(2_000), &Words::ENGLISH);
        assert!(board.pixels(view.as_ref()) != blank, "{name}");
    }
}

#[test]
fn a_logo_is_drawn_once_and_what_would_cost_much_or_show_nothing_is_refused() {
    let svg = |content: &str| {
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">{content}</svg>"#)
    };
    let plain = Logo::draw(svg(r#"<circle cx="4" cy="4" r="4"/>"#).as_bytes()).unwrap();
    // What was drawn is a logo itself.
    assert_eq!(Logo::draw(plain.png()).unwrap(), plain);
    // The header of a bitmap says how much it would be.
    let mut large = plain.png().to_vec();
    large[16..20].copy_from_slice(&20_000_u32.to_be_bytes());
    let noise = r#"<filter id="f"><feTurbulence baseFrequency="0.1"/></filter><rect width="8" height="8" filter="url(#f)"/>"#;
    for (file, said) in [
        (large, "has more than 4096 pixels a side: save it smaller"),
        (svg(noise).into(), "has filters: save it as PNG"),
        (
            svg(r#"<circle r="4"/><text>Club</text>"#).into(),
            "has text: turn it into paths, or save it as PNG",
        ),
        (svg("").into(), "shows nothing: look at it in a browser, and save it as PNG"),
        (b"\x89PNG\r\n".to_vec(), "shows nothing: look at it in a browser, and save it as PNG"),
        (b"<html/>".to_vec(), "is no picture: a logo is an SVG, PNG or JPEG file"),
    ] {
        assert_eq!(Logo::draw(&file).unwrap_err(), said);
    }
}
