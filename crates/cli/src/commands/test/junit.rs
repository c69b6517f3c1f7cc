//! The result of tests as JUnit XML, which every CI server reads.
//!
//! No time is given but zero: nothing is run, and the same tests give the same file.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::{CaseReport, FileReport, Report, told};

/// The whole document.
pub(super) fn document(report: &Report) -> Vec<u8> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut writer, report).expect("memory takes everything");
    let mut document = writer.into_inner();
    document.push(b'\n');
    document
}

fn write(writer: &mut Writer<Vec<u8>>, report: &Report) -> io::Result<()> {
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    writer.create_element("testsuites").with_attribute(("name", "autoglm")).write_inner_content(
        |writer| report.files.iter().try_for_each(|file| suite(writer, file)),
    )?;
    Ok(())
}

fn suite(writer: &mut Writer<Vec<u8>>, file: &FileReport) -> io::Result<()> {
    let failed = file.cases.iter().filter(|case| !case.passed()).count();
    let errors = usize::from(file.invalid.is_some());
    let name = allowed(&file.file);
    let (tests, failed) = ((file.cases.len() + errors).to_string(), failed.to_string());
    let suite = writer.create_element("testsuite").with_attributes([
        ("name", name.as_str()),
        ("tests", &tests),
        ("failures", &failed),
        ("errors", &errors.to_string()),
        ("time", "0"),
    ]);
    suite.write_inner_content(|writer| {
        if let Some(invalid) = &file.invalid {
            let attributes =
                [("name", "the test file is valid"), ("classname", name.as_str()), ("time", "0")];
            let case = writer.create_element("testcase").with_attributes(attributes);
            case.write_inner_content(|writer| trouble(writer, "error", &invalid.text))?;
        }
        file.cases.iter().try_for_each(|case| test(writer, &name, case))
    })?;
    Ok(())
}

fn test(writer: &mut Writer<Vec<u8>>, file: &str, case: &CaseReport) -> io::Result<()> {
    let (name, line) = (allowed(&case.name), case.line.to_string());
    let element = writer.create_element("testcase").with_attributes([
        ("name", name.as_str()),
        ("classname", file),
        ("file", file),
        ("line", &line),
        ("time", "0"),
    ]);
    if case.passed() {
        element.write_empty()?;
        return Ok(());
    }
    let text: Vec<String> = case.differences.iter().map(told).collect();
    element.write_inner_content(|writer| trouble(writer, "failure", &text.join("\n")))?;
    Ok(())
}

/// A failure or an error: the first line as its message, all of it as its text.
fn trouble(writer: &mut Writer<Vec<u8>>, kind: &str, text: &str) -> io::Result<()> {
    let text = allowed(text);
    let message = text.lines().next().unwrap_or_default();
    let element = writer.create_element(kind).with_attribute(("message", message));
    element.write_text_content(BytesText::new(&text))?;
    Ok(())
}

/// A text without the characters that XML has no way to write.
fn allowed(text: &str) -> String {
    let is_allowed = |&c: &char| {
        matches!(c, '\t' | '\n' | '\r') || !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(is_allowed).collect()
}

#[cfg(test)]
mod tests {
    use simulator::rehearsal::Difference;

    use super::*;

    #[test]
    fn what_stands_in_a_name_stays_within_its_quotes() {
        let difference = Difference {
            what: "a".to_owned(),
            expected: "<\u{7}".to_owned(),
            got: "\"".to_owned(),
            hint: Some("more".to_owned()),
        };
        let case = |name: &str, differences| CaseReport {
            name: name.to_owned(),
            line: 4,
            duration: None,
            differences,
        };
        let cases = vec![case("it's <good>", Vec::new()), case("b & c", vec![difference])];
        let report = Report::new(vec![FileReport::of("t", "a.yaml", cases)]);
        let document = String::from_utf8(document(&report)).expect("text");
        insta::assert_snapshot!(document, @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="autoglm">
          <testsuite name="t" tests="2" failures="1" errors="0" time="0">
            <testcase name="it&apos;s &lt;good&gt;" classname="t" file="t" line="4" time="0"/>
            <testcase name="b &amp; c" classname="t" file="t" line="4" time="0">
              <failure message="a: expected &lt;, got &quot;">a: expected &lt;, got &quot;
          more</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
        let mut reader = quick_xml::Reader::from_str(&document);
        while reader.read_event().expect("well formed") != Event::Eof {}
    }
}
