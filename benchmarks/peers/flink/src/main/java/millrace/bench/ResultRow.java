package millrace.bench;

/** A result that goes into the checksum. */
interface ResultRow {
  /** Hash over its values with {@link RowHash}. */
  int hash();

  /** The values joined by commas. */
  String line();

  /** 1, or −1 for a row that takes back an earlier one: a query that updates its results gives the old and the new row. */
  default int sign() {
    return 1;
  }
}
