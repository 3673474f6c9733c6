use super::*;

const NOW: UtcMs = UtcMs(1_795_171_920_040);
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$YSBzYWx0IGZvciBmdXp6aW5n$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn rows(text: &str) -> Vec<Row> {
    read(text.as_bytes(), NOW).unwrap()
}

fn problems(text: &str) -> String {
    read(text.as_bytes(), NOW).unwrap_err().to_string()
}

#[test]
fn columns_are_found_by_their_names_in_any_order() {
    let code = Code::new([4; 12]);
    let text = format!(
        "\u{feff}note,days,email,password,code,channels,screens,locale\r\n\
         \"order 4711, \"\"box 3\"\"\",3, Who@Example.org ,kiss shot,,table-1 table-2,4,nl-BE\r\n\
         ,,,,{code},*,,\n"
    );
    let rows = rows(&text);
    let [first, second] = rows.as_slice() else { panic!("two rows, not {rows:?}") };
    assert_eq!((first.line, second.line), (2, 3));
    assert_eq!(Some(&first.id), PassId::of_email("who@example.org").as_ref());
    assert_eq!(first.order.note.as_deref(), Some("order 4711, \"box 3\""));
    assert_eq!(first.order.channels.names(), ["table-1", "table-2"]);
    assert_eq!((first.order.screens, first.order.locale.as_deref()), (4, Some("nl-BE")));
    assert_eq!(first.order.valid_until, NOW.plus_ms(3 * 86_400_000));
    assert!(matches!(&first.order.key, Key::Password(_, password) if password.expose() == "kiss shot"));
    assert_eq!((&second.id, second.order.valid_from), (&code.pass_id(), NOW));
    assert_eq!(second.order.valid_until, NOW.plus_ms(30 * 86_400_000));
}

#[test]
fn every_bad_row_is_named_by_line_and_reason_and_no_secret_is() {
    let text = "email,password,password_hash,code,valid_from,valid_until,days,screens,channels\n\
                a@b.test,good password,,,,,,,\n\
                nobody,hunter2hunter2,,,,,,,\n\
                c@d.test,,,,,,,,\n\
                e@f.test,hunter2hunter2,hash,,,,,,\n\
                g@h.test,,hunter2hunter2,,,,,,\n\
                ,,,B856-H100-51R5-0C10-4077,,,,,\n\
                i@j.test,hunter2hunter2,,,yesterday,,,,\n\
                k@l.test,hunter2hunter2,,,,2026-01-01T00:00:00Z,,,\n\
                m@n.test,hunter2hunter2,,,,,0,,\n\
                o@p.test,hunter2hunter2,,,,,,17,\n\
                q@r.test,hunter2hunter2,,,,,,,Table_1\n\
                A@B.test,hunter2hunter2,,,,,,,\n\
                s@t.test,hunter2hunter2\n\
                u@v.test,hunter2hunter2,,,,2030-01-01T00:00:00Z,3,,\n";
    let found = problems(text);
    let expected = [
        "line 3: email must be an address of at most 254 bytes",
        "line 4: give email and password, email and password_hash, code, or code_hash",
        "line 5: give email and password, email and password_hash, code, or code_hash",
        "line 6: password_hash must be a PHC string of argon2id",
        "line 7: there is a slip in the pass code",
        "line 8: valid_from: ",
        "line 9: valid_from must be before valid_until",
        "line 10: days must be from 1 to 3660",
        "line 11: screens must be from 1 to 16",
        "line 12: channels must be * or 1 to 16 channel ids",
        "line 13: it is for the same holder or code as line 2",
        "line 14: it has 2 cells, the header 9",
        "line 15: give valid_until or days, not both",
    ];
    let lines: Vec<&str> = found.lines().collect();
    assert_eq!(lines.len(), expected.len(), "{found}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
    assert!(!found.contains("hunter2"));
}

#[test]
fn a_table_that_is_none_says_so() {
    for (text, expected) in [
        ("", "line 1: there must be a column email or code"),
        ("email,password\n", "line 1: the table has no rows below its header"),
        ("email,pasword\na@b,c\n", "line 1: \"pasword\" is no column: they are email, password, "),
        ("email,email\n", "line 1: there are two columns \"email\""),
        ("note\nx\n", "line 1: there must be a column email or code"),
        ("email,password\na@b.test,x\n\"c@d.test,x\n", "line 3: it has 1 cells, the header 2"),
    ] {
        let found = problems(text);
        assert!(found.starts_with(expected), "{text:?}: {found}");
    }
    let latin_1 = read(&b"email,password\na@b.test,caf\xe9\n"[..], NOW).unwrap_err().to_string();
    assert_eq!(latin_1, "line 2: it is not UTF-8: save the table as UTF-8");
    let large = std::io::repeat(b'x');
    assert!(read(large, NOW).unwrap_err().to_string().contains("16 MiB"));
    let many = format!("email,password\n{}", "x,y\n".repeat(500));
    let found = problems(&many);
    assert!(found.lines().count() == 101 && found.ends_with("and maybe more"), "{found}");
}

#[test]
fn what_is_written_is_read_back_and_is_no_formula_in_between() {
    let of = |email: &str, note: &str| Pass {
        email: Some(email.to_string()),
        password_hash: Some(HASH.to_string()),
        code_hash: None,
        channels: Coverage::All,
        valid_from: UtcMs(1_795_171_920_000),
        valid_until: UtcMs(1_795_171_921_000),
        screens: 3,
        locale: Some("ko".to_string()),
        note: Some(note.to_string()),
        revoked: true,
    };
    let code = Code::new([4; 12]).pass_id();
    let mut ticket = of("", "at the door");
    (ticket.email, ticket.password_hash, ticket.code_hash) = (None, None, Some(code));
    let passes = [
        of("=cmd|' /c calc'!a0@b.test".replace(' ', "").as_str(), "=HYPERLINK(\"https://evil.test\",\"x\")"),
        of("+tag@b.test", "-1+1"),
        of("@at@b.test", "a, \"quoted\" note"),
        ticket,
    ];
    let write = |hashes| {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out).unwrap();
        passes.iter().for_each(|pass| writer.add(pass, hashes).unwrap());
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    };
    let text = write(true);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for cell in
        reader.records().flat_map(|record| record.unwrap().iter().map(str::to_string).collect::<Vec<_>>())
    {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    let made: Vec<Pass> = rows(&text).iter().map(|row| row.order.make().unwrap().1).collect();
    assert_eq!(made, passes);
    let without = write(false);
    assert!(
        !without.contains("argon2id") && !without.contains(passes[3].code_hash.as_ref().unwrap().as_str())
    );
    assert!(problems(&without).starts_with("line 2: give email and password"));
}
