//! Bad data is named with its file and row, and the rest goes on.

use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::tests::{image_file, names, npy, read_from, spec, write_parquet};
use super::*;

/// The error of a data set that cannot be opened or read.
fn error_with(path: &Path, options: DataSetOptions, shape: &[usize]) -> String {
    let read = DataSet::open(path, options, &spec(shape), &names())
        .and_then(|data| data.read(0, |_| ControlFlow::Continue(())));
    read.map_or_else(|error| error.to_string(), |()| "no error".to_owned())
}

fn error_of(path: &Path) -> String {
    error_with(path, DataSetOptions::default(), &[4])
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn rows(count: u8) -> Vec<(Vec<f32>, u32)> {
    (0..count)
        .map(|row| (vec![f32::from(row) / 100.0; 4], u32::from(row) % 3))
        .collect()
}

#[test]
fn the_rows_of_a_damaged_row_group_are_skipped() {
    let folder = Folder::new();
    let path = folder.0.path().join("a.parquet");
    write_parquet(&path, &rows(9), 3);
    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let column = reader.metadata().row_group(1).column(2).clone();
    let start = usize::try_from(column.dictionary_page_offset().unwrap_or(column.data_page_offset())).unwrap();
    let whole = fs::read(&path).unwrap();
    for damage in [0x00, 0x7f, 0xff] {
        let mut bytes = whole.clone();
        bytes[start..start + 8].fill(damage);
        fs::write(&path, bytes).unwrap();
        let (inputs, skipped) = read_from(&path, &spec(&[4]), 0);
        let read: Vec<f32> = inputs.iter().map(|(values, _)| 100.0 * values[0]).collect();
        assert_eq!(
            read.iter().map(|value| value.round()).collect::<Vec<_>>(),
            [0.0, 1.0, 2.0, 6.0, 7.0, 8.0]
        );
        assert_eq!(skipped.len(), 3);
        assert!(
            skipped[0].starts_with("a.parquet#3: row group 1 cannot be read from row 3 on"),
            "{skipped:?}"
        );
        assert!(skipped[2].starts_with("a.parquet#5: "), "{skipped:?}");
        assert_eq!(read_from(&path, &spec(&[4]), 5).1.len(), 1);
    }
}

#[test]
fn a_column_of_another_type_is_named() {
    let folder = Folder::new();
    for (schema, expected) in [
        ("required boolean a;", "has a column \"a\" of the type BOOLEAN"),
        ("required binary a (UTF8);", "has a column \"a\" of the type UTF8"),
        ("required int64 a (TIMESTAMP_MICROS);", "of the type TIMESTAMP_MICROS"),
        (
            "required group a { required float b; }",
            "of structures or nested lists",
        ),
        (
            "required float label; required float a;",
            "has a column \"label\" of floats, expected integers",
        ),
        (
            "required int32 label; required float a;",
            "has 1 columns beside \"label\" and \"id\", expected 4",
        ),
    ] {
        let schema = parquet::schema::parser::parse_message_type(&format!("message m {{ {schema} }}")).unwrap();
        let path = folder.0.path().join("a.parquet");
        let file = fs::File::create(&path).unwrap();
        let writer = parquet::file::writer::SerializedFileWriter::new(file, schema.into(), Default::default()).unwrap();
        writer.close().unwrap();
        let error = error_of(&path);
        assert!(error.contains("a.parquet: ") && error.contains(expected), "{error}");
    }
}

#[test]
fn an_archive_whose_contents_have_changed_is_damaged() {
    let folder = Folder::new();
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("x.npy", stored).unwrap();
    let array = npy("|u1", "(2, 4)", &[171; 8]);
    archive.write_all(&array).unwrap();
    let mut bytes = archive.finish().unwrap().into_inner();
    assert_eq!(error_of(&folder.write("a.npz", &bytes)), "no error");
    let position = bytes.iter().position(|&byte| byte == 171).unwrap();
    bytes[position] = 172;
    let error = error_of(&folder.write("a.npz", &bytes));
    assert!(
        error.contains("a.npz: is damaged: ") && error.contains("hecksum"),
        "{error}"
    );
}

#[test]
fn data_without_rows_is_refused() {
    let folder = Folder::new();
    write_parquet(&folder.0.path().join("a.parquet"), &[], 3);
    let files = [
        folder.write("a.npy", &npy("<f4", "(0, 4)", &[])),
        folder.write("a.csv", b"label,a,b,c,d\n"),
        folder.0.path().join("a.parquet"),
        folder.write("empty.npy", b""),
        folder.write("empty.csv", b""),
    ];
    for file in files {
        let error = error_of(&file);
        assert!(error.contains("has no rows") || error.contains("is empty"), "{error}");
    }
}

#[test]
fn a_wrong_csv_file_is_explained() {
    let folder = Folder::new();
    let long = format!("a,b,c,d\n0,{},0,0\n", "0".repeat(2 << 20));
    for (text, expected) in [
        ("a;b;c;d\n0;0;0;0\n", "the columns are separated by commas"),
        ("0,0.5,0,0,1\n", "the first line names the columns"),
        ("label,label,a,b,c,d\n", "has several columns \"label\""),
        ("a,b,c,\u{fe}d,e\n", "has 5 columns"),
        (long.as_str(), "line 2: a row has more than"),
    ] {
        let error = error_of(&folder.write("a.csv", text.as_bytes()));
        assert!(error.contains("a.csv: ") && error.contains(expected), "{error}");
    }
    let text = "\u{feff}label,a,b,c,d\r\n0,0,0,\"0\",0\r\n1,\"0,0,0,0\n1,0,0,0,0\n";
    let (inputs, skipped) = read_from(&folder.write("a.csv", text.as_bytes()), &spec(&[4]), 0);
    assert_eq!(inputs, [(vec![0.0; 4], Some(0))]);
    assert_eq!(
        skipped,
        ["a.csv#1 (line 3): has 2 fields, expected 5; a quoted field goes on over the next line"]
    );
}

#[test]
fn labels_of_another_number_are_refused() {
    let folder = Folder::new();
    let data = folder.write("a.npy", &npy("|u1", "(3, 4)", &[0; 12]));
    let with = |bytes: &[u8]| {
        let labels = Some(folder.write("labels", bytes));
        let options = DataSetOptions {
            labels,
            ..DataSetOptions::default()
        };
        error_with(&data, options, &[4])
    };
    assert_eq!(with(b"\xef\xbb\xbf0\ncat\r\n2\n\n\n"), "no error");
    assert_eq!(with(&npy("<i8", "(3, 1)", &[0; 24])), "no error");
    assert!(with(b"0\n1\n").contains("has 3 rows, but 2 labels"));
    assert!(with(b"\xff\xfe0\x00").contains("labels: is neither a .npy array nor a UTF-8 text"));
    assert!(with(&npy("<i8", "(900000000000,)", &[])).contains("expected one label for each row"));
    assert!(with(&npy("<i8", "(3,)", &[0; 20])).contains("it ends before label 2 of 3"));
}

#[cfg(unix)]
#[test]
fn links_and_other_files_of_an_image_folder_are_named() {
    let folder = Folder::new();
    let root = folder.0.path().join("images");
    fs::create_dir_all(root.join("cat")).unwrap();
    let image = image_file(51);
    image.save(root.join("cat/a.png")).unwrap();
    image.save(root.join("b.png")).unwrap();
    image.save(root.join("cat/c.jpg")).unwrap();
    let jpeg = fs::read(root.join("cat/c.jpg")).unwrap();
    folder.write("images/cat/d.jpg", &jpeg[..jpeg.len() - 2]);
    folder.write("images/cat/e.gif", b"GIF89a");
    std::os::unix::fs::symlink("nowhere.png", root.join("cat/f.png")).unwrap();
    std::os::unix::fs::symlink(".", root.join("cat/g")).unwrap();
    let (inputs, skipped) = read_from(&root, &spec(&[1, 1, 1]), 0);
    assert_eq!(inputs.len(), 2);
    let expected = [
        "b.png: is in no subfolder of a class",
        "cat/d.jpg: is cut short: its end is missing",
        "cat/e.gif: is none of PNG, JPEG, WebP and BMP",
        "cat/f.png: No such file or directory",
        "cat/g: is a link to ",
    ];
    assert_eq!(skipped.len(), expected.len(), "{skipped:?}");
    for (found, expected) in skipped.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
    let data = DataSet::open(&root, DataSetOptions::default(), &spec(&[1, 1, 1]), &names()).unwrap();
    assert_eq!(data.digest(|_| ()).unwrap().len(), 64);
}
