//! What a Wasm file imports, read from its import section.
//!
//! Two binary formats share the frame of sections (WebAssembly core 2.0, 5.5.2; component model, Binary.md): core
//! modules, whose imports are `module` and `name`; and components, whose top-level imports have one name each. Reads
//! no more of either than that: modules and components nested in a component are skipped.

use anyhow::{Context, Result, bail, ensure};

const CORE: [u8; 8] = *b"\0asm\x01\0\0\0";
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
const CORE_IMPORT_SECTION: u8 = 2;
const COMPONENT_IMPORT_SECTION: u8 = 10;

/// The names of what a Wasm file imports, in order: `module name` of a core module, `name` of a component.
pub(crate) fn imports(wasm: &[u8]) -> Result<Vec<String>> {
    let (magic, rest) = wasm.split_first_chunk::<8>().context("shorter than a Wasm header")?;
    let (section, read): (u8, fn(&mut Reader) -> Result<String>) = match *magic {
        CORE => (CORE_IMPORT_SECTION, core_import),
        COMPONENT => (COMPONENT_IMPORT_SECTION, component_import),
        _ => bail!("neither a core module (version 1) nor a component (version 13)"),
    };
    let (mut rest, mut names) = (Reader(rest), Vec::new());
    while !rest.0.is_empty() {
        let id = rest.byte()?;
        let len = rest.length()?;
        let mut body = Reader(rest.take(len)?);
        if id == section {
            for _ in 0..body.length()? {
                names.push(read(&mut body)?);
            }
            ensure!(body.0.is_empty(), "the import section is longer than its imports");
        }
    }
    Ok(names)
}

fn core_import(reader: &mut Reader) -> Result<String> {
    let name = format!("{} {}", reader.name()?, reader.name()?);
    match reader.byte()? {
        0 => drop(reader.length()?),                   // a function: its type
        1 => drop((reader.byte()?, reader.limits()?)), // a table
        2 => reader.limits()?,                         // a memory
        3 => drop((reader.byte()?, reader.byte()?)),   // a global: its type, and whether it changes
        4 => drop((reader.byte()?, reader.length()?)), // a tag
        other => bail!("import {name:?} is of the unknown kind {other}"),
    }
    Ok(name)
}

fn component_import(reader: &mut Reader) -> Result<String> {
    // 0 and 1 are the same; 2 adds options, which are read over.
    let form = reader.byte()?;
    ensure!(form <= 2, "an import name of the unknown form {form}");
    let name = reader.name()?;
    if form == 2 {
        for _ in 0..reader.length()? {
            reader.byte()?;
            reader.name()?;
        }
    }
    let (kind, sub) = (reader.byte()?, |reader: &mut Reader| reader.byte());
    match kind {
        // A core module: says so again, and its type.
        0 => drop((sub(reader)?, reader.length()?)),
        // A function, a component, an instance: its type.
        1 | 4 | 5 => drop(reader.length()?),
        // A type: equal to another one, or a new resource.
        3 => {
            if sub(reader)? == 0 {
                reader.length()?;
            }
        }
        other => bail!("import {name:?} is of the unknown kind {other}"),
    }
    Ok(name.to_owned())
}

/// Bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len).context("ends too early")?;
        self.0 = rest;
        Ok(head)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn length(&mut self) -> Result<usize> {
        Ok(u32::try_from(self.number(5)?).context("a number of more than 32 bits")? as usize)
    }

    fn number(&mut self, bytes_max: u32) -> Result<u64> {
        let mut number = 0;
        for at in 0..bytes_max {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("a number that does not end")
    }

    fn name(&mut self) -> Result<&'a str> {
        let len = self.length()?;
        std::str::from_utf8(self.take(len)?).context("a name that is not UTF-8")
    }

    fn limits(&mut self) -> Result<()> {
        let flags = self.byte()?;
        self.number(9)?;
        if flags & 1 != 0 {
            self.number(9)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section: its id, its length, its bytes (less than 128 of them).
    fn section(id: u8, body: &[u8]) -> Vec<u8> {
        [&[id, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn core_module() -> Vec<u8> {
        let imports = [
            &[5][..],
            b"\x03env\x04func\x00\x81\x00", // a type index in more bytes than it needs
            b"\x03env\x05table\x01\x70\x01\x01\x02",
            b"\x03env\x03mem\x02\x00\x11",
            b"\x01g\x01g\x03\x7f\x00",
            b"\x01t\x01t\x04\x00\x03",
        ]
        .concat();
        [&CORE[..], &section(0, b"\x04name"), &section(1, &[0]), &section(2, &imports), &section(3, &[0])]
            .concat()
    }

    fn component() -> Vec<u8> {
        let first = [&[2][..], b"\x00\x15wasi:http/types@0.3.0\x05\x00", b"\x01\x01f\x01\x02"].concat();
        let second = [
            &[4][..],
            b"\x00\x01t\x03\x00\x07",
            b"\x00\x01r\x03\x01",
            b"\x00\x01m\x00\x11\x00",
            b"\x02\x01o\x01\x01\x011\x05\x00",
        ]
        .concat();
        [&COMPONENT[..], &section(10, &first), &section(1, &core_module()), &section(10, &second)].concat()
    }

    #[test]
    fn a_core_module_names_module_and_name() {
        assert_eq!(imports(&core_module()).unwrap(), ["env func", "env table", "env mem", "g g", "t t"]);
        assert!(imports(&CORE).unwrap().is_empty());
    }

    #[test]
    fn a_component_names_its_own_imports_and_not_those_of_modules_inside() {
        let mut nested = component();
        assert_eq!(imports(&nested).unwrap(), ["wasi:http/types@0.3.0", "f", "t", "r", "m", "o"]);
        nested.extend(section(4, &component()[..60]));
        assert_eq!(imports(&nested).unwrap().len(), 6);
    }

    #[test]
    fn what_is_cut_short_is_an_error_or_lists_less() {
        for whole in [core_module(), component()] {
            let all = imports(&whole).unwrap();
            for len in 0..whole.len() {
                if let Ok(some) = imports(&whole[..len]) {
                    assert!(all.starts_with(&some), "{len}");
                }
            }
        }
        assert!(imports(b"\0asm\x02\0\0\0").is_err());
    }
}
