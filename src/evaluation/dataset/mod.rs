//! Data sets: labelled inputs from files, one format a file.
//!
//! [`DataSet::open`] finds the format by the content and checks the shape. [`DataSet::read`] then
//! passes one input after another to its caller, so a data set of any size needs the memory of a few
//! inputs. A row that is not an input of the model is named, skipped, and the rest goes on.

mod arrays;
#[cfg(test)]
mod bad_data_tests;
mod cifar;
mod class_labels;
mod csv_table;
mod data_set;
mod digest;
mod entry;
mod image;
mod image_folder;
mod input_check;
mod jpeg_end;
mod npy_header;
mod npz;
mod parquet_columns;
mod parquet_table;
mod table_rows;
#[cfg(test)]
mod tests;

pub use data_set::{DataSet, DataSetOptions};
pub use entry::{DataSetEntry, LabelledInput};
pub use image::{AcceptedImage, ImageConversions, UPRIGHT, decode as decode_image, is_image};
pub use npy_header::{MAX_NPY_HEADER_BYTES, is_npy, overflowing_npy_shape};
