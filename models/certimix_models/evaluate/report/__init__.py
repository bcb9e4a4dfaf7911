"""The tables of the documents, written from the CSV files of docs/results."""
