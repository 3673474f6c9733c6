//! Variables of playlists (RFC 8216bis, 4.3 and 4.4.2.3).

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::attributes::List;
use super::rule::{Findings, quoted};
use super::{Place, rules};

/// The longest text that is made by putting variables in, in bytes: values may refer to others.
const EXPANDED_LEN_MAX: usize = 16_384;

/// The most variables of a playlist.
const VARIABLES_MAX: usize = 1000;

/// Names and their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(Vec<(String, String)>);

impl Variables {
    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// Takes an EXT-X-DEFINE.
    pub(super) fn define(
        &mut self,
        list: &List<'_>,
        place: &Place<'_>,
        in_multivariant: bool,
        line: u32,
        found: &mut Findings,
    ) {
        let forms = ["NAME", "IMPORT", "QUERYPARAM"];
        let mut given = forms.iter().filter_map(|form| Some((*form, list.quoted(form)?)));
        let (Some((form, name)), None) = (given.next(), given.next()) else {
            found.add(&rules::DEFINE_FORM, line, "EXT-X-DEFINE has none of the three, or several");
            return;
        };
        let value = match form {
            "NAME" => match list.quoted("VALUE") {
                Some(value) => self.expand(value, line, found).into_owned(),
                None => {
                    found.add(&rules::DEFINE_FORM, line, format!("{} has no VALUE", quoted(name)));
                    String::new()
                }
            },
            "IMPORT" => {
                if in_multivariant {
                    found.add(&rules::DEFINE_IMPORT, line, "IMPORT is in a multivariant playlist");
                }
                let imported = place.imports.map(|imports| imports.get(name).map(ToString::to_string));
                if imported == Some(None) {
                    let seen = format!("the multivariant playlist does not define {}", quoted(name));
                    found.add(&rules::DEFINE_IMPORT, line, seen);
                }
                imported.flatten().unwrap_or_default()
            }
            _ => match place.parameter(name) {
                Some(value) => value,
                None => {
                    let seen = format!("the playlist's URI has no parameter {}", quoted(name));
                    found.add(&rules::DEFINE_IMPORT, line, seen);
                    String::new()
                }
            },
        };
        if self.get(name).is_some() {
            found.add(&rules::DEFINE_REPEATED, line, format!("{} is defined again", quoted(name)));
            return;
        }
        if self.0.len() >= VARIABLES_MAX {
            found.add(&rules::TOO_LARGE, line, format!("it defines more than {VARIABLES_MAX} variables"));
            return;
        }
        self.0.push((name.to_string(), value));
    }

    /// A text with the values of the variables that it refers to.
    pub(super) fn expand<'a>(&self, text: &'a str, line: u32, found: &mut Findings) -> Cow<'a, str> {
        if !text.contains("{$") {
            return Cow::Borrowed(text);
        }
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, reference)) = rest.split_once("{$") {
            out.push_str(before);
            let Some((name, behind)) = reference.split_once('}') else {
                out.push_str("{$");
                rest = reference;
                continue;
            };
            match self.get(name) {
                Some(value) if out.len() + value.len() <= EXPANDED_LEN_MAX => out.push_str(value),
                Some(_) => {}
                None => found.add(&rules::VARIABLE_UNKNOWN, line, format!("{} is not defined", quoted(name))),
            }
            rest = behind;
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}
