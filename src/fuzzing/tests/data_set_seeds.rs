//! Small data sets of each format.

use std::fs;
use std::io::{Cursor, Write as _};
use std::sync::Arc;

use image::{DynamicImage, ImageFormat, RgbImage};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use zip::write::SimpleFileOptions;

use crate::evaluation::test_records::{header, record};
use crate::evaluation::{RecordFileWriter, RunSummary};
use crate::fuzzing::data_sets::FILES;

/// The name of each input, and its bytes behind the byte that selects its file.
pub(super) fn data_set_seeds() -> Vec<(String, Vec<u8>)> {
    let floats = npy("<f4", "(3, 4)", &values().map(f32::to_le_bytes).concat());
    let labels = npy("<i8", "(3,)", &[0_i64, 1, 2].map(i64::to_le_bytes).concat());
    let text = "label,a,b,c,d\n0,0,0.5,1,0\ndog,\"1\",0,0,0\r\n2,0,0,0,nan\n";
    let mut seeds = vec![
        ("array.npy", "npy-float32", floats.clone()),
        ("array.npy", "npy-uint8", npy("|u1", "(3, 2, 2)", &[9; 12])),
        ("archive.npz", "npz-stored", npz(&floats, &labels, false)),
        ("archive.npz", "npz-deflated", npz(&floats, &labels, true)),
        ("table.csv", "csv", text.as_bytes().to_vec()),
        (
            "table.parquet",
            "parquet-columns",
            parquet_columns(Compression::UNCOMPRESSED),
        ),
        ("table.parquet", "parquet-snappy", parquet_columns(Compression::SNAPPY)),
        ("table.parquet", "parquet-lists", parquet_lists()),
        ("cifar.bin", "cifar", [vec![1], vec![51; 3072], vec![9; 100]].concat()),
        ("labels", "labels-text", b"0\ndog\n2\n\n".to_vec()),
        ("labels", "labels-npy", labels),
        ("records.parquet", "records-rows", record_file(false)),
        ("records.parquet", "records-votes", record_file(true)),
    ];
    for (name, format) in [
        ("png", ImageFormat::Png),
        ("jpeg", ImageFormat::Jpeg),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
    ] {
        let mut file = Cursor::new(Vec::new());
        let image = DynamicImage::from(RgbImage::from_fn(2, 1, |x, _| {
            image::Rgb([u8::try_from(x).unwrap(), 20, 200])
        }));
        image.write_to(&mut file, format).unwrap();
        seeds.push(("images/cat/image.png", name, file.into_inner()));
    }
    let seeds = seeds.into_iter().map(|(file, name, bytes)| {
        let kind = FILES.iter().position(|known| *known == file).unwrap();
        (name.to_owned(), [vec![u8::try_from(kind).unwrap()], bytes].concat())
    });
    seeds.collect()
}

fn values() -> [f32; 12] {
    [0.0, 0.5, 1.0, 0.25, 0.1, 0.2, 0.3, 0.4, 0.0, 0.0, 0.0, 1.0]
}

fn npy(descr: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, header.as_bytes(), values].concat()
}

fn npz(inputs: &[u8], labels: &[u8], is_deflated: bool) -> Vec<u8> {
    let method = if is_deflated {
        zip::CompressionMethod::Deflated
    } else {
        zip::CompressionMethod::Stored
    };
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, array) in [("x.npy", inputs), ("y.npy", labels)] {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(name, options).unwrap();
        archive.write_all(array).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn parquet_writer(schema: &str, compression: Compression) -> SerializedFileWriter<Vec<u8>> {
    let schema = parquet::schema::parser::parse_message_type(schema).unwrap();
    let properties = WriterProperties::builder().set_compression(compression).build();
    SerializedFileWriter::new(Vec::new(), schema.into(), Arc::new(properties)).unwrap()
}

/// Two row groups of four columns of floats, and a column of names of classes.
fn parquet_columns(compression: Compression) -> Vec<u8> {
    let schema = "message rows { required float a; optional float b; required float c; required float d; \
                  optional binary label (UTF8); }";
    let mut writer = parquet_writer(schema, compression);
    for _ in 0..2 {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..4 {
            let values: Vec<f32> = values().into_iter().skip(column).step_by(4).collect();
            let mut writer = group.next_column().unwrap().unwrap();
            let levels = (column == 1).then_some(&[1_i16; 3][..]);
            writer.typed::<FloatType>().write_batch(&values, levels, None).unwrap();
            writer.close().unwrap();
        }
        let mut labels = group.next_column().unwrap().unwrap();
        let names = [ByteArray::from("cat"), ByteArray::from("2")];
        labels
            .typed::<ByteArrayType>()
            .write_batch(&names, Some(&[1, 0, 1]), None)
            .unwrap();
        labels.close().unwrap();
        group.close().unwrap();
    }
    writer.into_inner().unwrap()
}

/// One row group with a list of four floats in each row, and numbers of classes.
fn parquet_lists() -> Vec<u8> {
    let schema = "message rows { optional group x (LIST) { repeated group list { optional float element; } } \
                  required int64 label; }";
    let mut writer = parquet_writer(schema, Compression::SNAPPY);
    let mut group = writer.next_row_group().unwrap();
    let mut lists = group.next_column().unwrap().unwrap();
    let repetition = [0, 1, 1, 1].repeat(3);
    lists
        .typed::<FloatType>()
        .write_batch(&values(), Some(&[3; 12]), Some(&repetition))
        .unwrap();
    lists.close().unwrap();
    let mut labels = group.next_column().unwrap().unwrap();
    labels.typed::<Int64Type>().write_batch(&[0, 1, 2], None, None).unwrap();
    labels.close().unwrap();
    group.close().unwrap();
    writer.into_inner().unwrap()
}

fn record_file(is_smoothed: bool) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let mut writer = RecordFileWriter::create(&path, &header(is_smoothed)).unwrap();
    for index in 0..3 {
        writer.add(record(index, is_smoothed)).unwrap();
    }
    writer.finish(&RunSummary::default()).unwrap();
    fs::read(path).unwrap()
}
