//! AMF0 (Adobe, 2007): the values in command and data messages. A value may be in AMF3.
//!
//! The decoder is tolerant where encoders err: a text that is not UTF-8 is repaired, an object that the body's end cuts
//! off is taken as far as it goes, an array's stated length is ignored. It is strict where a stranger could hurt: depth
//! and number of values are bounded, and the body's own length bounds the rest.

use alloc::string::String;
use alloc::vec::Vec;

use super::amf3;

/// How deep objects and arrays may nest.
pub const DEPTH_MAX: usize = 16;

/// How many values one body may hold.
pub const VALUES_MAX: usize = 4096;

/// An AMF0 value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A double.
    Number(f64),
    /// A truth value.
    Boolean(bool),
    /// A text of any length. An XML document counts as one.
    String(String),
    /// Named properties, in order. A typed object counts as one, without its class name.
    Object(Vec<(String, Value)>),
    /// Named elements of an ECMA array, in order.
    Array(Vec<(String, Value)>),
    /// Elements of a strict array.
    List(Vec<Value>),
    /// Milliseconds since 1970. The time zone is dropped, as the specification wants.
    Date(f64),
    /// `null`.
    Null,
    /// `undefined`; a reference or an unsupported value counts as one.
    Undefined,
}

/// Why a body can't be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmfError {
    /// A value is cut off.
    #[error("an AMF0 value is cut off")]
    CutOff,
    /// A value's type is unknown.
    #[error("0x{0:02x} is no AMF type")]
    Type(u8),
    /// More than [`DEPTH_MAX`] or [`VALUES_MAX`].
    #[error("an AMF0 body has more than 16 levels or 4096 values")]
    TooMuch,
}

const NUMBER: u8 = 0;
const BOOLEAN: u8 = 1;
const STRING: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const UNDEFINED: u8 = 6;
const REFERENCE: u8 = 7;
const ECMA_ARRAY: u8 = 8;
const OBJECT_END: u8 = 9;
const STRICT_ARRAY: u8 = 10;
const DATE: u8 = 11;
const LONG_STRING: u8 = 12;
const UNSUPPORTED: u8 = 13;
const XML: u8 = 15;
const TYPED_OBJECT: u8 = 16;
const AMF3: u8 = 17;

impl Value {
    /// The number, where it is one.
    pub fn as_number(&self) -> Option<f64> {
        if let Value::Number(number) = self { Some(*number) } else { None }
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Value::String(text) = self { Some(text) } else { None }
    }

    /// The first property of this name, where it is an object or an array that has one.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let (Value::Object(properties) | Value::Array(properties)) = self else { return None };
        properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Appends the value's encoding. A property's name is cut at 65535 bytes, the most that AMF0 can say.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Value::Number(number) => {
                out.push(NUMBER);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Value::Boolean(truth) => out.extend_from_slice(&[BOOLEAN, u8::from(*truth)]),
            Value::String(text) => match u16::try_from(text.len()) {
                Ok(_) => {
                    out.push(STRING);
                    encode_name(text, out);
                }
                Err(_) => {
                    out.push(LONG_STRING);
                    out.extend_from_slice(&count(text.len()).to_be_bytes());
                    out.extend_from_slice(text.as_bytes());
                }
            },
            Value::Object(properties) => {
                out.push(OBJECT);
                encode_properties(properties, out);
            }
            Value::Array(properties) => {
                out.push(ECMA_ARRAY);
                out.extend_from_slice(&count(properties.len()).to_be_bytes());
                encode_properties(properties, out);
            }
            Value::List(values) => {
                out.push(STRICT_ARRAY);
                out.extend_from_slice(&count(values.len()).to_be_bytes());
                values.iter().for_each(|value| value.encode(out));
            }
            Value::Date(ms) => {
                out.push(DATE);
                out.extend_from_slice(&ms.to_be_bytes());
                out.extend_from_slice(&[0, 0]);
            }
            Value::Null => out.push(NULL),
            Value::Undefined => out.push(UNDEFINED),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn encode_name(name: &str, out: &mut Vec<u8>) {
    let name = &name[..name.floor_char_boundary(usize::from(u16::MAX))];
    out.extend_from_slice(&(name.len() as u16).to_be_bytes());
    out.extend_from_slice(name.as_bytes());
}

fn encode_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        encode_name(name, out);
        value.encode(out);
    }
    out.extend_from_slice(&[0, 0, OBJECT_END]);
}

/// All values of a body.
pub fn decode(body: &[u8]) -> Result<Vec<Value>, AmfError> {
    Values::new(body).collect()
}

/// Decodes a body's values one by one; ends after the first error.
pub struct Values<'a> {
    rest: &'a [u8],
    left: usize,
}

impl<'a> Values<'a> {
    /// The values of `body`.
    pub fn new(body: &'a [u8]) -> Values<'a> {
        Values { rest: body, left: VALUES_MAX }
    }

    /// The bytes that are not decoded yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(AmfError::CutOff)?;
        self.rest = rest;
        Ok(*head)
    }

    fn text(&mut self, length: usize) -> Result<String, AmfError> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(AmfError::CutOff)?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn short_text(&mut self) -> Result<String, AmfError> {
        let length = u16::from_be_bytes(self.take()?);
        self.text(usize::from(length))
    }

    fn long_text(&mut self) -> Result<String, AmfError> {
        let length = u32::from_be_bytes(self.take()?);
        self.text(length as usize)
    }

    fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        if depth > DEPTH_MAX || self.left == 0 {
            return Err(AmfError::TooMuch);
        }
        self.left -= 1;
        let [kind] = self.take()?;
        Ok(match kind {
            NUMBER => Value::Number(f64::from_be_bytes(self.take()?)),
            BOOLEAN => Value::Boolean(self.take()? != [0]),
            STRING => Value::String(self.short_text()?),
            LONG_STRING | XML => Value::String(self.long_text()?),
            OBJECT => Value::Object(self.properties(depth)?),
            TYPED_OBJECT => {
                self.short_text()?;
                Value::Object(self.properties(depth)?)
            }
            ECMA_ARRAY => {
                self.take::<4>()?;
                Value::Array(self.properties(depth)?)
            }
            STRICT_ARRAY => {
                let count = u32::from_be_bytes(self.take()?);
                // Not reserved by the stated count: it may lie.
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth + 1)?);
                }
                Value::List(values)
            }
            DATE => {
                let ms = f64::from_be_bytes(self.take()?);
                self.take::<2>()?;
                Value::Date(ms)
            }
            NULL => Value::Null,
            UNDEFINED | UNSUPPORTED => Value::Undefined,
            AMF3 => amf3::Reader::new(&mut self.rest, &mut self.left).value(depth + 1)?,
            REFERENCE => {
                self.take::<2>()?;
                Value::Undefined
            }
            other => return Err(AmfError::Type(other)),
        })
    }

    fn properties(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut properties = Vec::new();
        while !self.rest.is_empty() {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first().is_none_or(|kind| *kind == OBJECT_END) {
                self.rest = self.rest.get(1..).unwrap_or_default();
                break;
            }
            properties.push((name, self.value(depth + 1)?));
        }
        Ok(properties)
    }
}

impl Iterator for Values<'_> {
    type Item = Result<Value, AmfError>;

    fn next(&mut self) -> Option<Result<Value, AmfError>> {
        if self.rest.is_empty() {
            return None;
        }
        let value = self.value(0);
        if value.is_err() {
            self.rest = &[];
        }
        Some(value)
    }
}
