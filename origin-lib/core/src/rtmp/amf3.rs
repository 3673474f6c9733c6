//! AMF3 (Adobe, 2013), as far as it occurs within AMF0: a value behind the marker that goes over to it.
//!
//! What a name or a number is made of is read; what nobody here needs (byte arrays, vectors, dictionaries, values by reference)
//! is passed over and counts as undefined.

use alloc::string::String;
use alloc::vec::Vec;

use super::NAME_LEN_MAX;
use super::amf0::{AmfError, DEPTH_MAX, Value};

/// Reads one value, and the strings and classes that it refers to.
pub(super) struct Reader<'a, 'b> {
    rest: &'b mut &'a [u8],
    /// How many values may still come.
    left: &'b mut usize,
    strings: Vec<String>,
    classes: Vec<Class>,
}

/// What the objects of a class have (3.12).
struct Class {
    dynamic: bool,
    members: Vec<String>,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(rest: &'b mut &'a [u8], left: &'b mut usize) -> Reader<'a, 'b> {
        Reader { rest, left, strings: Vec::new(), classes: Vec::new() }
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<Value, AmfError> {
        if depth > DEPTH_MAX {
            return Err(AmfError::TooMuch);
        }
        self.count()?;
        let [kind] = self.take()?;
        Ok(match kind {
            0 => Value::Undefined,
            1 => Value::Null,
            2 => Value::Boolean(false),
            3 => Value::Boolean(true),
            // 29 bits with a sign.
            4 => Value::Number(f64::from((self.number()? << 3).cast_signed() >> 3)),
            5 => Value::Number(f64::from_be_bytes(self.take()?)),
            6 => Value::String(self.text()?),
            // XML in two forms, and bytes.
            7 | 11 | 12 => self.passed_over(1, 0)?,
            8 => match self.number()? & 1 {
                0 => Value::Undefined,
                _ => Value::Date(f64::from_be_bytes(self.take()?)),
            },
            9 => self.array(depth)?,
            10 => self.object(depth)?,
            // Vectors of numbers, which say first whether they are of one length.
            13 | 14 => self.passed_over(4, 1)?,
            15 => self.passed_over(8, 1)?,
            16 => self.objects(depth)?,
            17 => self.dictionary(depth)?,
            other => return Err(AmfError::Type(other)),
        })
    }

    fn count(&mut self) -> Result<(), AmfError> {
        *self.left = self.left.checked_sub(1).ok_or(AmfError::TooMuch)?;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(AmfError::CutOff)?;
        *self.rest = rest;
        Ok(*head)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(AmfError::CutOff)?;
        *self.rest = rest;
        Ok(bytes)
    }

    /// `U29` (1.3.1): seven bits a byte, and eight of a fourth one.
    fn number(&mut self) -> Result<u32, AmfError> {
        let mut number = 0;
        for _ in 0..3 {
            let [byte] = self.take()?;
            number = number << 7 | u32::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        let [byte] = self.take()?;
        Ok(number << 8 | u32::from(byte))
    }

    /// `UTF-8-vr` (1.3.2). An empty text is never referred to. Each counts as a value, and a long one can't be referred to: a few
    /// bytes may not become many.
    fn text(&mut self) -> Result<String, AmfError> {
        self.count()?;
        let head = self.number()?;
        let number = (head >> 1) as usize;
        if head & 1 == 0 {
            return self.strings.get(number).cloned().ok_or(AmfError::CutOff);
        }
        let text = String::from_utf8_lossy(self.bytes(number)?).into_owned();
        if !text.is_empty() {
            self.strings.push(if text.len() <= NAME_LEN_MAX { text.clone() } else { String::new() });
        }
        Ok(text)
    }

    /// So many elements of `size` bytes behind `more` bytes of their own.
    fn passed_over(&mut self, size: usize, more: usize) -> Result<Value, AmfError> {
        let head = self.number()?;
        if head & 1 == 1 {
            let len = (head >> 1) as usize;
            self.bytes(len.saturating_mul(size).saturating_add(more))?;
        }
        Ok(Value::Undefined)
    }

    /// Named elements, then others. Where there are named ones, the others are passed over.
    fn array(&mut self, depth: usize) -> Result<Value, AmfError> {
        let head = self.number()?;
        if head & 1 == 0 {
            return Ok(Value::Undefined);
        }
        let named = self.named(depth)?;
        // Not reserved by the stated count: it may lie.
        let mut values = Vec::new();
        for _ in 0..head >> 1 {
            values.push(self.value(depth + 1)?);
        }
        Ok(if named.is_empty() { Value::List(values) } else { Value::Array(named) })
    }

    /// Properties up to one without a name.
    fn named(&mut self, depth: usize) -> Result<Vec<(String, Value)>, AmfError> {
        let mut properties = Vec::new();
        loop {
            let name = self.text()?;
            if name.is_empty() {
                return Ok(properties);
            }
            properties.push((name, self.value(depth + 1)?));
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, AmfError> {
        let head = self.number()?;
        let class = match head & 7 {
            0b000 | 0b010 | 0b100 | 0b110 => return Ok(Value::Undefined),
            0b001 | 0b101 => (head >> 2) as usize,
            // What only its own class can read.
            0b111 => return Err(AmfError::Type(10)),
            _ => {
                self.text()?; // its name
                let mut members = Vec::new();
                for _ in 0..head >> 4 {
                    members.push(self.text()?);
                }
                self.classes.push(Class { dynamic: head & 8 != 0, members });
                self.classes.len() - 1
            }
        };
        let Class { dynamic, members } = self.classes.get(class).ok_or(AmfError::CutOff)?;
        let (dynamic, count) = (*dynamic, members.len());
        let mut properties = Vec::new();
        for number in 0..count {
            let value = self.value(depth + 1)?;
            let name = self.classes.get(class).and_then(|class| class.members.get(number));
            properties.push((name.cloned().unwrap_or_default(), value));
        }
        if dynamic {
            properties.extend(self.named(depth)?);
        }
        Ok(Value::Object(properties))
    }

    fn objects(&mut self, depth: usize) -> Result<Value, AmfError> {
        let head = self.number()?;
        if head & 1 == 1 {
            self.take::<1>()?; // whether it is of one length
            self.text()?; // the elements' class
            for _ in 0..head >> 1 {
                self.value(depth + 1)?;
            }
        }
        Ok(Value::Undefined)
    }

    fn dictionary(&mut self, depth: usize) -> Result<Value, AmfError> {
        let head = self.number()?;
        if head & 1 == 1 {
            self.take::<1>()?; // whether its keys are held weakly
            for _ in 0..head >> 1 {
                self.value(depth + 1)?;
                self.value(depth + 1)?;
            }
        }
        Ok(Value::Undefined)
    }
}
